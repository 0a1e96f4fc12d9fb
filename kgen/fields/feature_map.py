"""What one network makes of an image for another."""

from kgen import checks
from kgen.fields.field import Field


class FeatureMap(Field):
    """Numbers of any size at each pixel.

    Args:
        shape: tuple (height, width, n).
    """

    what = "features"
    input_name = "features"

    def __init__(self, shape):
        self.shape = checks.whole_numbers("shape", shape, "(height, width, n)", length=3)

    def get_config(self):
        return {"shape": self.shape}
