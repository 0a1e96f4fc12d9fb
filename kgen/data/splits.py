"""What a source gives: a training and a test split, each read batch by batch in a seeded order."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kgen.data.names import few
from kgen.fields import Field, Image
from kgen.printable import printable
from kgen.warn import warn

MEMORY_LIMIT = 2**30
"""A set whose decoded images take more bytes than this is streamed, not held in memory."""

TRAINS = ("train", "training")
TESTS = ("test", "testing", "val", "valid", "validation")
"""What the splits of a set may be called, in any case; of several tests the first is used."""

Batch = tuple[np.ndarray, ...]
Order = tuple[int, ...] | None
"""(seed, epoch) of a shuffled pass, or None for the fixed order."""


class IndexedSplit:
    """A split whose images are read by their numbers, in memory or from files.

    Args:
        take: from numbers (n,) to `(images,)` or `(images, labels)`, in that order.
        indices: integers (size,), the numbers of the images that belong to this split.
    """

    def __init__(self, take: Callable[[np.ndarray], Batch], indices: np.ndarray):
        self.size = self.num_images = len(indices)
        self._take = take
        self._indices = indices
        self._shuffled: tuple[Order, np.ndarray] = (None, indices)

    def batch(self, position: int, batch_size: int, order: Order) -> Batch:
        """Batch number `position` of the pass `order`; the last one may be short."""
        indices = self._in_order(order)
        return self._take(indices[position * batch_size : (position + 1) * batch_size])

    def rows(self, start: int, end: int, order: Order) -> Batch:
        """Images by their place in a row of passes; each is shuffled by `order` and its number."""
        numbers = np.arange(start, end)
        indices = np.empty(len(numbers), self._indices.dtype)
        for turn in range(start // self.size, (end - 1) // self.size + 1):
            of_turn = numbers // self.size == turn
            passed = self._in_order(order and (*order, turn))
            indices[of_turn] = passed[numbers[of_turn] - turn * self.size]
        return self._take(indices)

    def _in_order(self, order):
        shuffled_for, indices = self._shuffled
        if shuffled_for != order:
            indices = self._indices
            if order is not None:
                indices = indices[np.random.default_rng(order).permutation(self.size)]
            self._shuffled = (order, indices)
        return indices


class StreamedSplit:
    """A split that can only be read from its start onwards.

    Reading batches 0, 1, 2, ... is one pass; going back starts the pass again from batch 0.

    Args:
        start: from (batch_size, order) to an iterable over the batches of one pass.
        size: int. The number of images.
    """

    def __init__(self, start: Callable[[int, Order], Iterable[Batch]], size: int):
        self.size = self.num_images = size
        self._start = start
        self._pass: tuple[int, Order] | None = None
        self._batches: Iterator[Batch] = iter(())
        self._last: tuple[int, Batch | None] = (-1, None)
        self._lock = threading.Lock()

    def batch(self, position: int, batch_size: int, order: Order) -> Batch:
        """Batch number `position` of the pass `order`; the last one may be short."""
        with self._lock:
            if self._pass != (batch_size, order) or position < self._last[0]:
                self._pass = (batch_size, order)
                self._batches = iter(self._start(batch_size, order))
                self._last = (-1, None)
            while self._last[0] < position:
                self._last = (self._last[0] + 1, next(self._batches))
            return self._last[1]


class UnpairedSplit:
    """Two sets of images, each in an order of its own; the smaller one comes round again.

    Args:
        splits: two `IndexedSplit` of images alone.
    """

    def __init__(self, splits: tuple[IndexedSplit, IndexedSplit]):
        self.num_images = [split.size for split in splits]
        self.size = max(self.num_images)
        self._splits = splits

    def batch(self, position: int, batch_size: int, order: Order) -> Batch:
        """Batch number `position` of the pass `order`; the last one may be short."""
        start, end = position * batch_size, min((position + 1) * batch_size, self.size)
        return tuple(
            split.rows(start, end, order and (*order, number))[0]
            for number, split in enumerate(self._splits)
        )


@dataclass(frozen=True)
class Source:
    """A set of images before it is cut into batches."""

    name: str
    image_shape: tuple[int, int, int]
    train: IndexedSplit | StreamedSplit | UnpairedSplit
    test: IndexedSplit | StreamedSplit | UnpairedSplit
    condition: Field | None = None
    domains: tuple[Image, Image] | None = None
    license: str | None = None


def in_memory(images: np.ndarray, condition: np.ndarray | None) -> Callable[[np.ndarray], Batch]:
    """The function that takes images, and what they are conditioned on, by number from arrays."""

    def take(indices):
        if condition is None:
            return (images[indices],)
        return images[indices], condition[indices]

    return take


def split_names(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Of some names those of a training split, and those of a test split, the preferred first."""
    names = list(names)
    trains = [name for name in names if name.lower() in TRAINS]
    tests = [name for name in names if name.lower() in TESTS]
    return trains, sorted(tests, key=lambda name: TESTS.index(name.lower()))


def warn_of_unused(source, unused: Sequence[str], used: Sequence[str]):
    """Warns of what a source has beside the splits that are used."""
    if unused:
        verb = "is" if len(used) == 1 else "are"
        used = " and ".join(map(printable, used))
        warn(f"Of {printable(source)} {used} {verb} used, and not {few(unused)}.")


def num_held_out(num_images: int, what: str) -> int:
    """How many images are held out for the test: a tenth of them, at least one."""
    if num_images < 2:
        raise ValueError(
            f"Expected at least 2 images in {printable(what)}, because one in ten (at least one) "
            f"is held out as the test split. Received: num_images={num_images}"
        )
    return max(1, num_images // 10)


def hold_out(num_images: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """The numbers 0 .. num_images - 1 for training and for the test, the same ones every time."""
    num_test = num_held_out(num_images, what)
    # Not the user's seed: an image of the test split stays one in every run.
    permutation = np.random.default_rng(0).permutation(num_images)
    return np.sort(permutation[num_test:]), np.sort(permutation[:num_test])


def unpaired(name: str, first: Source, second: Source) -> Source:
    """Two sources as one of two domains, without the labels that either has."""
    for source in (first, second):
        if not isinstance(source.train, IndexedSplit):
            raise ValueError(
                "Expected two sets of which each is in folders, in arrays, or fits in memory "
                f"({MEMORY_LIMIT} bytes). Received: {printable(source.name)}, which is streamed"
            )
    return Source(
        name,
        first.image_shape,
        UnpairedSplit((first.train, second.train)),
        UnpairedSplit((first.test, second.test)),
        domains=(Image(first.image_shape), Image(second.image_shape)),
        license=_both(first.license, second.license),
    )


def _both(*licenses):
    return "; ".join(dict.fromkeys(filter(None, licenses))) or None
