"""What layers add to a loss: by `add_loss`, by regularizers of their activity or weights."""

import contextlib
import contextvars
import functools
import threading

import keras
from keras import ops

_ASIDE = contextvars.ContextVar("aside", default=False)
_FOUND = contextvars.ContextVar("found", default=None)  # of a thread, as each replica has one
_LOCK = threading.Lock()
_NUM_OPEN = {}  # by a layer's id, how many collect from it


@contextlib.contextmanager
def collected(groups):
    """Yields a list for each group of layers that gets what they add, in every call inside.

    Keras' `losses` are those of the last call alone, and a network is called on real images, on
    fakes and in penalties.

    Args:
        groups: list of lists of keras.layers.Layer, which may share some.
    """
    found = [[] for _ in groups]
    places = {}
    for place, layers in enumerate(groups):
        for layer in layers:
            places.setdefault(id(layer), []).append(place)
    layers = list({id(layer): layer for layers in groups for layer in layers}.values())
    with _LOCK:
        for layer in layers:
            vars(layer)["add_loss"] = functools.partial(_add_loss, layer)
            _NUM_OPEN[id(layer)] = _NUM_OPEN.get(id(layer), 0) + 1
    token = _FOUND.set((places, found))
    try:
        yield found
    finally:
        _FOUND.reset(token)
        with _LOCK:
            for layer in layers:
                _NUM_OPEN[id(layer)] -= 1
                if not _NUM_OPEN[id(layer)]:
                    del _NUM_OPEN[id(layer)], vars(layer)["add_loss"]


def _add_loss(layer, loss):
    places, found = _FOUND.get() or ({}, None)
    if id(layer) not in places:
        type(layer).add_loss(layer, loss)
    elif not _ASIDE.get():
        losses = [ops.cast(each, "float32") for each in keras.tree.flatten(loss)]
        for place in places[id(layer)]:
            found[place].extend(losses)


@contextlib.contextmanager
def apart():
    """Yields lists that get, in the place of those outside, what layers add in calls inside."""
    places, outside = _FOUND.get() or ({}, ())
    found = [[] for _ in outside]
    token = _FOUND.set((places, found))
    try:
        yield found
    finally:
        _FOUND.reset(token)


def add(losses):
    """Adds what was collected apart, if somebody collects."""
    if _FOUND.get() is not None:
        for found, own in zip(_FOUND.get()[1], losses, strict=True):
            found.extend(own)


@contextlib.contextmanager
def aside(network):
    """Calls of a network inside add no loss, and leave batch normalization's averages as they are.

    Args:
        network: keras.Model.
    """
    averages = [
        variable
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]
    before = [ops.copy(variable) for variable in averages]
    token = _ASIDE.set(True)
    try:
        yield
    finally:
        _ASIDE.reset(token)
    for variable, value in zip(averages, before, strict=True):
        variable.assign(value)


def of_weights(variables):
    """What regularizers of weights add, as a list."""
    own = [v for v in variables if getattr(v, "regularizer", None) is not None]
    return [ops.cast(v.regularizer(v), "float32") for v in own]
