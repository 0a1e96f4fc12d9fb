"""One input of a model: what a row of it is."""

import numbers
from collections.abc import Sequence

import numpy as np

MAX_NUMBERS = 2**31
"""So many numbers from 0 on does int32 hold."""


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
            kind = array.dtype.kind
            whole = kind == "b" or (kind == "f" and np.all(array == np.rint(array)))
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
