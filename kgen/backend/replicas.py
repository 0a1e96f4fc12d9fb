"""What several replicas need on more than one backend."""

import contextlib
import os
import re
from concurrent.futures import ThreadPoolExecutor

import keras
from keras import ops

from kgen.warn import warn

_STRIDE = 0x3C6EF372  # the seeds of replicas are as far apart as no user's are


def draw_apart(generators, replica):
    """Lets seed generators give each replica other seeds, and the first one their own.

    Args:
        generators: list of keras.random.SeedGenerator.
        replica: callable that gives the number of the replica, an int or a scalar tensor.
    """

    def next_of(generator):
        draw = generator.next

        def next_seed(ordered=True):
            seed = draw(ordered)
            shift = ops.cast(replica(), seed.dtype) * _STRIDE
            return seed + ops.stack([shift, ops.zeros_like(shift)])

        return next_seed

    for generator in generators:
        if "next" not in vars(generator):
            generator.next = next_of(generator)


def pooled(means, variances):
    """The mean and variance of all rows, from those of the replicas: (replicas, channels) each."""
    mean = ops.mean(means, axis=0)
    return mean, ops.mean(variances + ops.square(means - mean), axis=0)


def let_threads_finish():
    """From now on no thread of this process that wakes up stops one that is running.

    On one core the thread that reads a message would stop the one that sends, which holds the lock
    of their connection, and try it for as long as the system lets it: some milliseconds a message.
    """
    if not hasattr(os, "sched_setscheduler"):
        return
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):  # it has ended, or the system says no
            os.sched_setscheduler(int(thread), os.SCHED_BATCH, os.sched_param(0))


def in_a_thread(function, *args, **kwargs):
    """Calls a function where no strategy is set, as strategies are of a thread."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function, *args, **kwargs).result()


class PartOfBatches(keras.utils.PyDataset):
    """Of each batch the rows that one of several processes trains on.

    Args:
        reading: Reading.
        index: int. The number of the process.
        count: int. The number of processes.
        divisor: int. What a batch has to divide by; the rows that are too many are left out.
    """

    def __init__(self, reading, index, count, divisor=1):
        super().__init__()
        self._reading, self._index, self._count = reading, index, count
        self._divisor = divisor
        self._has_told = False

    def __len__(self):
        return len(self._reading)

    @property
    def num_batches(self):
        return self._reading.num_batches

    def __getitem__(self, index):
        batch = self._reading[index]
        left_out = len(batch[0]) % self._divisor
        if left_out and not self._has_told:
            self._has_told = True
            warn(
                f"The last {left_out} of a batch of {len(batch[0])} images are left out, as it "
                f"does not divide by the {self._divisor} replicas."
            )
        num = len(batch[0]) - left_out
        start, end = (num * i // self._count for i in (self._index, self._index + 1))
        return tuple(part[start:end] for part in batch)


@contextlib.contextmanager
def telling_of_lost_processes(kind, pattern):
    """Says what to do when another process stops.

    Args:
        kind: the class of the backend's errors.
        pattern: str. A regular expression of those that mean it.

    Raises:
        ConnectionError: the backend raised such an error.
    """
    try:
        yield
    except kind as error:
        if not re.search(pattern, str(error)):
            raise
        raise ConnectionError(
            "Another process stopped or cannot be reached. Start all of them again with the same "
            f"commands: training goes on from the last backup. The backend: {error}"
        ) from error
