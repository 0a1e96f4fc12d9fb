"""Convolutions that see only what comes before a pixel in scan order."""

import keras
import numpy as np
from keras import ops

from kgen import backend
from kgen.layers.causal_step import ConvolutionStep, PointwiseStep


@keras.saving.register_keras_serializable("kgen")
class MaskedConv2D(keras.layers.Conv2D):
    """A convolution without the part of its kernel that would see what comes later in scan order.

    Pixels come row by row from the top, each from the left, and of a pixel red, green and blue in
    turn; channel i belongs to colour i mod `colors`. With mask "A" an output sees the pixels
    before its own and the colours before its own, with "B" its own colour too (van den Oord et al.
    2016, section 3.4). What the mask hides is left out in each call and stays in the weights.

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
        plain = {"strides": (1, 1), "dilation_rate": (1, 1), "groups": 1}
        for name, value in plain.items():
            if getattr(self, name) != value:
                raise ValueError(f"Expected {name}=1. Received: {name}={getattr(self, name)}")
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
        _, _, inputs, filters = self.kernel.shape
        color_in = np.arange(inputs) % self.colors
        color_out = np.tile(np.arange(filters // self.gates) % self.colors, self.gates)
        at_pixel = (np.less if self.mask == "A" else np.less_equal)(color_in[:, None], color_out)
        left = self.kernel_size[1] // 2
        # Of the kernel's own row, without the pixel where nothing of it is seen.
        self.seen = np.ones((left + bool(at_pixel.any() or not left), inputs, filters), "float32")
        self.seen[left:] = at_pixel

    def split_kernel(self, kernel):
        """The kernel's rows above, and of its own row what is to the left and, masked, the pixel.

        Returns:
            Tensors (height // 2, width, inputs, filters), (width // 2 + 1, inputs, filters); the
            second without the pixel where of it nothing is seen, and something to the left is.
        """
        row = self.kernel_size[0] // 2
        here = kernel[row, : len(self.seen)]
        return kernel[:row], here if self.seen.all() else here * ops.cast(self.seen, here.dtype)

    def call(self, inputs):
        # Two convolutions do less than one with zeros, and no NaN comes through from later pixels.
        above, here = self.split_kernel(ops.convert_to_tensor(self.kernel))
        bias = ops.convert_to_tensor(self.bias) if self.use_bias else None
        row, column = (size // 2 for size in self.kernel_size)
        if (row, column) == (0, 0):
            return self.activation(backend.conv2d(inputs, here[None], bias=bias))
        batch, height, width, channels = ops.shape(inputs)
        padded = ops.pad(inputs, ((0, 0), (row, 0), (column, column if row else 0), (0, 0)))
        # On TensorFlow this takes a fraction of the time of padded[:, row:, :-column].
        size = (batch, height, width - 1 + here.shape[0], channels)
        part = ops.slice(padded, (0, row, 0, 0), size)
        outputs = backend.conv2d(part, here[None], bias=bias, padding="valid")
        if row:
            size = (batch, height - 1 + row, width + 2 * column, channels)
            part = ops.slice(padded, (0, 0, 0, 0), size)
            outputs = outputs + backend.conv2d(part, above, padding="valid")
        return self.activation(outputs)

    def step(self):
        """The layer in a loop over pixels, with its weights as they are now."""
        above, here = self.split_kernel(ops.cast(self.kernel, self.compute_dtype))
        bias = ops.zeros(self.filters, self.compute_dtype)
        if self.use_bias:
            bias = ops.cast(self.bias, self.compute_dtype)
        if self.kernel_size == (1, 1):
            kernel = here[0]  # sliced here, not at each pixel
            return PointwiseStep(lambda x: self.activation(backend.linear(x, kernel, bias)))
        return ConvolutionStep(above, here, self.kernel_size[1] // 2, bias, self.activation)

    def get_config(self):
        config = super().get_config()
        del config["padding"], config["data_format"]
        return config | {"mask": self.mask, "colors": self.colors, "gates": self.gates}
