"""Pixels and channels change places on the way through a flow."""

import keras
import numpy as np
from keras import ops

from kgen.layers.bijection import Bijection, alike
from kgen.layers.space_to_depth import DepthToSpace, SpaceToDepth


@keras.saving.register_keras_serializable("kgen")
class Squeeze(Bijection):
    """Each block of 2x2 pixels becomes one, of four times the channels.

    (batch, height, width, channels) -> (batch, height / 2, width / 2, 4 channels), and log|det|
    (batch,), which is 0.

    Example:
    >>> z, _ = kgen.layers.Squeeze()(np.arange(16.0).reshape(1, 4, 4, 1))
    >>> keras.ops.convert_to_numpy(z)[0, 0].tolist()
    [[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]]

    Reference: Dinh et al., Density Estimation Using Real NVP, 2016, section 3.6.
    https://arxiv.org/abs/1605.08803
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.there = SpaceToDepth(2, dtype=self.dtype_policy)
        self.back = DepthToSpace(2, dtype=self.dtype_policy)

    def build(self, x_shape, y_shape=None):
        self.there.build(x_shape)
        self.back.build(self.there.compute_output_shape(x_shape))

    def call(self, x, y=None):
        return self.there(x), alike(x, 0.0)

    def inverse(self, z, y=None):
        return self.back(z)

    def compute_output_shape(self, x_shape, y_shape=None):
        return self.there.compute_output_shape(x_shape), x_shape[:1]


@keras.saving.register_keras_serializable("kgen")
class Reorder(Bijection):
    """Channels in another order.

    (batch, height, width, channels) -> the same shape, and log|det| (batch,), which is 0.

    Args:
        order: sequence of int. Which channel of x each of z is.
    """

    def __init__(self, order, **kwargs):
        super().__init__(**kwargs)
        self.order = list(order)

    def call(self, x, y=None):
        return ops.take(x, self.order, axis=-1), alike(x, 0.0)

    def inverse(self, z, y=None):
        return ops.take(z, np.argsort(self.order).tolist(), axis=-1)

    def get_config(self):
        return super().get_config() | {"order": self.order}
