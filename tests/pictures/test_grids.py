import numpy as np
import pytest

from kgen import pictures
from tests.pictures.conftest import pixels


def test_grid_by_hand():
    images = np.array([[0, 1], [10, 11], [20, 21]], "uint8").reshape(3, 1, 2, 1)
    w = 255
    expected = [
        [w, w, w, w, w, w, w],
        [w, 0, 1, w, 10, 11, w],
        [w, w, w, w, w, w, w],
        [w, 20, 21, w, w, w, w],
        [w, w, w, w, w, w, w],
    ]
    picture = pictures.grid(images, columns=2, scale=1)
    assert picture.mode == "L"
    assert pixels(picture).tolist() == expected
    enlarged = pictures.grid(images, columns=2, scale=3)
    assert pixels(enlarged).tolist() == np.kron(expected, np.ones((3, 3), int)).tolist()


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (0, [[7, 8]]),
        (2, [[255] * 8] * 2 + [[255, 255, 7, 255, 255, 8, 255, 255]] + [[255] * 8] * 2),
    ],
)
def test_grid_gap(gap, expected):
    images = np.array([7, 8], "uint8").reshape(2, 1, 1, 1)
    assert pixels(pictures.grid(images, 2, scale=1, gap=gap)).tolist() == expected


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((5, 8, 8, 1), (28 * 6, 19 * 6)),  # 3 columns, 48 / 8 pixels a pixel
        ((4, 28, 28, 1), (59 * 2, 59 * 2)),
        ((1, 16, 48, 3), (50, 18)),
        ((2, 200, 100, 3), (203, 202)),
    ],
)
def test_grid_defaults(shape, size):
    assert pictures.grid(np.zeros(shape)).size == size


def test_grid_in_colour():
    images = np.arange(6, dtype="uint8").reshape(2, 1, 1, 3)
    picture = pictures.grid(images, 2, scale=1, gap=0)
    assert picture.mode == "RGB"
    assert pixels(picture).tolist() == [[[0, 1, 2], [3, 4, 5]]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_are_rounded(dtype):
    values = [-1e-4, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 1.0, 1.0005]
    expected = [[0, 0, 0, 1, 254, 255, 255, 255]]
    images = np.array(values, dtype).reshape(8, 1, 1, 1)
    assert pixels(pictures.grid(images, 8, scale=1, gap=0)).tolist() == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.float32([-1, 1]), r"\(images \+ 1\) / 2. Received: images in \[-1.0, 1.0\]"),
        (np.float32([-0.1, 0.2]), r"\(images \+ 1\) / 2"),
        (np.float32([0, 255]), r"images / 255 .*Received: float32 images in \[0.0, 255.0\]"),
        (np.float32([-3, 1.1]), r"in \[-3.0"),
        (np.float32([0, np.nan]), "finite images. Received: NaN"),
        (np.float32([0, np.inf]), "finite images"),
        (np.int64([0, 256]), r"0\.\.255.*int64 images in \[0, 256\]"),
        (np.int8([-1, 1]), r"int8 images in \[-1, 1\]"),
        (np.array(["a", "b"]), "numbers as images. Received: <U1"),
        (np.array([1j, 2]), "numbers as images. Received: complex128"),
    ],
)
def test_images_of_another_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        pictures.grid(values.reshape(2, 1, 1, 1))


def test_bools_are_black_and_white():
    images = np.array([False, True]).reshape(2, 1, 1, 1)
    assert pixels(pictures.grid(images, 2, scale=1, gap=0)).tolist() == [[0, 255]]


@pytest.mark.parametrize("argument", [{"columns": 0}, {"columns": -1}, {"scale": 0}, {"gap": -1}])
def test_sizes_of_a_grid(argument):
    ((name, value),) = argument.items()
    with pytest.raises(ValueError, match=f"Expected {name} as .* Received: {name}={value}"):
        pictures.grid(np.zeros((4, 2, 2, 1)), **argument)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_integers_stay(dtype):
    images = np.array([0, 1, 254, 255], dtype).reshape(4, 1, 1, 1)
    assert pixels(pictures.grid(images, 4, scale=1, gap=0)).tolist() == [[0, 1, 254, 255]]


def test_grid_of_images_without_channels():
    with pytest.raises(ValueError, match=r"a channel axis: images\[..., None\]"):
        pictures.grid(np.zeros((2, 8, 8)))


@pytest.mark.parametrize("shape", [(8, 8, 1), (2, 8, 8), (2, 8, 8, 2), (0, 8, 8, 1)])
def test_grid_of_other_shapes(shape):
    with pytest.raises(ValueError, match=r"\(num, height, width, 1 or 3\)") as error:
        pictures.grid(np.zeros(shape))
    assert str(shape) in str(error.value)
