"""Image files are decoded in a served model as they were in training."""

import itertools

import keras
import numpy as np
import pytest
from PIL import Image

from kgen.data.images import decode

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow writes SavedModels", allow_module_level=True)

import tensorflow as tf

from kgen.export.image_bytes import decode_images, encode_pngs

# Versions of Pillow differ in which direction they resize first, which shows where overshoot is cut
# off between: of few colours, or of black and white.
CASES = [
    *itertools.product(["L", "RGB", "RGBA", "LA", "I;16"], [(16, 12), (61, 40), (13, 90)]),
    ("L", (5, 7)),
    ("P", (16, 12)),
    ("P", (61, 40)),
    ("1", (16, 12)),
]


def picture(mode, size):
    """A photo-like picture of (width, height): smooth, with some noise and an edge."""
    width, height = size
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    colors = np.stack([np.sin(x / 5), np.cos(y / 7), np.sin((x + y) / 9)], -1)
    pixels = 128 + 70 * colors + 20 * rng.normal(size=colors.shape) + 30 * (x > y)[..., None]
    pixels = np.clip(pixels, 0, 255).astype("uint8")
    if mode == "I;16":
        return Image.fromarray(257 * pixels[..., 0].astype("uint16"))
    image = Image.fromarray(pixels)
    if mode in ("RGBA", "LA"):
        image = image.convert(mode)
        image.putalpha(Image.fromarray((255 * x / width).astype("uint8")))
    return image.convert(mode, dither=Image.Dither.NONE)


@pytest.fixture(scope="module")
def decoders():
    """Compiled once for each shape, as in a SavedModel."""
    return {}


def decoded(decoders, file, shape):
    if shape not in decoders:
        decoders[shape] = tf.function(lambda files: decode_images(files, shape))
    (image,) = decoders[shape](tf.constant([file])).numpy()
    assert image.dtype == np.float32 and image.min() >= 0.0 and image.max() <= 1.0
    return 255.0 * image


@pytest.mark.parametrize(("mode", "size"), CASES)
def test_png_files_are_decoded_as_in_training(mode, size, decoders, tmp_path):
    path = tmp_path / "a.png"
    picture(mode, size).save(path)
    for channels in (1, 3):
        expected = decode(path, channels, (12, 16)).astype("float32")
        found = decoded(decoders, path.read_bytes(), (12, 16, channels))
        # Pillow rounds between the two directions in which it resizes.
        limit = 0.01 if size == (16, 12) else 2.01
        assert np.abs(found - expected).max() < limit, np.abs(found - expected).max()
        assert np.abs(found - expected).mean() < 0.3


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_files_are_decoded_as_in_training(mode, decoders, tmp_path):
    path = tmp_path / "a.jpg"
    picture(mode, (61, 40)).save(path, quality=95)
    for channels in (1, 3):
        expected = decode(path, channels, (12, 16)).astype("float32")
        found = decoded(decoders, path.read_bytes(), (12, 16, channels))
        assert np.abs(found - expected).max() < 3.01


def header(width, height):
    """The start of a PNG file of this size."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + size + b"\x08\0\0\0\0"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "Expected a PNG or JPEG file"),
        (b"junk", r"PNG or JPEG file.*bytes are\] \[106 117 110 107 0"),
        (b"GIF89a" + bytes(40), r"PNG or JPEG file.*\[71 73 70 56 57 97 0 0\]"),
        (header(2**13, 2**12 + 1), "at most 33554432 pixels.*8192 4097|4097"),
        (header(2**30, 2**30), "at most 33554432 pixels"),
        (header(8, 8), "decode PNG|Invalid PNG"),
    ],
)
def test_other_files_are_refused(file, message, decoders):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(decoders, file, (12, 16, 1))


def test_images_become_png_files_and_come_back(decoders):
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 16, 3)) / 255.0
    files = encode_pngs(tf.constant(images, "float32")).numpy()
    for file, image in zip(files, images, strict=True):
        np.testing.assert_allclose(decoded(decoders, file, (12, 16, 3)), 255 * image, atol=1e-3)
