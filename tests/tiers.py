"""Which tier a test is of; the table is in tests/README.md."""

import pytest


def in_tiers(values, *, quick, on_each=None):
    """Parameters of a test: those of `quick`, and the others, which run with --full alone.

    A tuple is of several parameters together.

    Args:
        values: list of parameters.
        quick: those that the quick tier has too.
        on_each: those that run on each backend, the others on PyTorch alone. Defaults to all.
    """
    return [value if value in quick else _later(value, on_each) for value in values]


def _later(value, on_each):
    is_on_each = on_each is None or value in on_each
    mark = pytest.mark.full if is_on_each else pytest.mark.full_on_one
    return pytest.param(*_together(value), marks=mark)


def _together(value):
    return value if isinstance(value, tuple) else (value,)
