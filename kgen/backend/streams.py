"""Streams of batches that a user brings, each batch looked at when it is read."""

import copy
import itertools
import sys

import keras
import numpy as np


class Look:
    """What is done with each batch of a stream, and the error that ended a pass over it.

    tf.data passes an error on as one of its own, with the lines of its inside.

    Args:
        function: callable from a batch of NumPy arrays to the tuple of those that a step gets;
            what it raises ends the pass.
    """

    def __init__(self, function):
        self._function = function
        self.error = None

    def __call__(self, batch):
        try:
            return self._function(keras.tree.map_structure(to_numpy, batch))
        except ValueError as error:
            self.error = error
            raise


def first_batch(stream):
    """The first batch of a stream, and the stream from its start.

    Raises:
        ValueError: it is no stream of batches.
    """
    if isinstance(stream, (str, bytes)) or not hasattr(stream, "__iter__"):
        raise ValueError(
            "Expected images as an array, as (images, labels), or in batches: tf.data, a "
            "PyDataset, a DataLoader, an iterator, or `train` of what kgen.data.load gives. "
            f"Received: {type(stream).__name__}"
        )
    if isinstance(stream, keras.utils.PyDataset):
        return stream[0], stream
    batch = next(iter(stream), None)
    if batch is None:
        raise ValueError("Expected at least one batch. Received: an empty stream")
    return batch, itertools.chain([batch], stream) if hasattr(stream, "__next__") else stream


def watched(stream, first, look):
    """A stream as Keras takes it, of the batches that a look at each of its own gives.

    Args:
        stream: keras.utils.PyDataset, tf.data.Dataset, iterator, torch DataLoader, or a Grain
            dataset.
        first: what `look` gives of the first batch.
        look: Look.
    """
    if isinstance(stream, keras.utils.PyDataset):
        return _WatchedDataset(stream, look)
    if hasattr(stream, "__next__"):
        return (look(batch) for batch in stream)  # of iterators Keras takes generators alone
    if hasattr(stream, "element_spec"):
        return _watched_tf_data(stream, first, look)
    if hasattr(stream, "map"):
        return stream.map(look)
    return _watched_loader(stream, look)


class _WatchedDataset(keras.utils.PyDataset):
    def __init__(self, data, look):
        super().__init__(data.workers, data.use_multiprocessing, data.max_queue_size)
        self._data, self._look = data, look

    def __getitem__(self, index):
        return self._look(self._data[index])

    @property
    def num_batches(self):
        return self._data.num_batches

    def on_epoch_begin(self):
        self._data.on_epoch_begin()

    def on_epoch_end(self):
        self._data.on_epoch_end()


def _watched_tf_data(stream, first, look):
    tf = sys.modules["tensorflow"]  # whose stream it is
    specs = tf.nest.flatten(stream.element_spec)
    if not hasattr(stream, "map") or not all(isinstance(spec, tf.TensorSpec) for spec in specs):
        return stream  # it is divided over replicas already, or ragged

    def watch(*batch):
        batch = batch[0] if len(batch) == 1 else batch
        given = tf.nest.flatten(batch)

        def see(*arrays):
            return keras.tree.flatten(look(tf.nest.pack_sequence_as(batch, arrays)))

        seen = tf.numpy_function(see, given, [array.dtype for array in first])
        for tensor, array in zip(seen, first, strict=True):
            tensor.set_shape((given[0].shape[0], *array.shape[1:]))
        return tuple(seen)

    return stream.map(watch).prefetch(1)


def _watched_loader(stream, look):
    # A class of its own, for Keras asks a DataLoader for its class and its attributes.
    def batches(self):
        for batch in super(kind, self).__iter__():
            yield tuple(map(sys.modules["torch"].from_numpy, look(batch)))

    kind = type(type(stream).__name__, (type(stream),), {"__iter__": batches})
    stream = copy.copy(stream)
    stream.__class__ = kind
    return stream


def to_numpy(x):
    """A tensor, or a list of rows, as a NumPy array, and None as it is.

    Raises:
        ValueError: the rows of a list are not of one shape.
    """
    if x is None or isinstance(x, np.ndarray):
        return x
    if not isinstance(x, list):
        return np.asarray(keras.ops.convert_to_numpy(x))
    try:
        return np.asarray(x)
    except ValueError as error:
        kinds = dict.fromkeys(str(getattr(row, "shape", type(row).__name__)) for row in x)
        raise ValueError(
            "Expected a list of rows of one shape, such as images of one size, and labels as an "
            f"argument of their own. Received: rows of {' and '.join([*kinds][:2])}"
        ) from error
