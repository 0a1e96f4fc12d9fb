"""What metrics take: arrays of numbers, checked and in float64."""

import numpy as np

_LARGEST = 1e40  # whose sixth power, in a kernel distance, is a float64 still


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
        limits = f"of at least {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(
            f"Expected {name} {limits}. Received: {name} in [{array.min()}, {array.max()}]"
        )
    return array


def features(name, value, at_least=1):
    """Features (num, d) as they are, of floats."""
    array = as_floats(_finite(name, value, 2, at_least))
    largest = float(max(array.max(), -array.min()))
    if largest > _LARGEST:
        raise ValueError(
            f"Expected {name} within {_LARGEST:g} of 0, as their powers are taken. Received: "
            f"{largest:g} among them"
        )
    return array


def as_floats(array):
    """An array of float32 or float64 as it is, another in float64."""
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
    if 0 in array.shape[1:]:
        raise ValueError(f"Expected {name} with numbers. Received: {name} of shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"Expected {name} to be finite. Received: NaN or infinity among them")
    return array


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


def blocks(num, size):
    """Slices that divide `num` rows into blocks of `size`."""
    return [slice(start, start + size) for start in range(0, num, size)]
