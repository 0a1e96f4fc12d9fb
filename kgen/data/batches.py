"""The two `keras.utils.PyDataset`s that `fit` reads: shuffled training batches, test batches."""

import math
import operator
import threading
from collections.abc import Callable, Iterator

import keras
import numpy as np

from kgen.data.splits import Batch, IndexedSplit, StreamedSplit


class TrainBatches(keras.utils.PyDataset):
    """Training batches in an order that depends on (seed, epoch) and on nothing else.

    `fit` asks for the batches of an epoch by number, and by default in an order of its own that
    no seed of ours controls. So a number is only a name here: the one that is asked for first in
    an epoch is given the first batch of that epoch, and so on; asked for again, it is given the
    same batch again. Every image still comes once, and the order is the same with `shuffle=True`
    and `shuffle=False`, in a fresh run and in a resumed one.

    The last, short batch is dropped, unless the whole split is smaller than one batch: then there
    is one batch of everything. Iterating by hand (`for batch in train`) reads the epoch `epoch`
    and does not advance it; `fit` does, and so does `evaluate`. `resume` makes the next pass start
    in the middle of its epoch. With `steps_per_epoch` each of Keras' epochs is the start of an
    epoch here; TensorFlow then reads ahead, and the order is no longer certain.

    Args:
        split: the images.
        batch_size: int. At least 1.
        seed: int. At least 0.
        augment: from images and an integer seed to images of the same shape and dtype, or None.
    """

    reads_in_order = True

    def __init__(
        self,
        split: IndexedSplit | StreamedSplit,
        batch_size: int,
        seed: int,
        augment: Callable[[np.ndarray, int], np.ndarray] | None = None,
    ):
        super().__init__()
        self._split = split
        self._batch_size = min(batch_size, split.size)
        self._seed = seed
        self._augment = augment
        self._lock = threading.Lock()
        self._is_trial = False
        self.epoch = 0

    @property
    def settings(self) -> dict:
        """What the order of the images depends on."""
        return {
            "images": self._split.size,
            "batch_size": self._batch_size,
            "seed": self._seed,
            "augmented": self._augment is not None,
        }

    @property
    def epoch(self) -> int:
        """The number of the next epoch to be read. Set it to resume there."""
        return self._next_epoch

    @epoch.setter
    def epoch(self, epoch: int):
        epoch = operator.index(epoch)
        if epoch < 0:
            raise ValueError(f"`epoch` must be at least 0. Received: epoch={epoch}")
        self.resume(epoch)

    def resume(self, epoch: int, batch: int = 0):
        """Let the next pass of `fit` start at a batch of an epoch, both counted from 0."""
        if not 0 <= batch < len(self):
            raise ValueError(f"There are {len(self)} batches. Received: batch={batch}")
        self._next_epoch = epoch
        self._skipped_next = batch
        self._start(epoch)

    def _start(self, epoch, skipped=0):
        with self._lock:
            self._reading = epoch
            self._skipped = skipped
            self._positions = {}

    @property
    def workers(self) -> int:
        """The number of Keras' workers: one, because they would read ahead of the epoch."""
        # Keras asks when `fit` wraps the data. What it begins to read from then on until its first
        # `on_epoch_end` is no epoch: it takes a batch to build the loss and the model with.
        self._is_trial = True
        return 1

    def on_epoch_begin(self):
        """Start to read the next epoch."""
        if self._is_trial:
            self._start(self._next_epoch)
        else:
            self._start(self._next_epoch, self._skipped_next)
            self._next_epoch += 1
            self._skipped_next = 0

    def on_epoch_end(self):
        """Forget which batches were read, so that indexing shows the next epoch."""
        self._is_trial = False
        self._start(self._next_epoch)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._split.size // self._batch_size

    @property
    def num_batches(self) -> int:
        """Number of batches in the pass that is being read: what `resume` left of its epoch."""
        return len(self) - self._skipped

    def __getitem__(self, index: int) -> Batch:
        """Read the batch that goes by `index` in this epoch."""
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        with self._lock:
            epoch = self._reading
            position = self._positions.setdefault(index, self._skipped + len(self._positions))
        return self._read(epoch, position)

    def __iter__(self) -> Iterator[Batch]:
        """Read one epoch in order, without advancing `epoch`."""
        epoch = self._next_epoch
        for position in range(len(self)):
            yield self._read(epoch, position)

    def _read(self, epoch, position):
        batch = self._split.batch(position, self._batch_size, (self._seed, epoch))
        if self._augment is None:
            return batch
        words = np.random.SeedSequence((self._seed, epoch, position)).generate_state(1)
        return self._augment(batch[0], int(words[0])), *batch[1:]


class TestBatches(keras.utils.PyDataset):
    """Test batches in a fixed order; the last one may be short, so that metrics are exact.

    Args:
        split: the images.
        batch_size: int. At least 1.
    """

    __test__ = False  # Not a test class, whatever pytest makes of the name.
    reads_in_order = True

    def __init__(self, split: IndexedSplit | StreamedSplit, batch_size: int):
        super().__init__()
        self._split = split
        self._batch_size = batch_size

    def __len__(self) -> int:
        """Number of batches."""
        return math.ceil(self._split.size / self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        """Read batch number `index`."""
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        return self._split.batch(index, self._batch_size, None)

    def take(self, num: int | None = None) -> Batch:
        """The first `num` images, all by default, and their labels where there are any.

        Returns:
            `(images,)` or `(images, labels)`, NumPy arrays.
        """
        num = self._split.size if num is None else num
        batches = (self[i] for i in range(min(len(self), math.ceil(num / self._batch_size))))
        return tuple(np.concatenate(parts)[:num] for parts in zip(*batches, strict=True))
