import sys

import numpy as np
import pytest

from kgen.data import load
from kgen.data.augment import augmentation
from tests.data.forms import assert_same_set

pytest.importorskip("keras_cv")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 12, 3)).astype("uint8")


def test_nothing_to_do():
    assert augmentation(()) is None


@pytest.mark.parametrize("names", [("flip",), ("crop",), ("crop", "flip")])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_repeatable_and_in_range(images, names, dtype):
    if dtype == "float32":
        images = (images / 255).astype(dtype)
    augment = augmentation(names)
    first, second, other = augment(images, 0), augment(images, 0), augment(images, 1)
    assert first.dtype == dtype and first.shape == images.shape
    assert first.min() >= 0 and first.max() <= (255 if dtype == "uint8" else 1)
    assert (first == second).all() and (first != other).any() and (first != images).any()


def test_flip_mirrors_some_images(images):
    flipped = augmentation(("flip",))(images, 0)
    mirrored = [(a == b[:, ::-1]).all() for a, b in zip(flipped, images, strict=True)]
    kept = [(a == b).all() for a, b in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert any(mirrored) and any(kept)


def test_crop_moves_an_image_by_at_most_an_eighth(images):
    images = np.zeros((64, 16, 16, 1), "uint8")
    images[:, 8, 8] = 255
    cropped = augmentation(("crop",))(images, 0)
    rows = cropped.max(axis=(2, 3)).argmax(axis=1)[cropped.max(axis=(1, 2, 3)) > 0]
    assert set(rows - 8) == {-2, -1, 0, 1, 2}


def test_crop_of_one_pixel():
    images = np.full((4, 1, 1, 1), 9, "uint8")
    assert (augmentation(("crop",))(images, 0) == images).all()


def test_training_batches_are_augmented_and_repeat(images):
    plain = load(images, batch_size=7)
    first, second = (load(images, batch_size=7, augment=("flip",)) for _ in range(2))
    np.testing.assert_array_equal(first.test[0][0], plain.test[0][0])
    epochs = []
    for epoch in (0, 1):
        batches, again, originals = (
            [batch[0] for batch in data.train.epoch(epoch)] for data in (first, second, plain)
        )
        np.testing.assert_array_equal(batches, again)
        epochs.append((np.stack(batches) != originals).any(axis=(2, 3, 4)))
        assert (epochs[-1][0] != epochs[-1][1]).any()  # Each batch has flips of its own,
    assert (epochs[0] != epochs[1]).any()  # and so has each epoch.


def test_any_plain_form_is_augmented_alike():
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 6, 1), dtype="uint8")
    labels = np.arange(10) % 4
    settings = {"batch_size": 4, "augment": ("flip", "crop"), "seed": 1}
    plain = load((images, labels), **settings)
    for form in (images[..., 0], images.astype("int64"), list(images[..., 0])):
        assert_same_set(load((form, np.eye(4)[labels]), **settings), plain)


def test_keras_cv_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    with pytest.raises(ImportError, match="pip install keras-cv tensorflow"):
        load("digits", augment=("flip",))
