"""Images, and which of their pixels are hidden."""

import numpy as np

from kgen import checks
from kgen.fields.field import Field


class Image(Field):
    """Images, floats in [0, 1] or integers in 0..255, channels last.

    Args:
        shape: tuple (height, width, channels).
    """

    low, high, scale = 0.0, 1.0, 255.0
    what = "images"

    def __init__(self, shape):
        self.shape = checks.image_shape("shape", shape)

    def describe(self):
        return f"floats in [0, 1] or integers in 0..255, {super().describe()}"

    def get_config(self):
        return {"shape": self.shape}

    def _in_shape(self, array):
        is_grey = self.shape[-1] == 1 and array.ndim == 3 and array.shape[1:] == self.shape[:2]
        return array[..., None] if is_grey else array

    def _hint(self, array, name):
        height, width, _ = self.shape
        if array.shape[2:] == (height, width):
            return f" Channels come last: np.moveaxis({name}, 1, -1)."
        if array.ndim == 4:
            return f" Resize the {name}, or build the model for {array.shape[1:]}."
        return ""

    def _check_values(self, array, name):
        if array.dtype.kind not in "fiub":
            raise ValueError(f"Expected numbers as {name}. Received: {array.dtype}")
        low, high = array.min(), array.max()
        if array.dtype.kind == "f" and not np.isfinite(low + high):
            raise ValueError(f"Expected finite {name}. Received: NaN or infinity among the pixels.")
        if low < 0 or high > (255 if array.dtype.kind in "iu" else 1):
            raise ValueError(
                f"Expected {name} of floats in [0, 1] or integers in 0..255. Rescale them, for "
                f"example {_rescaling(name, low, high)}. Received: {array.dtype} {name} in "
                f"[{low}, {high}]"
            )

    def _converted(self, array):
        converted = array.astype("float32")
        return converted / np.float32(255.0) if array.dtype.kind in "iu" else converted


class Mask(Field):
    """Which pixels are hidden, True where they are.

    Args:
        shape: tuple (height, width).
    """

    dtype = "bool"
    what = "mask"

    def __init__(self, shape):
        self.shape = checks.whole_numbers("shape", shape, "(height, width)", length=2)

    def describe(self):
        return f"a bool mask, True where a pixel is hidden, {super().describe()}"

    def get_config(self):
        return {"shape": self.shape}

    def _in_shape(self, array):
        has_channel = array.ndim in (3, 4) and array.shape[-3:] == (*self.shape, 1)
        return array[..., 0] if has_channel else array

    def _check_values(self, array, name):
        if array.dtype != bool:
            is_flags = array.dtype.kind in "iuf" and np.all((array == 0) | (array == 1))
            hint = f" Convert it: {name}.astype(bool)." if is_flags else ""
            raise ValueError(f"Expected {self.describe()}.{hint} Received: {array.dtype} {name}")


def _rescaling(name, low, high):
    """How images of a range are brought to [0, 1]."""
    if -1 <= low < 0 and high <= 1:
        return f"({name} + 1) / 2"
    if low < 0:
        return f"({name} - {name}.min()) / ({name}.max() - {name}.min())"
    most = next(most for most in (255, 1023, 4095, 16383, 65535, high) if high <= most)
    return f"{name} / {most} for the range 0..{most}"
