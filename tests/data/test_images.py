import struct

import numpy as np
import pytest
from PIL import Image

from kgen.data.images import decode, read_header, resize, resize_all


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif"])
def test_formats(write_image, suffix):
    path = write_image(f"image.{suffix}", color=(255, 0, 0))
    pixels = decode(path, 3)
    assert pixels.shape == (4, 6, 3) and pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels, np.broadcast_to((255, 0, 0), (4, 6, 3)), atol=2)
    assert read_header(path) == (4, 6, False)


@pytest.mark.parametrize(
    "mode, color, grey, expected",
    [
        ("L", 77, True, [77]),
        ("1", 1, True, [255]),
        ("I;16", 257 * 77, True, [77]),
        ("LA", (0, 0), True, [255]),  # Transparent black on white.
        ("LA", (10, 255), True, [10]),
        ("RGBA", (255, 0, 0, 0), False, [255, 255, 255]),
        ("RGBA", (255, 0, 0, 255), False, [255, 0, 0]),
        ("RGB", (10, 20, 30), False, [10, 20, 30]),
    ],
)
def test_modes(write_image, mode, color, grey, expected):
    path = write_image("image.png", mode, color=color)
    assert read_header(path)[2] == grey
    pixels = decode(path, 1 if grey else 3)
    assert pixels.shape == (4, 6, len(expected))
    assert (pixels == expected).all()


def tiff(pixels, order):
    """A TIFF of 16-bit RGB, which Pillow reads and does not write."""
    height, width, channels = pixels.shape
    data = pixels.astype(order + "u2").tobytes()
    bits = 8 + 2 + 9 * 12 + 4
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 2, 273: bits + 6, 277: channels}
    tags |= {278: height, 279: len(data)}
    file = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, len(tags))
    for tag, value in tags.items():
        file += struct.pack(f"{order}HHII", tag, 4 - (tag == 258), 3 if tag == 258 else 1, value)
    return file + struct.pack(f"{order}I3H", 0, 16, 16, 16) + data


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_16_bits(tmp_path, order):
    pixels = np.full((2, 4, 3), [257 * 200, 257 * 100, 257 * 50])
    (tmp_path / "colour.tif").write_bytes(tiff(pixels, order))
    assert decode(tmp_path / "colour.tif", 3)[1, 2].tolist() == [200, 100, 50]
    grey = Image.fromarray(pixels[..., 0].astype(order + "u2"))
    grey.save(tmp_path / "grey.tif")
    assert read_header(tmp_path / "grey.tif") == (2, 4, True)
    assert decode(tmp_path / "grey.tif", 1)[1, 2].tolist() == [200]


@pytest.mark.parametrize(
    ("pixels", "message"), [(np.float32(0.5), "floats"), (np.int32(70000), "70000..70000, of 16")]
)
def test_pixels_of_an_unknown_range_are_not_read(tmp_path, pixels, message):
    Image.fromarray(np.full((2, 3), pixels)).save(tmp_path / "image.tif")
    with pytest.raises(ValueError, match=message):
        decode(tmp_path / "image.tif", 1)


def test_half_transparent_is_half_white(write_image):
    pixels = decode(write_image("image.png", "RGBA", color=(0, 0, 0, 127)), 3)
    assert np.unique(pixels).tolist() == [128]


def test_palettes(tmp_path):
    colour = Image.new("RGB", (3, 2), (255, 0, 0)).quantize(4)
    colour.save(tmp_path / "colour.png")
    assert not read_header(tmp_path / "colour.png")[2]
    assert decode(tmp_path / "colour.png", 3)[0, 0].tolist() == [255, 0, 0]
    grey = Image.new("P", (3, 2), 1)
    grey.putpalette([0, 0, 0, 90, 90, 90])
    grey.save(tmp_path / "grey.png", transparency=0)
    assert read_header(tmp_path / "grey.png")[2]
    assert decode(tmp_path / "grey.png", 1)[0, 0].tolist() == [90]


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (3, 2), color) for color in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / "image.gif", save_all=True, append_images=frames[1:])
    assert decode(tmp_path / "image.gif", 3)[0, 0].tolist() == [255, 0, 0]


def test_exif_orientation(write_image):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = write_image("image.jpg", exif=exif)
    assert read_header(path)[:2] == (6, 4)
    assert decode(path, 3).shape == (6, 4, 3)


def test_resize_covers_and_crops_the_middle():
    image = np.zeros((10, 30, 1), "uint8")
    image[:, 4:26] = 200  # The middle square, which the result shows, and what Lanczos blends in.
    result = resize(image, (5, 5))
    assert result.shape == (5, 5, 1) and (result == 200).all()
    tall = resize(image.transpose(1, 0, 2), (5, 5))
    assert (tall == 200).all()


def test_resize_is_free_of_aliases():
    checkers = (np.indices((64, 64)).sum(0) % 2 * 255).astype("uint8")[..., None]
    assert np.ptp(resize(checkers, (8, 8))[1:-1, 1:-1].astype(int)) <= 4


@pytest.mark.parametrize("size", [(8, 8), (3, 7), (1, 1), (13, 4)])
def test_resize_keeps_dtype_and_range(size):
    image = np.random.default_rng(0).integers(0, 2, (7, 5, 3)).astype("uint8") * 255
    as_float = resize((image / 255).astype("float32"), size)
    assert as_float.min() >= 0 and as_float.max() <= 1
    image = image // 4 + 96  # Without overshoot, which uint8 clips in between and float does not.
    as_uint8 = resize(image, size)
    as_float = resize((image / 255).astype("float32"), size)
    assert as_uint8.shape == as_float.shape == (*size, 3)
    assert as_uint8.dtype == np.uint8 and as_float.dtype == np.float32
    np.testing.assert_allclose(as_float * 255, as_uint8, atol=1.5)


def test_resize_all_equals_resize():
    images = np.random.default_rng(0).integers(0, 256, (3, 7, 5, 1)).astype("uint8")
    result = resize_all(images, (4, 4))
    assert (result[2] == resize(images[2], (4, 4))).all()
    assert resize_all(images, (7, 5)) is images
