"""Convolutions whose kernel lies above a pixel and to its left."""

import keras
from keras import ops

from kgen import backend
from kgen.layers.causal_step import ConvolutionStep


@keras.saving.register_keras_serializable("kgen")
class ShiftedConv2D(keras.layers.Conv2D):
    """A convolution whose kernel's lowest row is the pixel's own.

    Of an odd width the kernel reaches as far to both sides, so that its input must not know the
    pixel's own row; of width 2 it ends at the pixel.

    Args:
        filters: int. Channels of the output.
        kernel_size: pair of int, the width odd or 2.
        strides: int. Height and width become so many times smaller, rounded up. Defaults to 1.
        **kwargs: those of `keras.layers.Conv2D`; padding is made here and channels are last.

    Example:
    >>> layer = kgen.layers.ShiftedConv2D(8, (2, 3), strides=2)
    >>> tuple(layer(np.zeros((2, 28, 28, 1))).shape)
    (2, 14, 14, 8)

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        super().__init__(
            filters, kernel_size, strides, padding="valid", data_format="channels_last", **kwargs
        )
        height, width = self.kernel_size
        if width % 2 == 0 and width != 2:
            raise ValueError(f"Expected a kernel of odd width or of 2. Received: {kernel_size=}")
        self.num_above = height - 1
        self.sides = (1, 0) if width == 2 else (width // 2, width // 2)

    def call(self, inputs):
        return self.of_rows(ops.pad(inputs, ((0, 0), (self.num_above, 0), (0, 0), (0, 0))))

    def of_rows(self, rows):
        """The outputs of the rows that have those above them, (batch, above + rows, width, ...)."""
        padded = ops.pad(rows, ((0, 0), (0, 0), self.sides, (0, 0)))
        bias = ops.cast(self.bias, self.compute_dtype) if self.use_bias else None
        kernel = ops.cast(self.kernel, self.compute_dtype)
        return backend.conv2d(padded, kernel, self.strides, bias, padding="valid")

    def compute_output_shape(self, input_shape):
        batch, *size, _ = input_shape
        size = [-(-length // by) for length, by in zip(size, self.strides, strict=True)]
        return (batch, *size, self.filters)

    def step(self):
        """The layer in a loop over pixels, with its weights as they are now; of width 2."""
        kernel = ops.cast(self.kernel, self.compute_dtype)
        bias = ops.cast(self.bias, self.compute_dtype)
        return ConvolutionStep(kernel[:-1], kernel[-1], 1, bias, lambda x: x)

    def get_config(self):
        config = super().get_config()
        del config["padding"], config["data_format"]
        return config
