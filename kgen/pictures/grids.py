"""Images side by side."""

import numpy as np

from kgen.checks import whole_number
from kgen.fields import Image as ImageField
from kgen.pictures.files import path_first, save

# So far outside [0, 1] a number is still one that was rounded.
_ROUNDING = 1e-3

MOST_COLUMNS = 12


@path_first
def grid(images, columns=None, path=None, scale=None, gap=1):
    """Images side by side.

    Args:
        images: array (num, height, width, channels), floats in [0, 1], integers in
            0..255 or bool; 1 or 3 channels.
        columns: int. Images in a row; the square root of their number by default.
        path: str or None. A file to write as well, in the format of its ending.
        scale: int. Screen pixels a pixel; by default small images are enlarged to about 48.
        gap: int. Pixels between images, before scaling.

    Returns:
        PIL.Image.Image.

    Example:
    >>> kgen.pictures.grid(np.zeros((6, 8, 8, 1)), columns=3, scale=1).size
    (28, 19)
    """
    from PIL import Image

    images = to_bytes(images)
    columns = whole_number("columns", columns, optional=True)
    scale = whole_number("scale", scale, optional=True)
    gap = whole_number("gap", gap, at_least=0)
    num, height, width, channels = images.shape
    columns = columns or int(np.ceil(np.sqrt(num)))
    rows = -(-num // columns)
    scale = scale or max(1, round(48 / max(height, width)))
    canvas = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, "uint8"
    )
    for i, image in enumerate(images):
        top = gap + (i // columns) * (height + gap)
        left = gap + (i % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = image
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.NEAREST)
    if path is not None:
        save(picture, path)
    return picture


def in_rows(labels, num):
    """The conditions of a grid of about `num` images, those of each side by side.

    Args:
        labels: sequence of classes or other conditions.
        num: int. Each has as many rows, of at most `MOST_COLUMNS`, as it allows, and one image at
            least.

    Returns:
        NumPy array, a condition an image; and how many images are in a row, int.
    """
    of_each = max(1, num // max(1, len(labels)))
    rows = -(-of_each // MOST_COLUMNS)
    columns = of_each // rows
    return np.repeat(labels, rows * columns, axis=0), columns


def to_bytes(images):
    """Images as uint8.

    Args:
        images: array (num, height, width, channels), floats in [0, 1], integers in 0..255 or bool;
            1 or 3 channels.

    Raises:
        ValueError: they have another shape, type or range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        advice = " Grey images need a channel axis: images[..., None]." if images.ndim == 3 else ""
        raise ValueError(
            f"Expected images of shape (num, height, width, 1 or 3).{advice} Received: an array of "
            f"shape {images.shape}"
        )
    if images.dtype.kind == "f":
        low, high = images.min(), images.max()
        if -1 - _ROUNDING <= low < -_ROUNDING and high <= 1 + _ROUNDING:
            raise ValueError(
                "Expected floats in [0, 1]. Rescale those of [-1, 1]: (images + 1) / 2. Received: "
                f"images in [{low}, {high}]"
            )
        if -_ROUNDING <= low and high <= 1 + _ROUNDING:
            images = np.clip(images, 0.0, 1.0)
    ImageField(images.shape[1:]).check(images)
    return (images if images.dtype.kind in "iu" else np.rint(images * 255.0)).astype("uint8")
