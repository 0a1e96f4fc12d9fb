"""The residual block of PixelCNN."""

import keras

from kgen import backend
from kgen.layers.causal_step import PointwiseStep, ResidualStep
from kgen.layers.masked_conv2d import MaskedConv2D


@keras.saving.register_keras_serializable("kgen")
class MaskedResidualBlock(keras.layers.Layer):
    """x + conv1x1(relu(conv3x3(relu(conv1x1(relu(x)))))), all of mask "B".

    Args:
        filters: int. Channels of the input and output, h of them in the middle, half as many.
        kernel_size: int, odd. Of the middle convolution. Defaults to 3.
        colors: int. Colours of a pixel. Defaults to 1.

    Example:
    >>> block = kgen.layers.MaskedResidualBlock(32)
    >>> tuple(block(np.zeros((2, 28, 28, 32))).shape)
    (2, 28, 28, 32)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016, figure 5.
    https://arxiv.org/abs/1601.06759
    """

    def __init__(self, filters, kernel_size=3, colors=1, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.colors = colors
        self.convolutions = [
            MaskedConv2D(width, size, "B", colors, dtype=self.dtype_policy)
            for width, size in ((filters // 2, 1), (filters // 2, kernel_size), (filters, 1))
        ]

    def build(self, input_shape):
        shape = input_shape
        for convolution in self.convolutions:
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)

    def call(self, x):
        y = x
        for convolution in self.convolutions:
            y = convolution(keras.ops.relu(y))
        return x + y

    def step(self):
        """The layer in a loop over pixels, with its weights as they are now."""
        relu = PointwiseStep(backend.relu)
        return ResidualStep([step for c in self.convolutions for step in (relu, c.step())])

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "colors": self.colors,
        }
