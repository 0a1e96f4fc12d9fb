"""What metrics take: arrays of numbers, checked and in float64."""

import numpy as np


def checked(name, value, ndim, at_least=1, low=None, high=None):
    """An array of finite numbers, in float64.

    Args:
        name: str. What an error calls it.
        value: array.
        ndim: int. How many axes it has.
        at_least: int. Rows that it has.
        low: float, or None for any.
        high: float, or None for any.

    Returns:
        float64 array.
    """
    array = _finite(name, value, ndim, at_least).astype("float64")
    is_below, is_above = (
        edge is not None and bool((sign * array > sign * edge).any())
        for edge, sign in ((low, -1), (high, 1))
    )
    if is_below or is_above:
        raise ValueError(
            f"Expected {name} in [{low}, {high}]. Received: {name} in "
            f"[{array.min():.6g}, {array.max():.6g}]"
        )
    return array


def features(name, value, at_least=1):
    """Features (num, d) as they are, of floats."""
    array = _finite(name, value, 2, at_least)
    return array if array.dtype in (np.float32, np.float64) else array.astype("float64")


def _finite(name, value, ndim, at_least):
    array = np.asarray(value)
    if array.ndim != ndim or array.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected {name} as numbers along {ndim} axes. Received: {name} of shape "
            f"{array.shape} and {array.dtype}"
        )
    if len(array) < at_least:
        raise ValueError(
            f"Expected {name} of at least {at_least}, with which the metric is defined. Received: "
            f"{len(array)}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"Expected {name} to be finite. Received: NaN or infinity among them")
    return array


PAIRS = 2**22  # of whose rows the distances are held at once, 32 MiB


def alike(fake, real, at_least=1):
    """Features of fakes and of real images, (num, d) each and of one d, of the precision they have.

    What computes with them does so in float64, of as many rows as it needs at a time.
    """
    fake, real = (features(*each, at_least) for each in (("fake", fake), ("real", real)))
    if fake.shape[1] != real.shape[1]:
        raise ValueError(
            "Expected features of one length. Received: fake with "
            f"{fake.shape[1]} and real with {real.shape[1]}"
        )
    return fake, real


def squared_distances(a, b, of_a, of_b):
    """||a - b||^2 of each row of `a` to each of `b`; exactly 0 of equal rows.

    Args:
        a: array (num, d).
        b: array (any num, d).
        of_a: int array (num,), what `row_ids` gives of it.
        of_b: the same of b.
    """
    a, b = (x.astype("float64", copy=False) for x in (a, b))
    squares = -2.0 * a @ b.T
    squares += np.square(a).sum(axis=1)[:, None]
    squares += np.square(b).sum(axis=1)
    np.maximum(squares, 0.0, out=squares)
    order = np.argsort(of_b, kind="stable")
    first, last = (np.searchsorted(of_b[order], of_a, side) for side in ("left", "right"))
    for row in np.flatnonzero(last > first):
        squares[row, order[first[row] : last[row]]] = 0.0
    return squares


def row_ids(*arrays):
    """Of each array (num, d) an int array (num,): the same number of equal rows, also of others."""
    rows = np.ascontiguousarray(np.concatenate(arrays) + 0.0)  # of which -0 and 0 are the same
    whole = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, ids = np.unique(whole, return_inverse=True)
    return np.split(ids, np.cumsum([len(each) for each in arrays])[:-1])


def blocks_of_pairs(num, others):
    """Slices that divide `num` rows, so that a block's pairs with `others` rows can be held."""
    return blocks(num, max(1, PAIRS // others))


def blocks(num, size):
    """Slices that divide `num` rows into blocks of `size`."""
    return [slice(start, start + size) for start in range(0, num, size)]
