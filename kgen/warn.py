"""Warnings that name the line of the user's code, however deep inside kgen they come from."""

import sys
import warnings


def warn(message):
    """A UserWarning of the innermost caller outside kgen.

    Args:
        message: str.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back and frame.f_globals["__name__"].startswith("kgen."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)
