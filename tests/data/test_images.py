import os
import socket
import struct

import numpy as np
import PIL.ImageFile
import pytest
from PIL import Image, ImageOps

from kgen.data import images as module
from kgen.data.images import decode, read_header, resize, resize_all

SUFFIXES = ["png", "jpg", "bmp", "gif", "webp", "tif"]


@pytest.mark.parametrize("suffix", SUFFIXES)
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


def tiff(pixels, order, tile=None):
    """A TIFF of 16-bit RGB, which Pillow reads and does not write."""
    height, width, channels = pixels.shape
    data = pixels.astype(order + "u2").tobytes()
    tags = {256: width, 257: height, 258: 0, 259: 1, 262: 2, 273: 0, 277: channels}
    tags |= {278: height, 279: len(data)} | dict(zip((322, 323), tile or (), strict=False))
    bits = 8 + 2 + 12 * len(tags) + 4
    tags |= {258: bits, 273: bits + 6}
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


def test_a_transparent_grey_of_16_bits_is_white(tmp_path):
    grey = np.array([[0, 1000], [257 * 77, 65535]], "uint16")
    Image.fromarray(grey).save(tmp_path / "image.png", transparency=1000)
    assert decode(tmp_path / "image.png", 1)[..., 0].tolist() == [[0, 255], [77, 255]]


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


@pytest.fixture
def write_turned(tmp_path):
    """Write an image with an EXIF orientation; gives its path and its pixels."""

    def write(suffix, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3)).astype("uint8")
        path = tmp_path / f"image.{suffix}"
        Image.fromarray(pixels).save(path, exif=exif)
        with Image.open(path) as image:
            return path, np.asarray(ImageOps.exif_transpose(image))

    return write


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(write_turned, suffix, orientation):
    path, expected = write_turned(suffix, orientation)
    assert read_header(path)[:2] == expected.shape[:2]
    np.testing.assert_array_equal(decode(path, 3), expected)


def test_exif_orientation_behind_the_pixels(write_turned):
    path, expected = write_turned("png", 6)
    file = path.read_bytes()
    start = file.index(b"eXIf") - 4
    exif = file[start : file.index(b"IDAT") - 4]
    path.write_bytes(file.replace(exif, b"").replace(file[-12:], exif + file[-12:]))
    assert read_header(path)[:2] == (6, 4)
    np.testing.assert_array_equal(decode(path, 3), expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_a_header_is_read_without_the_pixels(write_image, monkeypatch, suffix, mode):
    mode = mode if suffix in ("png", "bmp", "gif", "tif") else "RGB"
    path = write_image(f"image.{suffix}", mode, color=(200, 100, 50) if mode == "RGB" else 0)
    monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    assert read_header(path)[:2] == (4, 6)


@pytest.mark.parametrize("num_pixels", [10, 2])  # two rows of five, two in a row
@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_parts_make_up_the_image(tmp_path, monkeypatch, mode, num_pixels):
    grey = np.random.default_rng(0).integers(0, 256, (9, 5)).astype("uint8")
    image = Image.fromarray(grey * np.uint16(257) if mode == "I;16" else grey)
    (image if mode == "I;16" else image.convert(mode)).save(tmp_path / "image.png")
    whole = decode(tmp_path / "image.png", 1)
    monkeypatch.setattr(module, "_PART_PIXELS", num_pixels)
    np.testing.assert_array_equal(decode(tmp_path / "image.png", 1), whole)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("read", [read_header, lambda path: decode(path, 3, (2, 2))])
def test_too_many_pixels_are_not_read(write_image, monkeypatch, suffix, read):
    path = write_image(f"image.{suffix}")
    monkeypatch.setattr(module, "MAX_PIXELS", 23)
    with pytest.raises(ValueError, match="it is of 4x6 pixels, and at most 23 are read: scale it"):
        read(path)


def test_a_tile_is_no_way_round_the_limit(tmp_path):
    (tmp_path / "image.tif").write_bytes(tiff(np.zeros((2, 4, 3)), "<", tile=(60000, 30000)))
    with pytest.raises(ValueError, match="it is of 30000x60000 pixels, and at most 134,217,728"):
        decode(tmp_path / "image.tif", 3)


def test_what_is_too_large_for_pillow_is_told_the_same(write_image, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    with pytest.raises(ValueError, match="too many pixels, and at most 134,217,728 are read"):
        read_header(write_image("image.png"))


def test_too_many_bytes_are_not_read(write_image, monkeypatch):
    path = write_image("image.png")
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10)
    with pytest.raises(ValueError, match="it is of .* bytes, and at most 10 are read: scale it"):
        decode(path, 3)


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "device"])
def test_what_is_no_file_is_not_opened(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    if kind == "folder":
        os.mkdir("a.png")
    elif kind == "pipe":
        os.mkfifo("a.png")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind("a.png")
    else:
        os.symlink("/dev/zero", "a.png")
    for read in (read_header, lambda path: decode(path, 3)):
        with pytest.raises(ValueError, match="no file but a folder, a pipe, a socket or a device"):
            read("a.png")


@pytest.mark.parametrize("content", [b"", b"broken", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_other_formats_are_not_tried(tmp_path, write_image, content):
    (tmp_path / "a.png").write_bytes(content)
    write_image("b.png", format="ICO", size=(16, 16))
    for name in ("a.png", "b.png"):
        with pytest.raises(ValueError, match="it is none of PNG, JPEG, TIFF, BMP, GIF, WEBP, PPM"):
            read_header(tmp_path / name)


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
