"""One paper a file: who updates what, in which order; and the parts that papers share."""

from kgen.models import adversary, average, games, penalties, scalar

__all__ = ["adversary", "average", "games", "penalties", "scalar"]
