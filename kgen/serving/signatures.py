"""What a served model takes and gives, as its server says, and what an answer must be."""

import math

from kgen import fields
from kgen.printable import printable
from kgen.serving.image_file import ImageFile, PngFile

# NumPy's dtypes by TensorFlow's names.
DTYPES = {f"DT_{dtype.upper()}": dtype for dtype in ("bool", "int8", "int16", "int32", "int64")}
DTYPES |= {f"DT_U{dtype.upper()}": f"u{dtype}" for dtype in ("int8", "int16", "int32", "int64")}
DTYPES |= {"DT_HALF": "float16", "DT_FLOAT": "float32", "DT_DOUBLE": "float64"}
DTYPES |= {"DT_STRING": "object"}
# Values of a row, or bytes of a file, of which the server does not say how many they are.
UNKNOWN = 2**20


class Refusal(ValueError):
    """A request that the server does not take; its own words."""


def tensor(name, dtype, sizes):
    """What a signature says of an input or output.

    Args:
        name: str.
        dtype: str, of TensorFlow's.
        sizes: sequence of int, of which those below 0 are any.

    Returns:
        dtype, as NumPy's name; and shape, a tuple of int and of None where it is any.
    """
    if dtype not in DTYPES:
        known = ", ".join(DTYPES)
        raise ValueError(f"Expected {name} of {known}. Received: {printable(dtype, 40)}")
    return DTYPES[dtype], tuple(None if size < 0 else size for size in sizes)


def listed(names):
    """Names in order, for a message."""
    return printable(", ".join(sorted(names)))


def require_plain_names(signatures):
    """Raises a ValueError for names that a message cannot have as they are."""
    for signature, of in signatures.items():
        for name in (signature, *of["inputs"], *of["outputs"]):
            if name != printable(name, 80):
                raise ValueError(f"Expected plain names. Received: {printable(name, 80)}")


def input_field(name, dtype, shape):
    """The field of an input, of which the server says the name, dtype and shape."""
    row = shape[1:]
    if dtype == "object":
        return ImageFile()
    if dtype == "bool" and len(row) == 2:
        return fields.Mask(row)
    if name in ("image", "condition") and len(row) == 3:
        return fields.Image(row)
    if name == "label":
        return fields.Label(2**31 - 1)  # the server knows how many
    if name == "attributes" and len(row) == 1:
        return fields.Attributes(*row)
    return _Rows(row, dtype)


def most_values(signatures, signature, num):
    """How many numbers, and bytes of PNG files, can be in an answer of so many rows."""
    sizes = [
        _row_size(dtype, shape[1:], UNKNOWN)
        for of in signatures.values()
        for name, (dtype, shape) in of["outputs"].items()
        if name == "image"
    ]
    file = 2 * max(sizes) + 1024 if sizes else UNKNOWN
    outputs = signatures[signature]["outputs"].values()
    return num * sum(_row_size(dtype, shape[1:], file) for dtype, shape in outputs)


def _row_size(dtype, row, file):
    return UNKNOWN if None in row else math.prod(row) * (file if dtype == "object" else 1)


def require_outputs(outputs, found):
    """Raises a ValueError for an answer in which some are missing."""
    if outputs.keys() - found:
        raise ValueError(f"Expected {listed(outputs)}. Received: {listed(found) or 'nothing'}")


def require_shape(name, found, shape, num):
    """Raises a ValueError for a shape that is not that of so many rows."""
    expected = (num, *shape[1:])
    fits = [known in (None, size) for known, size in zip(expected, found, strict=False)]
    if len(found) != len(expected) or not all(fits):
        raise ValueError(f"Expected {name} of shape {expected}. Received: {printable(found, 80)}")


def require_rows(name, array, dtype, shape, num):
    """Raises a ValueError for what is not so many rows of an output, images in [0, 1]."""
    require_shape(name, array.shape, shape, num)
    if array.dtype != dtype:
        raise ValueError(f"Expected {name} of {dtype}. Received: {array.dtype}")
    if dtype == "object":
        field = PngFile() if name == "png_bytes" else None
    else:
        is_image = name == "image" and dtype.startswith("float")
        limits = {"low": 0.0, "high": 1.0} if is_image else {}
        field = _Rows(array.shape[1:], dtype, **limits)
    if field is not None:
        field.require(array, name)


class _Rows(fields.Field):
    """What is nothing but rows of a shape."""

    def __init__(self, shape, dtype, low=None, high=None):
        self.shape, self.dtype = shape, dtype
        self.low, self.high = low, high
