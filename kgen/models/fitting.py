"""What `fit` and `evaluate` look at before the first step."""

import contextlib
import threading

import keras
import numpy as np

from kgen import backend
from kgen.checks import number, whole_number
from kgen.models import monitors
from kgen.models.around_fit import AroundFit
from kgen.models.kept import refuse_h5


class Fitting(backend.Model):
    """A model whose data are checked before it moves, and read in their own order."""

    default_batch_size = 32

    def fit(self, x=None, y=None, batch_size=None, epochs=1, **kwargs):
        """`keras.Model.fit`, after a look at the data: arrays whole, streams batch by batch.

        Of a PyDataset the last batch's size is looked at first. Arrays come in batches of the
        model's `default_batch_size`. What `kgen.data.load` gives is read in its own order, with
        `steps_per_epoch` from where the epoch before ended.
        """
        batch_size, epochs, callbacks, kwargs = _checked(batch_size, epochs, **kwargs)
        refuse_weights(**{k: kwargs.get(k) for k in ("sample_weight", "class_weight")})
        self._check_optimizers()
        if self.num_processes > 1 and _is_whole(x):
            raise ValueError(
                "Expected data whose order all of several processes know, as "
                "kgen.data.load((images, labels), batch_size=...).train. Received: arrays"
            )
        self.prepare_replicas(self._seed_generators_of_all())
        self.check_outputs()
        monitors.settle(callbacks, self)
        callbacks.sort(key=lambda callback: not getattr(callback, "comes_first", False))
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.ModelCheckpoint):
                refuse_h5("" if callback.save_weights_only else callback.filepath)
        around = [callback for callback in callbacks if isinstance(callback, AroundFit)]
        look = backend.Look(self._look_at)
        if _is_whole(x):
            batch_size = batch_size or self.default_batch_size
            x, y = self._check_arrays(x, y)
            self._check_sizes_of_arrays(x, batch_size, kwargs.get("validation_split") or 0.0)
            if around:
                x, y = self._in_order(x, y, batch_size, kwargs), None
        else:
            _refuse_of_batches(batch_size=batch_size, validation_split=kwargs["validation_split"])
            x = self._check_stream(x, look, check_sizes=True)
            if not isinstance(x, keras.utils.PyDataset):
                kwargs.setdefault("shuffle", False)  # of which Keras would say that it cannot
        reading = None
        if isinstance(x, backend.OrderedBatches):
            steps, initial_epoch = kwargs.pop("steps_per_epoch", None), kwargs.get("initial_epoch")
            reading = backend.Reading(x, steps, initial_epoch or 0)
            x = backend.input_pipeline(reading)
            callbacks = [reading.follower(), *callbacks]
            kwargs["shuffle"] = False
        kwargs["validation_data"] = self._check_validation(kwargs.get("validation_data"), look)
        # What is frozen in the middle of `fit` would go on moving; callbacks set learning rates.
        check = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: self._check_optimizers())
        callbacks = [*callbacks, check]
        with contextlib.ExitStack() as stack:
            stack.enter_context(monitors.counting_new(callbacks))
            for callback in around:
                stack.enter_context(callback.around_fit(reading))
            stack.enter_context(_own_words(look))
            stack.enter_context(self._fitting())
            return super().fit(x, y, batch_size, epochs, callbacks=callbacks, **kwargs)

    def evaluate(self, x=None, y=None, batch_size=None, **kwargs):
        """`keras.Model.evaluate`; the same data gives the same figures."""
        if kwargs.get("_use_cached_eval_dataset"):
            return super().evaluate(x, y, batch_size=batch_size, **kwargs)
        if self._fitting_thread not in (None, threading.get_ident()):
            raise RuntimeError(
                "Expected evaluate after fit, or in a callback of it. Received: a call from "
                "another thread than the one that trains, whose means and noise it would mix"
            )
        self._assert_compile_called("evaluate")
        batch_size = whole_number("batch_size", batch_size, optional=True)
        kwargs["steps"] = whole_number("steps", kwargs.get("steps"), optional=True)
        refuse_weights(sample_weight=kwargs.get("sample_weight"))
        self.prepare_replicas(self._seed_generators_of_all())
        look = backend.Look(self._look_at)
        if _is_whole(x):
            x, y = self._check_arrays(x, y)
        else:
            _refuse_of_batches(batch_size=batch_size)
            x = _whole_epoch(self._check_stream(x, look))
        with _own_words(look), self._means_kept():
            return super().evaluate(x, y, batch_size=batch_size, **kwargs)

    @contextlib.contextmanager
    def _fitting(self):
        vars(self)["_fitting_thread"] = threading.get_ident()
        try:
            yield
        finally:
            vars(self)["_fitting_thread"] = None

    @contextlib.contextmanager
    def _means_kept(self):
        """Inside, a callback may evaluate in the middle of an epoch of `fit`."""
        if self._fitting_thread is None:
            yield
            return
        with backend.synchronized():
            before = [keras.ops.copy(variable) for variable in self.metrics_variables]
        yield
        with backend.synchronized():
            for variable, value in zip(self.metrics_variables, before, strict=True):
                variable.assign(value)

    def train_on_batch(self, x, y=None, **kwargs):
        """`keras.Model.train_on_batch`, after a look at the batch."""
        refuse_weights(**{k: kwargs.get(k) for k in ("sample_weight", "class_weight")})
        self._check_optimizers()
        return super().train_on_batch(*self._check_arrays(x, y), **kwargs)

    def test_on_batch(self, x, y=None, **kwargs):
        """`keras.Model.test_on_batch`, after a look at the batch."""
        refuse_weights(sample_weight=kwargs.get("sample_weight"))
        return super().test_on_batch(*self._check_arrays(x, y), **kwargs)

    def _check_validation(self, data, look):
        """What `fit` validates on, looked at."""
        if isinstance(data, (list, tuple)):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(tuple(data))
            refuse_weights(sample_weight=sample_weight)
            x, y = self._check_arrays(x, y)
            return x if y is None else (x, y)
        return None if data is None else _whole_epoch(self._check_stream(data, look))

    def _check_arrays(self, x, y):
        """Arrays, looked at, as every backend's steps take them."""
        x, y = (backend.to_numpy(each) if isinstance(each, list) else each for each in (x, y))
        return self.check_inputs(*keras.tree.map_structure(backend.to_numpy, (x, y)))

    def _check_stream(self, stream, look, check_sizes=False):
        """A stream that is looked at as it is read, and its first batch now.

        With `check_sizes`, also whether a step can train on its batches.
        """
        batch, stream = backend.first_batch(stream)
        first = look(batch)
        sizes = [len(first[0])]
        if isinstance(stream, backend.OrderedBatches):  # which were looked at, and drop a short one
            watched = stream
        else:
            watched = backend.watched(stream, first, look)
            if isinstance(stream, keras.utils.PyDataset) and stream.num_batches:
                sizes.append(len(watched[stream.num_batches - 1][0]))
        if check_sizes:
            self.check_sizes_of_batches(*sizes)
        return watched

    def _look_at(self, batch):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        refuse_weights(sample_weight=sample_weight)
        if isinstance(y, (list, tuple)) and all(np.ndim(each) == 0 for each in y):
            y = np.asarray(y)  # as a DataLoader collates names
        x, y = self.check_inputs(x, y)
        return (x,) if y is None else (x, y)

    def _check_sizes_of_arrays(self, x, batch_size, validation_split):
        num = int(len(keras.tree.flatten(x)[0]) * (1.0 - validation_split))
        if num == 0:
            raise ValueError(
                "Expected images to train on beside those of validation. Received: "
                f"{validation_split=}"
            )
        whole, last = divmod(num, batch_size)
        self.check_sizes_of_batches(*[batch_size] * bool(whole), *[last] * bool(last))

    def check_sizes_of_batches(self, size, *others):
        """Raises a ValueError, or warns, if a step cannot train on batches of these sizes well.

        Args:
            size: int. That of most.
            *others: int. Those of others, as of a last, short one.
        """
        for each in (size, *others):
            if each % self.num_replicas:
                raise ValueError(
                    f"Expected batches that divide by the {self.num_replicas} replicas; drop a "
                    f"last, short batch. Received: a batch of {each}"
                )
        self.check_batch_size(size // self.num_replicas)

    def _in_order(self, x, y, batch_size, kwargs):
        """Arrays as batches of a known order; `fit`'s arguments lose what concerns arrays alone."""
        arrays = (x,) if y is None else (x, y)
        num = len(x)
        split = kwargs.pop("validation_split", None)
        if split and kwargs.get("validation_data") is None:
            num = int(num * (1.0 - split))
            kwargs["validation_data"] = tuple(array[num:] for array in arrays)
        seed = (self.seed or 0) if kwargs.get("shuffle", True) else None
        return backend.OrderedArrays(tuple(array[:num] for array in arrays), batch_size, seed)


@contextlib.contextmanager
def _own_words(look):
    """Raises what a look at the data raised, and not what the backend made of it."""
    try:
        yield
    except Exception as error:
        if look.error in (None, error):
            raise
        raise look.error from None


def _checked(batch_size, epochs, callbacks=None, **kwargs):
    """What `fit` is given beside data, in its types: int numbers, a list of callbacks."""
    batch_size = whole_number("batch_size", batch_size, optional=True)
    epochs = whole_number("epochs", epochs)
    for name in ("steps_per_epoch", "validation_steps", "validation_batch_size"):
        kwargs[name] = whole_number(name, kwargs.get(name), optional=True)
    kwargs["initial_epoch"] = whole_number("initial_epoch", kwargs.get("initial_epoch", 0), 0)
    frequency = kwargs.setdefault("validation_freq", 1)
    if not np.iterable(frequency):
        kwargs["validation_freq"] = whole_number("validation_freq", frequency)
    split = number("validation_split", kwargs.setdefault("validation_split", 0.0), optional=True)
    if split is not None and not 0 <= split < 1:
        raise ValueError(f"Expected validation_split in [0, 1). Received: validation_split={split}")
    data = kwargs.get("validation_data")
    is_bare = hasattr(data, "shape")
    if is_bare or (isinstance(data, (list, tuple)) and len(data) not in (1, 2, 3)):
        raise ValueError(
            "Expected validation_data as (images,), (images, labels) or batches. Received: "
            f"{_described(data)}"
        )
    return batch_size, epochs, _flat(callbacks), kwargs


def _described(data):
    if hasattr(data, "shape"):
        return f"an array of shape {tuple(data.shape)}"
    return f"a {type(data).__name__} of {len(data)}"


def refuse_weights(**weights):
    """Raises a ValueError for weights of images or classes, by name; None is none."""
    for name, value in weights.items():
        if value is not None:
            raise ValueError(
                f"Expected no {name}: the losses of generative models weigh all images alike."
            )


def _refuse_of_batches(**arguments):
    """Raises a ValueError for what is of arrays alone, by name; None and 0 are none."""
    for name, value in arguments.items():
        if value:
            raise ValueError(
                f"Expected no {name} with batches, which have their size, as "
                "kgen.data.load(..., batch_size=...) gives them, and validation_data=data.test "
                f"beside. Received: {name}={value}"
            )


def _is_whole(x):
    """Whether data are arrays, not a stream of batches."""
    return hasattr(x, "shape") or isinstance(x, (list, tuple, dict))


def _flat(callbacks):
    """A list of what `fit` takes as callbacks."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return list(callbacks.callbacks)
    found = [each for each in keras.tree.flatten(callbacks) if each is not None]
    for each in found:
        if not isinstance(each, keras.callbacks.Callback):
            raise ValueError(
                f"Expected callbacks as objects of keras.callbacks.Callback. Received: {each!r:.80}"
            )
    return found


def _whole_epoch(data):
    """What Keras is given to evaluate on: of ordered batches the epoch of their position."""
    if not isinstance(data, backend.OrderedBatches):
        return data
    reading = backend.Reading(data)
    reading.ahead = data.position.epoch * len(data)
    return backend.input_pipeline(reading)
