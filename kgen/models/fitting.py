"""What `fit` and `evaluate` look at before the first step."""

import contextlib
import itertools

import keras
import numpy as np
from keras import ops

from kgen import backend
from kgen.models import monitors
from kgen.models.around_fit import AroundFit


class Fitting(backend.Model):
    """A model whose data are checked before it moves, and read in their own order."""

    default_batch_size = 32

    def fit(self, x=None, y=None, batch_size=None, epochs=1, **kwargs):
        """`keras.Model.fit`, after a look at the data: arrays whole, streams by a first batch.

        Of a PyDataset the last batch's size is looked at too. Arrays come in batches of the model's
        `default_batch_size`. What `kgen.data.load` gives is read in its own order, with
        `steps_per_epoch` from where the epoch before ended.
        """
        refuse_weights(**{k: kwargs.get(k) for k in ("sample_weight", "class_weight")})
        self._check_optimizers()
        if self.num_processes > 1 and _is_whole(x):
            raise ValueError(
                "Expected data whose order all of several processes know, as "
                "kgen.data.load((images, labels), batch_size=...).train. Received: arrays"
            )
        self.prepare_replicas(self._seed_generators_of_all())
        if batch_size is None and _is_whole(x):
            batch_size = self.default_batch_size
        x = self._check_data(x, y, batch_size, kwargs.get("validation_split") or 0.0)
        callbacks = _flat(kwargs.pop("callbacks", None))
        monitors.settle(callbacks, self)
        reading = None
        if isinstance(x, backend.OrderedBatches):
            steps, initial_epoch = kwargs.pop("steps_per_epoch", None), kwargs.get("initial_epoch")
            reading = backend.Reading(x, steps, initial_epoch or 0)
            x = backend.input_pipeline(reading)
            callbacks = [reading.follower(), *callbacks]
            kwargs["shuffle"] = False
        validation_data = kwargs.get("validation_data")
        if isinstance(validation_data, (list, tuple)):
            x_val, y_val, sample_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
            refuse_weights(sample_weight=sample_weight)
            self._check_data(x_val, y_val)
        elif validation_data is not None:
            kwargs["validation_data"] = _whole_epoch(self._check_data(validation_data))
        with contextlib.ExitStack() as stack:
            for callback in callbacks:
                if isinstance(callback, AroundFit):
                    stack.enter_context(callback.around_fit(reading))
            return super().fit(x, y, batch_size, epochs, callbacks=callbacks, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """`keras.Model.evaluate`; the same data gives the same figures."""
        if not kwargs.get("_use_cached_eval_dataset"):
            self.prepare_replicas(self._seed_generators_of_all())
            x = _whole_epoch(self._check_data(x, y))
        return super().evaluate(x, y, batch_size=batch_size, **kwargs)

    def _check_data(self, x, y=None, batch_size=None, validation_split=None):
        """Looks at the data and gives it back: an iterator with its first batch put back.

        With `validation_split`, also whether a step can train on the batches.
        """
        is_whole = _is_whole(x)
        if isinstance(x, keras.utils.PyDataset):
            batch = x[0]
        elif hasattr(x, "__next__"):
            batch = next(x)
            x = (each for each in itertools.chain([batch], x))  # Keras takes generators alone
        else:
            batch = (x, y) if is_whole else next(iter(x))
        x_first, y_first, _ = keras.utils.unpack_x_y_sample_weight(batch)
        if isinstance(y_first, (list, tuple)):
            y_first = np.asarray(y_first)
        self.check_inputs(*keras.tree.map_structure(_to_numpy, (x_first, y_first)))
        if validation_split is not None:
            num = int(len(keras.tree.flatten(x_first)[0]) * (1.0 - validation_split))
            whole, last = divmod(num, batch_size) if is_whole else (0, num)
            sizes = [batch_size] * bool(whole) + [last] * bool(last)
            # Ordered batches drop a short one, and are not to be read to their end.
            is_ordered = isinstance(x, backend.OrderedBatches)
            if isinstance(x, keras.utils.PyDataset) and x.num_batches and not is_ordered:
                x_last, _, _ = keras.utils.unpack_x_y_sample_weight(x[x.num_batches - 1])
                sizes.append(len(keras.tree.flatten(x_last)[0]))
            for size in sizes:
                self.check_whole_batch(size)
        return x

    def check_whole_batch(self, size):
        """`check_batch_size` of what each replica has of a batch."""
        if size % self.num_replicas:
            raise ValueError(
                f"Expected batches that divide by the {self.num_replicas} replicas; drop a last, "
                f"short batch. Received: a batch of {size}"
            )
        self.check_batch_size(size // self.num_replicas)


def refuse_weights(**weights):
    """Raises a ValueError for weights of images or classes, by name; None is none."""
    for name, value in weights.items():
        if value is not None:
            raise ValueError(
                f"Expected no {name}: the losses of generative models weigh all images alike."
            )


def _is_whole(x):
    """Whether data are arrays, not a stream of batches."""
    return hasattr(x, "shape") or isinstance(x, (list, tuple, dict))


def _flat(callbacks):
    """A list of what `fit` takes as callbacks."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    return [each for each in keras.tree.flatten(callbacks) if each is not None]


def _whole_epoch(data):
    """What Keras is given to evaluate on: of ordered batches the epoch of their position."""
    if not isinstance(data, backend.OrderedBatches):
        return data
    reading = backend.Reading(data)
    reading.ahead = data.position.epoch * len(data)
    return backend.input_pipeline(reading)


def _to_numpy(x):
    return x if x is None or isinstance(x, np.ndarray) else np.asarray(ops.convert_to_numpy(x))
