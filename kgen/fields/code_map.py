"""Codes of images, by place."""

from kgen import checks
from kgen.fields.field import Field


class CodeMap(Field):
    """Codes of a codebook, one a place: whole numbers from 0.

    Args:
        shape: tuple (height, width).
        num_codes: int. Numbers are below it.
    """

    dtype = "int32"
    low = 0
    what = "codes"
    input_name = "code"

    def __init__(self, shape, num_codes):
        self.shape = checks.whole_numbers("shape", shape, "(height, width)", length=2)
        self.num_codes = checks.whole_number("num_codes", num_codes, at_least=2)
        self.high = self.num_codes - 1

    def get_config(self):
        return {"shape": self.shape, "num_codes": self.num_codes}
