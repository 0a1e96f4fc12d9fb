"""Images with noise in them, and how much of it there is."""

from kgen import checks
from kgen.fields.field import Field


class Noisy(Field):
    """Images with noise, of any range.

    Args:
        shape: tuple (height, width, channels).
    """

    what = "images with noise"

    def __init__(self, shape):
        self.shape = checks.image_shape("shape", shape)

    def get_config(self):
        return {"shape": self.shape}


class Time(Field):
    """How far an image is on its way to noise or from it, as a model counts.

    Args:
        low: number. The least.
        high: number. The most.
        dtype: "int32" or "float32".
    """

    what = "t"

    def __init__(self, low, high, dtype="float32"):
        self.low, self.high, self.dtype = low, high, dtype

    def describe(self):
        return f"{self.dtype} in {self.low}..{self.high}, of shape (num,)"

    def get_config(self):
        return {"low": self.low, "high": self.high, "dtype": self.dtype}
