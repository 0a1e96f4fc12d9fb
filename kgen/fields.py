"""What a model is given: images, labels and other conditions, a seed.

Each is described once, by NumPy alone: `fit`, the verbs, the data, a SavedModel and the client ask
the same field what a row of an input is, its shape, dtype and range, and refuse another by it.
"""

import numbers
from collections.abc import Sequence

import numpy as np

from kgen import checks
from kgen.checks import whole_number
from kgen.printable import printable

_MAX_CLASSES = 2**31  # whose numbers int32 holds


class Field:
    """One input: what a row of it is.

    Attributes:
        shape: tuple. A row's shape.
        dtype: str. What a network gets.
        low: number, or array of the row's shape; what is below is refused. None refuses nothing.
        high: the same for what is above.
        scale: what integers are divided by on their way to the network, or None.
    """

    shape: tuple = ()
    dtype = "float32"
    low = high = scale = None
    what = "rows"  # in words
    input_name = "condition"  # of a network or a SavedModel that has it as its condition

    def check(self, array, name=None):
        """Rows as the network takes them.

        Args:
            array: array with the batch first.
            name: str. What the error calls it.

        Returns:
            NumPy array (num, *shape) of `dtype`.

        Raises:
            ValueError: it has another shape, type or range.
        """
        return self._converted(self.require(array, name))

    def require(self, array, name=None):
        """Rows as they came, but for another form of the same, which gets the shape of rows.

        Args:
            array: array with the batch first.
            name: str. What the error calls it.

        Returns:
            NumPy array (num, *shape).

        Raises:
            ValueError: it has another shape, type or range.
        """
        name = name or self.what
        array = self._in_shape(self._as_array(array, name))
        if array.shape[1:] != self.shape or array.ndim != len(self.shape) + 1:
            raise ValueError(
                f"Expected {name} of shape ({', '.join(map(str, ('num', *self.shape)))})."
                f"{self._hint(array, name)} Received: an array of shape {array.shape}"
            )
        if array.size == 0:
            raise ValueError(f"Expected at least one of {name}. Received: shape {array.shape}")
        self._check_values(array, name)
        return array

    def rows(self, value, num, name=None):
        """`check` of as many rows, or of one for all of them.

        Args:
            value: array (num, *shape), or one row.
            num: int.
            name: str. What the error calls it.
        """
        return self._converted(self.require_rows(value, num, name))

    def require_rows(self, value, num, name=None):
        """`require` of as many rows, or of one for all of them."""
        name = name or self.what
        if value is None:
            raise ValueError(f"Expected {name}: {self.describe()}. Received: no {name}.")
        value = self._as_array(value, name)
        if self._in_shape(value).ndim == len(self.shape):
            value = np.broadcast_to(value, (num, *value.shape))
        if value.ndim and len(value) != num:
            raise ValueError(f"Expected {num} {name}, or one for all. Received: {len(value)}")
        return self.require(value, name)

    def describe(self):
        """What it is, in words."""
        return f"{self.dtype} of shape ({', '.join(map(str, ('num', *self.shape)))})"

    def example(self, num=1):
        """Rows that are taken: NumPy array (num, *shape)."""
        zero = np.zeros((num, *self.shape))
        return np.clip(zero, self.low, self.high).astype(self.dtype)

    def takes_as(self, other):
        """Whether it takes the rows that another field takes, whatever both call them."""
        limits = [(field.shape, field.low, field.high) for field in (self, other)]
        return type(self) is type(other) and limits[0] == limits[1]

    def get_config(self):
        """The arguments that make it, by name."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config):
        """The field that `get_config` is of."""
        return cls(**config)

    def __eq__(self, other):
        return type(self) is type(other) and self.get_config() == other.get_config()

    def __hash__(self):
        return hash((type(self).__name__, self.shape))

    def __repr__(self):
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"

    def _as_array(self, array, name):
        """What numbers, names, lists, arrays and tensors hold, as a NumPy array."""
        is_one = isinstance(array, (Sequence, numbers.Number)) and not isinstance(array, tuple)
        if not is_one and not hasattr(array, "__array__"):
            raise ValueError(
                f"Expected {name} as one array or tensor, as take() gives of a split, and labels "
                f"beside it as an argument of their own. Received: {type(array).__name__}"
            )
        try:
            return np.asarray(array)
        except Exception as error:  # of whatever has no values now
            raise ValueError(
                f"Expected {name} as rows of one shape, and outside of tf.function and jax.jit, "
                f"inside of which there are no values. Received: {type(array).__name__}"
            ) from error

    def _in_shape(self, array):
        """The array, or one of the rows' shape if it is another form of the same."""
        return array

    def _hint(self, array, name):
        return ""

    def _check_values(self, array, name):
        """Raises a ValueError for values of another type or out of range."""
        is_integer = np.issubdtype(np.dtype(self.dtype), np.integer)
        if is_integer and array.dtype.kind not in "iu":
            whole = array.dtype.kind == "f" and np.all(array == np.rint(array))
            hint = f" Convert them: {name}.astype({self.dtype!r})." if whole else ""
            raise ValueError(f"Expected {self.describe()}.{hint} Received: {array.dtype} {name}")
        if array.dtype.kind not in "fiub":
            raise ValueError(f"Expected numbers as {name}. Received: {array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array.min() + array.max()):
            raise ValueError(f"Expected finite {name}. Received: NaN or infinity.")
        for limit, is_off in ((self.low, np.less), (self.high, np.greater)):
            if limit is not None and np.any(is_off(array, limit)):
                raise ValueError(
                    f"Expected {name} in {self.low}..{self.high}. Received: {name} in "
                    f"{array.min()}..{array.max()}"
                )
        held = np.iinfo(self.dtype) if is_integer else np.finfo(self.dtype)
        if array.min() < held.min or array.max() > held.max:
            raise ValueError(
                f"Expected {name} that {self.dtype} can hold, in {held.min}..{held.max}. Received: "
                f"{name} in {array.min()}..{array.max()}"
            )

    def _converted(self, array):
        return array.astype(self.dtype)


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
        self.num_classes = whole_number("num_classes", num_classes, at_most=_MAX_CLASSES)
        self.names = _names(names, self.num_classes)
        self.high = self.num_classes - 1

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
        return f" Of one-hot rows, np.argmax({name}, axis=1)." if array.ndim == 2 else ""

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
        self.vocabulary = whole_number("vocabulary", vocabulary, 2, _MAX_CLASSES)
        self.high = self.vocabulary - 1

    def get_config(self):
        return {"length": self.shape[0], "vocabulary": self.vocabulary}


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


class Seed(Field):
    """What an image's random numbers are of: any integer of 64 bits."""

    dtype = "int64"
    what = "seed"

    def get_config(self):
        return {}

    def _as_array(self, array, name):
        array = super()._as_array(array, name)
        return array.view("int64") if array.dtype == "uint64" else array


def as_text(array):
    """Names in an array of any type, bytes and objects among them, as str; other arrays as is.

    Args:
        array: NumPy array.
    """
    if array.dtype.kind not in "SOT" or not all(isinstance(x, (str, bytes)) for x in array.flat):
        return array
    names = [x if isinstance(x, str) else x.decode(errors="backslashreplace") for x in array.flat]
    return np.array(names, str).reshape(array.shape)


def _rescaling(name, low, high):
    """How images of a range are brought to [0, 1]."""
    if -1 <= low < 0 and high <= 1:
        return f"({name} + 1) / 2"
    if low < 0:
        return f"({name} - {name}.min()) / ({name}.max() - {name}.min())"
    most = next(most for most in (255, 1023, 4095, 16383, 65535, high) if high <= most)
    return f"{name} / {most} for the range 0..{most}"


def _names(names, num):
    """Names of so many classes or attributes as a tuple of str; None where there are none."""
    if names is None:
        return None
    found = tuple(map(str, names)) if np.iterable(names) else ()
    if len(found) != num or len(set(found)) < num:
        raise ValueError(f"Expected {num} different names. Received: names={found or names!r}")
    return found


def _plain(numbers):
    return np.asarray(numbers).tolist()
