"""Names and reasons from outside, as a message has them."""

from collections.abc import Iterable

from kgen.printable import printable


def few(names: Iterable, limit: int = 10) -> str:
    """The first names of many, printable, and how many more there are."""
    names = list(names)
    shown = [printable(name) for name in names[:limit]]
    if len(names) > limit:
        shown.append(f"and {len(names) - limit:,} more")
    return ", ".join(shown)


def with_reasons(broken: dict) -> str:
    """The first files of many, each with why it cannot be read."""
    return few(f"{printable(path, 200)} ({reason})" for path, reason in broken.items())


def reason_of(error: Exception) -> str:
    """What an exception says, or its kind if it says nothing."""
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    return printable(error, 180) or type(error).__name__
