"""Arguments of another kind than asked, refused in words before anything is built; NumPy alone."""

import math
import numbers
import operator

import numpy as np


def whole_number(name, value, at_least=1, at_most=None, optional=False):
    """An argument that is a whole number, of Python's, NumPy's or a backend's.

    Args:
        name: str. What the error calls it.
        value: what was given.
        at_least: int, or None for any.
        at_most: int, or None for any.
        optional: bool. None is taken too.

    Returns:
        int, or None.

    Raises:
        ValueError: it is of another type, a bool among them, or out of range.

    Example:
    >>> from kgen.checks import whole_number
    >>> whole_number("latent_dim", np.int64(4))
    4
    """
    if optional and value is None:
        return None
    found = _as_int(value)
    if found is None or not _is_within(found, at_least, at_most):
        none = " or None" if optional else ""
        raise ValueError(
            f"Expected {name} as a whole number{_limits(at_least, at_most)}{none}. Received: "
            f"{name}={value!r:.80}"
        )
    return found


def whole_numbers(name, value, what="a tuple", length=None, at_least=1, at_most=None):
    """An argument that is a tuple or another sequence of whole numbers.

    Args:
        name: str. What the error calls it.
        value: what was given.
        what: str. What the error says it is.
        length: int. How many there are, or None for any.
        at_least: int.
        at_most: int, or None for any.

    Returns:
        tuple of int.
    """
    found = tuple(map(_as_int, value)) if np.iterable(value) else (None,)
    fits = all(each is not None and _is_within(each, at_least, at_most) for each in found)
    if not fits or length not in (None, len(found)):
        raise ValueError(
            f"Expected {name} as {what} of whole numbers{_limits(at_least, at_most)} each. "
            f"Received: {name}={value!r:.80}"
        )
    return found


def image_shape(name, value):
    """An argument that is the shape of an image: tuple (height, width, channels) of int."""
    return whole_numbers(name, value, "(height, width, channels)", length=3)


def number(name, value, above=None, at_least=None, optional=False):
    """An argument that is a finite number.

    Args:
        name: str. What the error calls it.
        value: what was given.
        above: float, which it is not itself, or None for any.
        at_least: float, or None for any.
        optional: bool. None is taken too.

    Returns:
        float, or None.
    """
    if optional and value is None:
        return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    is_above = above is None or (is_number and value > above)
    if not (is_number and math.isfinite(value) and is_above and _is_within(value, at_least, None)):
        limit = _limits(at_least, None) if above is None else f" above {above}"
        none = " or None" if optional else ""
        raise ValueError(
            f"Expected {name} as a finite number{limit}{none}. Received: {name}={value!r:.80}"
        )
    return float(value)


def flag(name, value):
    """An argument that is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"Expected {name} as True or False. Received: {name}={value!r:.80}")
    return bool(value)


def choice(name, value, known):
    """An argument that is one of some names."""
    if value not in known:
        raise ValueError(f"Expected {name} in {known}. Received: {name}={value!r:.80}")
    return value


def _as_int(value):
    """The whole number that a value is, None where it is none."""
    if isinstance(value, (bool, np.bool_)):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _is_within(number, at_least, at_most):
    return (at_least is None or number >= at_least) and (at_most is None or number <= at_most)


def _limits(at_least, at_most):
    """What is within, in words."""
    if at_most is not None:
        return f" in {at_least}..{at_most}"
    return "" if at_least is None else f" of at least {at_least}"
