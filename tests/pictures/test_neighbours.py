import numpy as np
import pytest

import kgen
from kgen import pictures
from tests.pictures.conftest import pixels


def rows_of(picture, num, shape):
    """The images in a picture of scale 1 and with a gap of 1, by row and column."""
    height, width = shape
    found = pixels(picture)
    rows = (found.shape[0] - 1) // (height + 1)
    tiles = found[1:, 1:].reshape(rows, height + 1, num, width + 1, -1)[:, :-1, :, :-1]
    return tiles.transpose(0, 2, 1, 3, 4)


def brute_force(images, training, num):
    differences = images[:, None].astype(float) - training[None].astype(float)
    distances = np.sqrt((differences**2).sum((2, 3, 4)))
    return training[np.argsort(distances, axis=1, kind="stable")[:, :num]]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_nearest_are_those_of_brute_force(channels):
    rng = np.random.default_rng(channels)
    training = rng.integers(0, 256, (101, 50, 48, channels), dtype="uint8")
    images = rng.integers(0, 256, (3, 50, 48, channels), dtype="uint8")
    expected = np.concatenate([images[:, None], brute_force(images, training, 4)], axis=1)
    batches = [training[i : i + 7] for i in range(0, 101, 7)]
    for given in (training, batches, [(batch, None) for batch in batches], iter(batches)):
        picture = pictures.nearest(images, given, neighbours=4)
        np.testing.assert_array_equal(rows_of(picture, 5, (50, 48)), expected)
    scaled = pictures.nearest(images / 255.0, training, neighbours=4)
    np.testing.assert_array_equal(pixels(scaled), pixels(picture))


def test_what_is_near_is_told_from_what_is_the_same():
    training = np.full((300, 48, 48, 1), 200, "uint8")
    training[:, 0, 0, 0] = np.arange(300) % 250
    images = np.full((1, 48, 48, 1), 200, "uint8")
    images[0, 0, 0, 0] = 123
    found = rows_of(pictures.nearest(images, training, neighbours=3), 4, (48, 48))
    assert found[0, :, 0, 0, 0].tolist() == [123, 123, 122, 124]


def test_all_training_images_are_looked_at(digits):
    data = kgen.data.load(digits[0], batch_size=50)
    last = data.train.take()[0][-1:]  # which an epoch's whole batches may lack
    found = pictures.nearest(last, data.train.in_order(), neighbours=1)
    assert (rows_of_scaled(found)[0] == rows_of_scaled(found)[1]).all()


def rows_of_scaled(picture):
    found = pixels(picture)[::6, ::6]
    return found[1:9, 1:9], found[1:9, 10:18]


@pytest.mark.parametrize("num, limit", [(-1, "least 1"), (0, "least 1"), (4, "most the number")])
def test_other_numbers_of_neighbours_than_there_are(num, limit):
    images = np.zeros((3, 4, 4, 1))
    with pytest.raises(ValueError, match=f"neighbours .* at {limit}.*: neighbours={num}"):
        pictures.nearest(images, images, neighbours=num)


def test_training_images_of_another_shape():
    with pytest.raises(ValueError, match="Expected training of shape"):
        pictures.nearest(np.zeros((3, 4, 4, 1)), np.zeros((3, 4, 5, 1)))
