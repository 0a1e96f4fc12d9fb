"""What a signature of a served model takes."""

from typing import NamedTuple

from numpy.typing import ArrayLike


class Input(NamedTuple):
    """One input of a signature. A request has a row of it for each image.

    Attributes:
        shape: tuple. A row's shape.
        dtype: str. Defaults to "float32".
        low: number, or array of the row's shape. What is below it is refused, and NaN.
        high: the same for what is above it. None refuses nothing.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    low: ArrayLike | None = None
    high: ArrayLike | None = None


SEED = Input((), "int64")
