"""Decodes and resizes images: whatever the source, the result is uint8 (or float) H x W x C."""

import contextlib
import itertools
import math
import os
import stat
import struct
from collections.abc import Iterator

import numpy as np

from kgen.data.imports import require

MAX_PIXELS = 2**27
"""An image file of more pixels is not read, as a small one can decode to gigabytes."""

MAX_FILE_BYTES = 2**30
"""An image file of more bytes is not read, as some formats are held in memory whole."""

BYTES_PER_PIXEL = 8
"""What decoding takes for a while: four as Pillow has them, three as RGB, one to resize."""

# Image.open tries all that Pillow knows, some of them by running another program.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
_ORIENTATION = 0x0112  # in EXIF
_TURNED = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
_PART_PIXELS = 2**20


def _pil(module: str):
    return require(f"PIL.{module}", "pillow", "Reading or resizing images")


def read_header(path) -> tuple[int, int, bool]:
    """(height, width, is it grey), from the header of an image file."""
    with _opened(path) as image:
        # Of a TIFF that lies on its side Pillow may have turned the size.
        tags = getattr(image, "tag_v2", {})
        width, height = (tags[256], tags[257]) if tags else image.size
        # EXIF orientations 5 to 8 lie on their side.
        if _orientation(image, path) >= 5:
            width, height = height, width
        return height, width, _is_grey(image)


@contextlib.contextmanager
def _opened(path) -> Iterator:
    """An image file as Pillow has it, of which no more than the header is read.

    Raises:
        ValueError: it is no regular file, or too large.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no file but a folder, a pipe, a socket or a device")
    if found.st_size > MAX_FILE_BYTES:
        raise ValueError(
            f"it is of {found.st_size:,} bytes, and at most {MAX_FILE_BYTES:,} are read: scale it "
            "down, or save its first image alone"
        )
    pil_image = _pil("Image")
    advice = f"and at most {MAX_PIXELS:,} are read: scale it down"
    try:
        image = pil_image.open(path, formats=_FORMATS)
    except pil_image.DecompressionBombError as error:
        raise ValueError(f"it has too many pixels, {advice}. {error}") from error
    except pil_image.UnidentifiedImageError as error:
        raise ValueError(f"it is none of {', '.join(_FORMATS)}, or damaged") from error
    with image:
        tags = getattr(image, "tag_v2", {})
        tile = (tags.get(322, 1), tags.get(323, 1))  # of a TIFF, which is decoded whole
        if max(math.prod(image.size), math.prod(tile)) > MAX_PIXELS:
            width, height = max(image.size, tile, key=math.prod)
            raise ValueError(f"it is of {height}x{width} pixels, {advice}")
        yield image


def _orientation(image, path) -> int:
    """The EXIF orientation, 1 to 8."""
    # Not image.getexif(), which decodes a PNG to see what follows its pixels.
    exif = _pil("Image").Image.getexif(image)
    if image.format == "PNG" and _ORIENTATION not in exif:
        exif.load(_exif_of_png(path))
    return exif.get(_ORIENTATION, 1)


def _exif_of_png(path) -> bytes:
    """What the chunk eXIf of a PNG holds, wherever it is; empty without one."""
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind == b"eXIf":
                return file.read(min(length, 2**20))
            file.seek(length + 4, os.SEEK_CUR)
    return b""


def _is_grey(image) -> bool:
    if image.mode == "P" and image.palette is not None:
        # Not image.getpalette(), which decodes the pixels.
        palette = _pil("Image").new("P", (1, 1))
        palette.putpalette(image.palette)
        palette = np.array(palette.getpalette("RGB")).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA", "P") or image.mode.startswith("I")


def decode(path, channels: int, size: tuple[int, int] | None = None) -> np.ndarray:
    """The pixels of an image file; of an animation, the first frame.

    Palettes are resolved, 16 bits are scaled to 8, transparency is composited on white,
    and the EXIF orientation is applied.

    Args:
        path: the file.
        channels: 1 for grey or 3 for RGB.
        size: (height, width) to resize and crop to, or None.

    Returns:
        uint8 (height, width, channels).
    """
    with _opened(path) as image:
        orientation = _orientation(image, path)
        image.load()
        if image.format == "TIFF":  # Pillow turns these by itself.
            orientation = image.getexif().get(_ORIENTATION, 1)
        pixels = _TURNED.get(orientation, np.asarray)(_pixels(image, channels))
        return pixels if size is None else resize(pixels, size)


def _pixels(image, channels):
    """The pixels of a loaded image, a part at a time: what is in between takes more memory."""
    if image.mode == "F":
        raise ValueError("its pixels are floats, of which no file says the range: save it as 8-bit")
    width, height = image.size
    pixels = np.empty((height, width, channels), "uint8")
    rows, columns = max(1, _PART_PIXELS // width), min(width, _PART_PIXELS)
    for top, left in itertools.product(range(0, height, rows), range(0, width, columns)):
        bottom, right = min(height, top + rows), min(width, left + columns)
        part = _on_white(image.crop((left, top, right, bottom)))
        converted = np.asarray(part.convert("L" if channels == 1 else "RGB"))
        pixels[top:bottom, left:right] = converted.reshape(bottom - top, right - left, channels)
    return pixels


def _on_white(image):
    """An image of 8 bits without transparency."""
    pil_image = _pil("Image")
    if image.mode.startswith("I"):
        grey = np.asarray(image)
        levels = _to_bytes(grey)
        if (transparent := image.info.get("transparency")) is not None:
            levels[grey == transparent] = 255
        image = pil_image.fromarray(levels)
    if image.has_transparency_data:
        white = pil_image.new("RGBA", image.size, "white")
        image = pil_image.alpha_composite(white, image.convert("RGBA"))
    return image


def _to_bytes(grey):
    low, high = grey.min(), grey.max()
    if low < 0 or high > 65535:
        raise ValueError(f"it has pixels in {low}..{high}, of 16 bits in 0..65535")
    return np.round(grey / 257).astype("uint8")


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image scaled until it covers `size`, the rest cropped off evenly.

    Args:
        image: uint8, or float32 in [0, 1], (h, w, channels).
        size: (height, width).

    Returns:
        The image (height, width, channels) in the same dtype and range.
    """
    height, width = size
    h, w = image.shape[:2]
    if (h, w) == (height, width):
        return image
    scale = min(h / height, w / width)
    left, top = (w - width * scale) / 2, (h - height * scale) / 2
    # Rounding may step over the edge, which Pillow refuses.
    box = (left, top, min(w, left + width * scale), min(h, top + height * scale))
    pil_image = _pil("Image")

    def resize_channel(channel):
        # Lanczos in Pillow widens with the scale, so shrinking is free of aliases.
        filtered = pil_image.fromarray(np.ascontiguousarray(channel))
        return np.asarray(filtered.resize((width, height), pil_image.Resampling.LANCZOS, box=box))

    result = np.stack([resize_channel(image[..., c]) for c in range(image.shape[-1])], axis=-1)
    # Lanczos overshoots at edges. Pillow clips uint8 by itself, floats it does not.
    return result if image.dtype == np.uint8 else np.clip(result, 0.0, 1.0)


def resize_all(images: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """A batch of images (num, h, w, channels) resized, or itself when there is nothing to do."""
    if size is None or images.shape[1:3] == size:
        return images
    result = np.empty((len(images), *size, images.shape[-1]), images.dtype)
    for i, image in enumerate(images):
        result[i] = resize(image, size)
    return result
