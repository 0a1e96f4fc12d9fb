"""What a source gives: a training and a test split, each read batch by batch in a seeded order."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

MEMORY_LIMIT = 2**30
"""A set whose decoded images take more bytes than this is streamed, not held in memory."""

Batch = tuple[np.ndarray, ...]
Order = tuple[int, int] | None
"""(seed, epoch) of a shuffled pass, or None for the fixed order."""


class IndexedSplit:
    """A split whose images are read by their numbers, in memory or from files.

    Args:
        take: from numbers (n,) to `(images,)` or `(images, labels)`, in that order.
        indices: integers (size,), the numbers of the images that belong to this split.
    """

    def __init__(self, take: Callable[[np.ndarray], Batch], indices: np.ndarray):
        self.size = len(indices)
        self._take = take
        self._indices = indices
        self._shuffled: tuple[Order, np.ndarray] = (None, indices)

    def batch(self, position: int, batch_size: int, order: Order) -> Batch:
        """Read batch number `position` of the pass `order`; the last one may be short."""
        shuffled_for, indices = self._shuffled
        if shuffled_for != order:
            indices = self._indices
            if order is not None:
                indices = indices[np.random.default_rng(order).permutation(self.size)]
            self._shuffled = (order, indices)
        return self._take(indices[position * batch_size : (position + 1) * batch_size])


class StreamedSplit:
    """A split that can only be read from its start onwards.

    Reading batches 0, 1, 2, ... is one pass; going back starts the pass again from batch 0.

    Args:
        start: from (batch_size, order) to an iterable over the batches of one pass.
        size: int. The number of images.
    """

    def __init__(self, start: Callable[[int, Order], Iterable[Batch]], size: int):
        self.size = size
        self._start = start
        self._pass: tuple[int, Order] | None = None
        self._batches: Iterator[Batch] = iter(())
        self._last: tuple[int, Batch | None] = (-1, None)
        self._lock = threading.Lock()

    def batch(self, position: int, batch_size: int, order: Order) -> Batch:
        """Read batch number `position` of the pass `order`; the last one may be short."""
        with self._lock:
            if self._pass != (batch_size, order) or position < self._last[0]:
                self._pass = (batch_size, order)
                self._batches = iter(self._start(batch_size, order))
                self._last = (-1, None)
            while self._last[0] < position:
                self._last = (self._last[0] + 1, next(self._batches))
            return self._last[1]


@dataclass(frozen=True)
class Source:
    """A set of images before it is cut into batches."""

    name: str
    image_shape: tuple[int, int, int]
    train: IndexedSplit | StreamedSplit
    test: IndexedSplit | StreamedSplit
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None
    license: str | None = None


def in_memory(images: np.ndarray, labels: np.ndarray | None) -> Callable[[np.ndarray], Batch]:
    """Give the function that takes images (and labels) by number from arrays."""

    def take(indices):
        if labels is None:
            return (images[indices],)
        return images[indices], labels[indices]

    return take


def num_held_out(num_images: int, what: str) -> int:
    """Say how many images are held out for the test: a tenth of them, at least one."""
    if num_images < 2:
        raise ValueError(
            f"Expected at least 2 images in {what}, because one in ten (at least one) is held out "
            f"as the test split. Received: num_images={num_images}"
        )
    return max(1, num_images // 10)


def hold_out(num_images: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Split the numbers 0 .. num_images - 1 into training and test, the same way every time."""
    num_test = num_held_out(num_images, what)
    # Not the user's seed: an image of the test split stays one in every run.
    permutation = np.random.default_rng(0).permutation(num_images)
    return np.sort(permutation[num_test:]), np.sort(permutation[:num_test])
