"""The layer of the gated PixelCNN."""

import keras
from keras import ops

from kgen.layers.causal_step import PointwiseStep
from kgen.layers.masked_conv2d import MaskedConv2D


@keras.saving.register_keras_serializable("kgen")
class GatedBlock(keras.layers.Layer):
    """Two stacks of gated convolutions, which together see all that comes before a pixel.

    The vertical stack sees the rows above, the horizontal one the row so far and, through a 1x1
    convolution, the vertical one. Each is gated:  y = tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g
    h)  (eq. 4), h the condition's code, which can be another at each pixel (eq. 5). The horizontal
    stack is residual. The first block, of mask "A", takes the image for both.

    Args:
        filters: int. Channels of each stack.
        kernel_size: int, odd, from 3 up. Defaults to 3.
        mask: "A" for the first block, "B" for the others.
        colors: int. Colours of a pixel. Defaults to 1.

    Call:
        x: the horizontal stack (batch, height, width, channels), or the image.
        above: the vertical stack of the block before; None for the first.
        one_hot: the condition's code, (batch, any) or (batch, height, width, any); or None.

    Returns:
        Both stacks, (batch, height, width, filters) each.

    Example:
    >>> image = np.zeros((2, 28, 28, 1))
    >>> x, above = kgen.layers.GatedBlock(8, 7, mask="A")(image)
    >>> x, above = kgen.layers.GatedBlock(8)(x, above)
    >>> tuple(x.shape)
    (2, 28, 28, 8)

    Reference: van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016.
    https://arxiv.org/abs/1606.05328
    """

    def __init__(self, filters, kernel_size=3, mask="B", colors=1, **kwargs):
        super().__init__(**kwargs)
        if kernel_size < 3 or kernel_size % 2 == 0:
            raise ValueError(f"Expected an odd kernel_size from 3 up. Received: {kernel_size=}")
        self.filters = filters
        self.kernel_size = kernel_size
        self.mask = mask
        self.colors = colors
        half = kernel_size // 2
        policy = {"dtype": self.dtype_policy}
        # The vertical stack's features of a row know the rows above it: but for the first block,
        # whose stack is the image, it can see its own row.
        rows = half if mask == "A" else half + 1
        self.vertical = keras.layers.Conv2D(
            2 * filters, (rows, kernel_size), data_format="channels_last", **policy
        )
        self.horizontal = MaskedConv2D(
            2 * filters, (1, kernel_size), mask, colors, gates=2, **policy
        )
        self.link = keras.layers.Dense(2 * filters, use_bias=False, **policy)
        self.output_layer = MaskedConv2D(filters, 1, "B", colors, **policy)
        self.labels = []  # a linear layer for each stack, once it is known that there is a code

    def build(self, x_shape, above_shape=None, one_hot_shape=None):
        batch, _, _, channels = above_shape or x_shape
        self.vertical.build((batch, self.kernel_size, self.kernel_size, channels))
        self.horizontal.build(x_shape)
        self.link.build((None, 2 * self.filters))
        self.output_layer.build((None, None, None, self.filters))
        if one_hot_shape is not None:
            for _ in range(2):
                layer = keras.layers.Dense(
                    2 * self.filters, use_bias=False, dtype=self.dtype_policy
                )
                layer.build(one_hot_shape)
                self.labels.append(layer)

    def call(self, x, above=None, one_hot=None):
        half = self.kernel_size // 2
        rows = x[:, :-1] if above is None else above
        padded = ops.pad(rows, ((0, 0), (half, 0), (half, half), (0, 0)))
        vertical, horizontal = self.vertical(padded), self.horizontal(x)
        if one_hot is not None:
            of_vertical, of_horizontal = self.added(one_hot)
            vertical, horizontal = vertical + of_vertical, horizontal + of_horizontal
        y = self.output_layer(gate(horizontal + self.link(vertical)))
        return (y if above is None else x + y), gate(vertical)

    def added(self, code):
        """What a code adds to each stack, (batch, 1 or height, 1 or width, 2 * filters)."""
        added = [layer(code) for layer in self.labels]
        return added if len(code.shape) == 4 else [each[:, None, None] for each in added]

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        if code is not None and len(code.shape) == 4:
            return GatedStepByPlace(self, code)
        return GatedStep(self, code)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "mask": self.mask,
            "colors": self.colors,
        }


def gate(x):
    """The tanh of the first half of the channels times sigmoid of the second."""
    values, gates = ops.split(x, 2, axis=-1)
    return ops.tanh(values) * ops.sigmoid(gates)


class GatedStep(PointwiseStep):
    """A `GatedBlock` in a loop over pixels: the vertical stack once a row."""

    def __init__(self, block, code):
        self.block = block
        self.is_first = block.mask == "A"
        self.horizontal = block.horizontal.step()
        self.output = block.output_layer.step()
        self.added = None if code is None else block.added(code)

    def start(self, batch_size, width):
        kernel = self.block.vertical.kernel
        shape = (batch_size, self.block.kernel_size // 2, width, kernel.shape[2])
        return ops.zeros(shape, self.horizontal.kernel.dtype)

    def start_row(self, rows, above, row=None):
        half = self.block.kernel_size // 2
        if not self.is_first:
            rows = ops.concatenate([rows, above[:, None]], axis=1)
        padded = ops.pad(rows, ((0, 0), (0, 0), (half, half), (0, 0)))
        of_vertical, of_horizontal = self.of_row(row)
        vertical = ops.squeeze(self.block.vertical(padded), 1) + of_vertical
        prepared = self.block.link(vertical) + self.horizontal.bias + of_horizontal
        left = ops.zeros(
            (ops.shape(rows)[0], half * self.horizontal.inputs), self.horizontal.kernel.dtype
        )
        return (rows if self.is_first else rows[:, 1:]), gate(vertical), prepared, left

    def of_row(self, row):
        """What the code adds to each stack in a row, (batch, 1 or width, 2 * filters)."""
        if self.added is None:
            return 0.0, 0.0
        return [each[:, 0] if row is None else ops.take(each, row, axis=1) for each in self.added]

    def advance(self, x, prepared, left):
        sums, left = self.horizontal.advance(x, prepared, left)
        y, _ = self.output.advance(gate(sums), (), ())
        return (y if self.is_first else x + y), left

    def end_row(self, rows, lefts):
        return self.horizontal.end_row(rows, lefts) if self.is_first else rows


class GatedStepByPlace(GatedStep):
    """A `GatedStep` whose code is another at each pixel. It keeps the row's number first."""

    def start(self, batch_size, width):
        return ops.zeros((batch_size,), "int32"), super().start(batch_size, width)

    def start_row(self, rows, above, row=None):
        number, rows = rows
        row = ops.minimum(number[0], self.added[0].shape[1] - 1)  # rows may be padded
        rows, *others = super().start_row(rows, above, row)
        return (number, rows), *others

    def end_row(self, rows, lefts):
        number, rows = rows
        return number + 1, super().end_row(rows, lefts)
