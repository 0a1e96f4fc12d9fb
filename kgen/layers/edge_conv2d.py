"""A convolution that knows where the image ends."""

import keras
import numpy as np
from keras import ops

from kgen.layers.act_norm import RATE
from kgen.layers.convolution import Conv2D


@keras.saving.register_keras_serializable("kgen")
class EdgeConv2D(keras.layers.Layer):
    """A convolution of one more channel, which is 1 outside of the image and 0 inside.

    (batch, height, width, channels) -> (batch, height, width, filters).

    Args:
        filters: int.
        kernel_size: int, odd.
        is_last: bool. The last of a network: it has a bias and gives 0 at first, times exp(3
            log_scale), of each filter; others have neither, as a `kgen.layers.ActNorm` follows.

    Example:
    >>> y = kgen.layers.EdgeConv2D(2, 3, is_last=True)(np.ones((1, 4, 4, 3)))
    >>> tuple(y.shape)
    (1, 4, 4, 2)

    Reference: Kingma & Dhariwal, Glow, 2018, section 3.3, and their code.
    https://arxiv.org/abs/1807.03039
    """

    def __init__(self, filters, kernel_size, is_last=False, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.is_last = is_last
        self.convolution = Conv2D(
            filters,
            kernel_size,
            padding="same",
            data_format="channels_last",
            use_bias=is_last,
            kernel_initializer="zeros" if is_last else keras.initializers.RandomNormal(stddev=0.05),
            dtype=self.dtype_policy,
        )

    def build(self, input_shape):
        self.convolution.build(input_shape)
        size = self.kernel_size
        self.of_edge = self.add_weight(
            shape=(size, size, 1, self.filters),
            initializer=self.convolution.kernel_initializer,
            name="of_edge",
        )
        if self.is_last:
            self.log_scale = self.add_weight(
                shape=(self.filters,), initializer="zeros", name="log_scale"
            )
        inside = np.zeros((1, *input_shape[1:3], 1))
        margin = [(0, 0), *[(size // 2, size // 2)] * 2, (0, 0)]
        self.outside = np.pad(inside, margin, constant_values=1.0)

    def call(self, inputs):
        outside = ops.cast(self.outside, self.compute_dtype)
        at_edge = ops.conv(outside, self.of_edge, data_format="channels_last")
        outputs = self.convolution(inputs) + at_edge
        return outputs * ops.exp(RATE * self.log_scale) if self.is_last else outputs

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], self.filters)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "is_last": self.is_last,
        }
