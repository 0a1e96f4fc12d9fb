"""What layers add to a loss: by `add_loss`, by regularizers of their activity or weights."""

import contextlib
import contextvars

import keras
from keras import ops

_ASIDE = contextvars.ContextVar("aside", default=False)


@contextlib.contextmanager
def collected(layers):
    """Yields a list that gets what layers add, in every call inside.

    Keras' `losses` are those of the last call alone, and a network is called on real images, on
    fakes and in penalties.

    Args:
        layers: list of keras.layers.Layer.
    """
    found = []

    def add_loss(loss):
        if not _ASIDE.get():
            found.extend(ops.cast(each, "float32") for each in keras.tree.flatten(loss))

    for layer in layers:
        vars(layer)["add_loss"] = add_loss
    try:
        yield found
    finally:
        for layer in layers:
            del vars(layer)["add_loss"]


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
