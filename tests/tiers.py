"""Which tier a test is of; the table is in tests/README.md."""

import pytest


def in_tiers(values, *, quick):
    """Parameters of a test: those of `quick`, and the others, which run with --full alone."""
    return [
        value if value in quick else pytest.param(value, marks=pytest.mark.full) for value in values
    ]
