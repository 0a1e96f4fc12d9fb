"""Decodes and resizes images: whatever the source, the result is uint8 (or float) H x W x C."""

import numpy as np

from kgen.data.imports import require


def _pil(module: str):
    return require(f"PIL.{module}", "pillow", "Reading or resizing images")


def read_header(path) -> tuple[int, int, bool]:
    """(height, width, is it grey), from the header of an image file."""
    with _pil("Image").open(path) as image:
        width, height = image.size
        # EXIF orientations 5 to 8 lie on their side.
        if image.getexif().get(0x0112, 1) >= 5:
            width, height = height, width
        return height, width, _is_grey(image)


def _is_grey(image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB")).reshape(-1, 3)
        return bool((palette == palette[:, :1]).all())
    return image.mode in ("1", "L", "LA") or image.mode.startswith("I")


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
    pil_image = _pil("Image")
    with pil_image.open(path) as file:
        image = _pil("ImageOps").exif_transpose(file)
    if image.mode.startswith("I"):
        image = pil_image.fromarray(_to_bytes(np.asarray(image)))
    if image.mode == "F":
        raise ValueError("its pixels are floats, of which no file says the range: save it as 8-bit")
    if image.has_transparency_data:
        white = pil_image.new("RGBA", image.size, "white")
        image = pil_image.alpha_composite(white, image.convert("RGBA"))
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    pixels = pixels.reshape(*pixels.shape[:2], channels)
    return pixels if size is None else resize(pixels, size)


def _to_bytes(grey):
    low, high = grey.min(), grey.max()
    if low < 0 or high > 65535:
        raise ValueError(f"its pixels are in {low}..{high}, of 16 bits in 0..65535")
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
