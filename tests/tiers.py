"""Which tier a test is of; the table is in tests/README.md."""

import pytest


def in_tiers(values, *, quick):
    """Parameters of a test: those of `quick`, and the others, which run with --full alone.

    A tuple is of several parameters together.
    """
    return [
        value if value in quick else pytest.param(*_together(value), marks=pytest.mark.full)
        for value in values
    ]


def _together(value):
    return value if isinstance(value, tuple) else (value,)
