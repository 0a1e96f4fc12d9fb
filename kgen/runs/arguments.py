"""What of a function's arguments can be set on a command line."""

import inspect
import re
import types
import typing

PLAIN_TYPES = (int, float, bool, str, tuple, tuple[int, ...])


def plain_arguments(function) -> dict:
    """Of a function's arguments that have a plain type and a default, (type, default) by name.

    What has no annotation is not for a command line.
    """
    found = {}
    hints = typing.get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints.get(name)
        if isinstance(kind, types.UnionType):
            kind = next(t for t in typing.get_args(kind) if t is not type(None))
        if parameter.default is not parameter.empty and kind in PLAIN_TYPES:
            found[name] = kind, parameter.default
    return found


def description(name: str, doc: str | None) -> str:
    """What a docstring says of an argument, in one line; empty where it says nothing."""
    text = re.search(rf"^ +{name}: (.*?)(?=^ +[*\w]+: |^ *$)", doc or "", re.M | re.S)
    return " ".join(text[1].split()) if text else ""
