"""What an image is of: a class, or attributes that it has or has not."""

import numpy as np

from kgen.checks import whole_number
from kgen.fields.field import MAX_NUMBERS, Field
from kgen.printable import printable

UNKNOWN = -1
"""The label of an image of which none is known."""


class Label(Field):
    """The number of a class, or its name.

    Args:
        num_classes: int of at least 1.
        names: sequence of the classes' names, or None.
    """

    dtype = "int32"
    low = 0
    what = "labels"
    input_name = "label"

    def __init__(self, num_classes, names=None):
        if np.iterable(num_classes):
            raise ValueError(
                "Expected num_classes as a whole number, and names after it, as Label(2, names="
                f"['cat', 'dog']). Received: num_classes={num_classes!r:.80}"
            )
        self.num_classes = whole_number("num_classes", num_classes, at_most=MAX_NUMBERS)
        self.names = _names(names, self.num_classes)
        self.high = self.num_classes - 1

    @property
    def num_codes(self):
        """Length of the one-hot code."""
        return self.num_classes

    def describe(self):
        named = f", or names such as {self.names[0]!r}" if self.names else ""
        return f"labels in 0..{self.high}{named}"

    def get_config(self):
        return {"num_classes": self.num_classes, "names": self.names}

    def _as_array(self, array, name):
        array = as_text(super()._as_array(array, name))
        return self._numbers(array) if array.dtype.kind == "U" else array

    def _in_shape(self, array):
        if array.ndim == 2 and array.shape[1] == 1:
            return array[:, 0]
        return np.argmax(array, axis=1) if self._is_one_hot(array) else array

    def _is_one_hot(self, array):
        is_wide = array.ndim == 2 and array.shape[1] == self.num_classes
        return is_wide and np.all(
            ((array == 0) | (array == 1)) & (array.sum(1, keepdims=True) == 1)
        )

    def _hint(self, array, name):
        if array.ndim != 2:
            return ""
        if array.shape[1] != self.num_classes:
            return f" One-hot rows have {self.num_classes} columns."
        return f" Of one-hot rows, np.argmax({name}, axis=1)."

    def _numbers(self, given):
        numbers = {each: number for number, each in enumerate(self.names or ())}
        unknown = sorted({str(each) for each in given.ravel()} - numbers.keys())
        if unknown:
            raise ValueError(f"Expected labels: {self._known(unknown)}. Received: {unknown!r:.200}")
        return np.array([numbers[str(each)] for each in given.ravel()], "int32").reshape(
            given.shape
        )

    def _known(self, unknown):
        """What labels there are, in words for who gives others."""
        if self.names:
            return f"one of {printable(', '.join(self.names))}"
        if all(each.isdecimal() for each in unknown):
            return f"numbers in 0..{self.high}, as labels.astype('int32') of text"
        return (
            f"numbers in 0..{self.high}; for names, a model with condition=kgen.fields.Label("
            f"{self.num_classes}, names=[...])"
        )


class PartialLabel(Label):
    """The number of a class, or its name, or -1 where it is not known.

    To a network it is a one-hot code of the classes and one more, "unknown".

    Args:
        num_classes: int of at least 1.
        names: sequence of the classes' names, or None.
    """

    low = UNKNOWN

    @property
    def num_codes(self):
        return self.num_classes + 1

    def describe(self):
        return f"{super().describe()}, {UNKNOWN} where a label is not known"

    def _is_one_hot(self, array):
        return False  # all zeros would be no label


class Attributes(Field):
    """What an image has or has not, each 0 or 1.

    Args:
        num: int. How many.
        names: sequence of their names, or None.
    """

    low, high = 0.0, 1.0
    what = "attributes"
    input_name = "attributes"

    def __init__(self, num, names=None):
        self.shape = (whole_number("num", num),)
        self.names = _names(names, self.shape[0])

    def get_config(self):
        return {"num": self.shape[0], "names": self.names}

    def _check_values(self, array, name):
        super()._check_values(array, name)
        if np.any((array != 0) & (array != 1)):
            raise ValueError(f"Expected {name} of 0 or 1. Received: other values")


def as_text(array):
    """Names in an array of any type, bytes and objects among them, as str; other arrays as is.

    Args:
        array: NumPy array.
    """
    if array.dtype.kind not in "SOT" or not all(isinstance(x, (str, bytes)) for x in array.flat):
        return array
    names = [x if isinstance(x, str) else x.decode(errors="backslashreplace") for x in array.flat]
    return np.array(names, str).reshape(array.shape)


def _names(names, num):
    """Names of so many classes or attributes as a tuple of str; None where there are none."""
    if names is None:
        return None
    found = tuple(map(str, names)) if np.iterable(names) else ()
    if len(found) != num or len(set(found)) < num:
        raise ValueError(f"Expected {num} different names. Received: names={found or names!r}")
    return found
