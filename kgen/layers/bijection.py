"""What can be gone through both ways, and says how much it stretches."""

import keras
from keras import ops

from kgen.layers.precision import full_precision


class Bijection(keras.layers.Layer):
    """A layer that has an inverse, of float32 under mixed precision, too.

    A subclass gives `call(x, y=None)`, which returns z and log|det dz/dx| (batch,), in nats, and
    `inverse(z, y=None)`, which returns x; y is the condition, or None.
    """

    def __init__(self, dtype=None, **kwargs):
        super().__init__(dtype=dtype or full_precision(), **kwargs)

    def call(self, x, y=None):
        """What comes out, z, and log|det dz/dx| (batch,)."""
        raise NotImplementedError

    def inverse(self, z, y=None):
        """The x that gives z."""
        raise NotImplementedError

    def compute_output_shape(self, x_shape, y_shape=None):
        return x_shape, x_shape[:1]


def alike(x, number):
    """A scalar as one number an example of x, (batch,)."""
    return ops.zeros_like(x[:, 0, 0, 0]) + number


def sum_of_each(x):
    """The sum over all but the batch, (batch,)."""
    return ops.sum(x, axis=(1, 2, 3))
