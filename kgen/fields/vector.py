"""Rows of numbers: vectors, tokens and seeds."""

import numpy as np

from kgen.checks import whole_number
from kgen.fields.field import MAX_NUMBERS, Field


class Vector(Field):
    """Numbers that stand for something.

    Args:
        size: int. How many.
        low: number, or array (size,), or None. What is below is refused.
        high: the same for what is above.
    """

    what = "vectors"
    input_name = "vector"

    def __init__(self, size, low=None, high=None):
        self.shape = (whole_number("size", size),)
        # As numbers or lists of them, which a config can have.
        self.low, self.high = (None if each is None else _plain(each) for each in (low, high))
        limits = [np.shape(each) for each in (self.low, self.high) if each is not None]
        fits = all(shape in ((), self.shape) for shape in limits)
        if not fits or (len(limits) == 2 and np.any(np.greater(self.low, self.high))):
            raise ValueError(
                f"Expected low and high as one number or {size}, low not above high. Received: "
                f"{low=}, {high=}"
            )

    def get_config(self):
        return {"size": self.shape[0], "low": self.low, "high": self.high}


class Tokens(Field):
    """Words of a vocabulary, as numbers; 0 fills the end of what is shorter.

    Args:
        length: int. How many.
        vocabulary: int. Numbers are below it.
    """

    dtype = "int32"
    low = 0
    what = "tokens"
    input_name = "tokens"

    def __init__(self, length, vocabulary):
        self.shape = (whole_number("length", length),)
        self.vocabulary = whole_number("vocabulary", vocabulary, 2, MAX_NUMBERS)
        self.high = self.vocabulary - 1

    def get_config(self):
        return {"length": self.shape[0], "vocabulary": self.vocabulary}


class Seed(Field):
    """What an image's random numbers are of: any integer of 64 bits."""

    dtype = "int64"
    what = "seed"

    def get_config(self):
        return {}

    def _as_array(self, array, name):
        array = super()._as_array(array, name)
        return array.view("int64") if array.dtype == "uint64" else array


def _plain(numbers):
    return np.asarray(numbers).tolist()
