"""Convolutions that see only what comes before a pixel in scan order."""

import keras
import numpy as np
from keras import ops

from kgen.layers.causal_step import ConvolutionStep, PointwiseStep


@keras.saving.register_keras_serializable("kgen")
class MaskedConv2D(keras.layers.Conv2D):
    """A convolution whose kernel is 0 where it would see what comes later in scan order.

    Pixels come row by row from the top, each from the left, and of a pixel red, green and blue in
    turn; channel i belongs to colour i mod `colors`. With mask "A" an output sees the pixels
    before its own and the colours before its own, with "B" its own colour too (van den Oord et al.
    2016, section 3.4). The mask multiplies the kernel in each call; the weights keep what the mask
    hides.

    Args:
        filters: int. Channels of the output.
        kernel_size: int, odd, or pair of them.
        mask: "A" or "B".
        colors: int. Colours of a pixel. Defaults to 1.
        gates: int. The output is so many parts side by side, each with the colours in turn.
            Defaults to 1.
        **kwargs: those of `keras.layers.Conv2D`; strides are 1, padding is "same" and channels are
            last.

    Example:
    >>> layer = kgen.layers.MaskedConv2D(8, 7, mask="A")
    >>> tuple(layer(np.zeros((2, 28, 28, 1))).shape)
    (2, 28, 28, 8)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016.
    https://arxiv.org/abs/1601.06759
    """

    def __init__(self, filters, kernel_size, mask, colors=1, gates=1, **kwargs):
        super().__init__(
            filters, kernel_size, padding="same", data_format="channels_last", **kwargs
        )
        if mask not in ("A", "B"):
            raise ValueError(f'Expected mask "A" or "B". Received: mask={mask!r}')
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"Expected an odd kernel_size. Received: kernel_size={kernel_size}")
        if filters % gates or filters // gates < colors:
            raise ValueError(
                "Expected filters to be a multiple of gates with a channel for each colour in each "
                f"part. Received: filters={filters}, gates={gates}, colors={colors}"
            )
        self.mask = mask
        self.colors = colors
        self.gates = gates

    def build(self, input_shape):
        super().build(input_shape)
        height, width, inputs, filters = self.kernel.shape
        before = np.zeros((height, width, inputs, filters), "float32")
        before[: height // 2] = 1.0
        before[height // 2, : width // 2] = 1.0
        color_in = np.arange(inputs) % self.colors
        color_out = np.tile(np.arange(filters // self.gates) % self.colors, self.gates)
        sees = np.less if self.mask == "A" else np.less_equal
        before[height // 2, width // 2] = sees(color_in[:, None], color_out)
        self.before = before

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * ops.cast(self.before, kernel.dtype))

    def step(self):
        """The layer in a loop over pixels, with its weights as they are now."""
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = kernel * ops.cast(self.before, kernel.dtype)
        bias = ops.convert_to_tensor(self.bias) if self.use_bias else 0.0
        if self.kernel_size == (1, 1):
            return PointwiseStep(lambda x: self.activation(ops.matmul(x, kernel[0, 0]) + bias))
        return ConvolutionStep(kernel, bias, self.activation)

    def get_config(self):
        config = super().get_config()
        del config["padding"], config["data_format"]
        return config | {"mask": self.mask, "colors": self.colors, "gates": self.gates}
