"""Maxout units."""

import functools

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class Maxout(keras.layers.Layer):
    """Units that are the largest of several linear functions.

    (batch, pieces * units) -> (batch, units): unit j is the largest of the inputs j, units + j,
    2 units + j ... It compares two at a time. The gradient of JAX' maximum of many divides by the
    number of inputs that equal it, of which XLA finds none where it computes them twice and rounds
    them differently.

    Args:
        pieces: int. Linear functions a unit.

    Example:
    >>> y = kgen.layers.Maxout(2)(np.array([[1.0, 2.0, 3.0, 0.0]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[3.0, 2.0]]

    Reference: Goodfellow et al., Maxout Networks, 2013. https://arxiv.org/abs/1302.4389
    """

    def __init__(self, pieces, **kwargs):
        super().__init__(**kwargs)
        self.pieces = pieces

    def call(self, inputs):
        return functools.reduce(ops.maximum, ops.split(inputs, self.pieces, axis=-1))

    def get_config(self):
        return super().get_config() | {"pieces": self.pieces}
