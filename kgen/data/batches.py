"""What `fit` and `evaluate` read: shuffled training batches, and test batches in a fixed order."""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np

from kgen.backend import OrderedBatches, Position
from kgen.checks import whole_number
from kgen.data.imports import require_tensorflow
from kgen.data.splits import Batch, IndexedSplit, StreamedSplit, UnpairedSplit

Split = IndexedSplit | StreamedSplit | UnpairedSplit


class SplitBatches(OrderedBatches):
    """Batches of a split, and other forms of it.

    Args:
        split: the images.
        batch_size: int. At least 1.
    """

    def __init__(self, split: Split, batch_size: int):
        super().__init__()
        self._split = split
        self._batch_size = batch_size

    @property
    def settings(self) -> dict:
        """What the order of the images depends on."""
        return {"images": self._split.num_images, "batch_size": self._batch_size}

    def in_order(self) -> Iterator[Batch]:
        """All images once, in the order of the source: neither shuffled nor augmented."""
        num_batches = math.ceil(self._split.size / self._batch_size)
        return (self._split.batch(i, self._batch_size, None) for i in range(num_batches))

    def take(self, num: int | None = None) -> Batch:
        """The first `num` images of `in_order`, all by default, and what comes with them.

        Returns:
            `(images,)`, `(images, labels)` or the like, NumPy arrays.
        """
        num = self._split.size if num is None else whole_number("num", num)
        batches = itertools.islice(self.in_order(), math.ceil(num / self._batch_size))
        return tuple(np.concatenate(parts)[:num] for parts in zip(*batches, strict=True))

    def tf_data(self):
        """The batches as a `tf.data.Dataset`, for what takes nothing else; it needs TensorFlow.

        Its first pass is the epoch of `position`, and each pass the epoch after the one before.
        """
        tf = require_tensorflow("`tf_data`")
        epochs = itertools.count(self.position.epoch)
        specs = tuple(tf.TensorSpec((None, *rows.shape[1:]), rows.dtype) for rows in self[0])
        batches = tf.data.Dataset.from_generator(
            lambda: self.epoch(next(epochs)), output_signature=specs
        )
        return batches.apply(tf.data.experimental.assert_cardinality(len(self)))


class TrainBatches(SplitBatches):
    """Training batches in an order that depends on (seed, epoch) and on nothing else.

    The last, short batch is dropped, unless the whole split is smaller than one batch: then there
    is one batch of everything.

    Args:
        split: the images.
        batch_size: int. At least 1.
        seed: int. At least 0.
        augment: callable from a batch and an integer seed to a batch of the same shapes and dtypes,
            or None.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        seed: int,
        augment: Callable[[Batch, int], Batch] | None = None,
    ):
        super().__init__(split, min(batch_size, split.size))
        self._seed = seed
        self._augment = augment

    @property
    def settings(self) -> dict:
        """What the order of the images depends on."""
        return super().settings | {"seed": self._seed, "augmented": self._augment is not None}

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._split.size // self._batch_size

    def read(self, position: Position) -> Batch:
        """The batch at a position."""
        epoch, number = position.epoch, position.batch
        _check_index(self, number)
        batch = self._split.batch(number, self._batch_size, (self._seed, epoch))
        if self._augment is None:
            return batch
        words = np.random.SeedSequence((self._seed, epoch, number)).generate_state(1)
        return self._augment(batch, int(words[0]))


class TestBatches(SplitBatches):
    """Test batches in a fixed order; the last one may be short, so that metrics are exact."""

    __test__ = False  # Not a test class, whatever pytest makes of the name.

    def __len__(self) -> int:
        """Number of batches."""
        return math.ceil(self._split.size / self._batch_size)

    def read(self, position: Position) -> Batch:
        """The batch at a position, which is the same in every epoch."""
        _check_index(self, position.batch)
        return self._split.batch(position.batch, self._batch_size, None)


def _check_index(batches, index):
    if index >= len(batches):
        raise IndexError(f"Expected a batch below {len(batches)}. Received: index={index}")
