"""Batches whose order is known: which one is read where is a function of the position alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np

from kgen.checks import whole_number


@dataclass(frozen=True, order=True)
class Position:
    """A place in a training: so many epochs and then so many batches are behind it.

    Args:
        epoch: int of at least 0.
        batch: int of at least 0.
    """

    epoch: int = 0
    batch: int = 0

    def __post_init__(self):
        for name in ("epoch", "batch"):
            whole_number(name, getattr(self, name), at_least=0)


class OrderedBatches(keras.utils.PyDataset):
    """Batches of which each is a function of its position.

    A subclass says `__len__`, the number of batches in an epoch, and `read`. Indexing and iterating
    show the epoch of `position`. The `fit` of a kgen model reads by position, and so exactly, in
    whichever order Keras asks and however far it reads ahead; afterwards `position` is behind what
    it read. Each epoch of any other model's `fit` is another one of the data too: the next after a
    look at the first batch that Keras takes to build a loss with, and in order with
    `shuffle=False`.

    Attributes:
        position: Position. Where the next `fit` begins.
    """

    def __init__(self):
        super().__init__()
        self.position = Position()
        self._in_epoch = False

    def read(self, position: Position) -> tuple[np.ndarray, ...]:
        """The batch at a position."""
        raise NotImplementedError

    @property
    def settings(self) -> dict:
        """What the order depends on, for a training that is gone on with."""
        raise NotImplementedError

    def epoch(self, number: int) -> Iterator[tuple[np.ndarray, ...]]:
        """The batches of an epoch, in order."""
        return (self.read(Position(number, batch)) for batch in range(len(self)))

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return self.read(Position(self.position.epoch, index))

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        return self.epoch(self.position.epoch)

    def on_epoch_begin(self):
        """Called by the `fit` of other models than kgen's."""
        self._in_epoch = True

    def on_epoch_end(self):
        """Called by the `fit` of other models than kgen's, also before the first epoch."""
        if self._in_epoch:
            self.position = Position(self.position.epoch + 1)
        self._in_epoch = False


class OrderedArrays(OrderedBatches):
    """Arrays in batches, the last of which may be short.

    Args:
        arrays: nest of NumPy arrays with the same number of rows.
        batch_size: int.
        seed: int or None. Seeds the order of each epoch; None keeps that of the rows.
    """

    def __init__(self, arrays, batch_size: int, seed: int | None):
        super().__init__()
        self._arrays, self._batch_size, self._seed = arrays, batch_size, seed
        self._num = len(keras.tree.flatten(arrays)[0])
        self._order = None, np.arange(self._num)  # of an epoch

    @property
    def settings(self) -> dict:
        return {"images": self._num, "batch_size": self._batch_size, "seed": self._seed}

    def __len__(self) -> int:
        return -(-self._num // self._batch_size)

    def read(self, position: Position) -> tuple[np.ndarray, ...]:
        if position.batch >= len(self):
            raise IndexError(f"Expected a batch below {len(self)}. Received: {position.batch}")
        epoch, rows = self._order
        if self._seed is not None and epoch != position.epoch:
            rows = np.random.default_rng((self._seed, position.epoch)).permutation(self._num)
            self._order = position.epoch, rows
        start = position.batch * self._batch_size
        chosen = rows[start : start + self._batch_size]
        return keras.tree.map_structure(lambda array: array[chosen], self._arrays)


class Reading(keras.utils.PyDataset):
    """What one `fit` or `evaluate` reads of ordered batches, by positions of its own.

    An epoch of `fit` has as many batches as one of the data, or `steps_per_epoch`; then the epochs
    of the data follow each other without regard to those of `fit`.

    Args:
        data: OrderedBatches.
        steps_per_epoch: int or None.
        initial_epoch: int. The first epoch of `fit`. Where the data's `position` is further, what
            is before it counts as read.

    Attributes:
        position: Position. Where the pass that is read now began; `follower` moves it.
        ahead: int. How many batches more were read of the data than `fit` counts.
    """

    def __init__(self, data: OrderedBatches, steps_per_epoch=None, initial_epoch=0):
        super().__init__()
        self.data = data
        self._length = steps_per_epoch or len(data)
        behind = data.position.epoch * len(data) + data.position.batch
        self.ahead = max(0, behind - initial_epoch * self._length)
        self.position = self._start = Position(initial_epoch)

    @property
    def settings(self) -> dict:
        """What must be the same for a training to go on."""
        return self.data.settings | {"steps_per_epoch": self._length}

    def start(self, position: Position, ahead: int):
        """Lets `fit` begin at a position, in the middle of an epoch as well."""
        self._start, self.ahead = position, ahead

    def begin(self, epoch: int):
        """Lets the next pass be that of an epoch, or what is left of it."""
        self.position = max(self._start, Position(epoch))
        self.data.position = self.place(Position(epoch + 1))

    def place(self, position: Position) -> Position:
        """Where in the data a position of `fit` is."""
        count = self.ahead + position.epoch * self._length + position.batch
        return Position(*divmod(count, len(self.data)))

    def follower(self) -> keras.callbacks.Callback:
        """The callback that tells this of each epoch before Keras reads from it."""
        return keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: self.begin(epoch))

    def __len__(self) -> int:
        return self._length

    @property
    def num_batches(self) -> int:
        """Number of batches in the pass that is read now."""
        return self._length - self.position.batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        start = self.position
        return self.data.read(self.place(Position(start.epoch, start.batch + index)))

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        start = self.position  # as it is now, however late the last batch is read
        for batch in range(start.batch, self._length):
            yield self.data.read(self.place(Position(start.epoch, batch)))
