"""What of a function's arguments can be set on a command line."""

import inspect
import re
import types
import typing

PLAIN_TYPES = (int, float, bool, str, tuple, tuple[int, ...])


def plain_arguments(function) -> dict:
    """Of a function's arguments that have a plain type and a default, (type, default) by name.

    What has no annotation is not for a command line. The type is a union with None where that is
    another value than the default.
    """
    found = {}
    hints = typing.get_type_hints(function)
    for name, parameter in inspect.signature(function).parameters.items():
        kind = hints.get(name)
        default = parameter.default
        plain = kind
        if isinstance(kind, types.UnionType):
            plain = next(t for t in typing.get_args(kind) if t is not type(None))
        if default is not parameter.empty and plain in PLAIN_TYPES:
            found[name] = plain if default is None else kind, default
    return found


def description(name: str, doc: str | None) -> str:
    """What a docstring says of an argument, in one line; empty where it says nothing."""
    text = re.search(rf"^ +{name}: (.*?)(?=^ +[*\w]+: |^ *$)", doc or "", re.M | re.S)
    return " ".join(text[1].split()) if text else ""
