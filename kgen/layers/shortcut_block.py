"""The residual block of PixelCNN++."""

import keras
from keras import ops

from kgen import backend
from kgen.layers.causal_step import PointwiseStep
from kgen.layers.seeded_dropout import seeded_dropout
from kgen.layers.shifted_conv2d import ShiftedConv2D


@keras.saving.register_keras_serializable("kgen")
class ShortcutBlock(keras.layers.Layer):
    """x + a * sigmoid(b), of two shifted convolutions of concatenated ELUs, and of a short-cut.

    (a, b) = conv(dropout(f(conv(f(x)) + W f(skip)))) + V code,  f(x) = elu([x, -x])

    Args:
        filters: int. Channels of the input and output.
        kernel_size: pair of int, as of `kgen.layers.ShiftedConv2D`.
        dropout: float in [0, 1). Part of the numbers between the convolutions. Defaults to 0.

    Call:
        x: tensor (batch, height, width, filters).
        skip: tensor (batch, height, width, any), or None.
        code: the condition's code (batch, n), or None.

    Returns:
        Tensor of the shape of x.

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """

    def __init__(self, filters, kernel_size, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.rate = dropout
        policy = {"dtype": self.dtype_policy}
        self.first = ShiftedConv2D(filters, kernel_size, **policy)
        self.dropout = seeded_dropout(dropout, **policy)
        # A block begins as nearly the identity.
        small = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")
        self.second = ShiftedConv2D(2 * filters, kernel_size, kernel_initializer=small, **policy)
        self.skip = self.code = None

    def build(self, x_shape, skip_shape=None, code_shape=None):
        doubled = (*x_shape[:-1], 2 * self.filters)
        self.first.build(doubled)
        self.second.build(doubled)
        policy = {"use_bias": False, "dtype": self.dtype_policy}
        if skip_shape is not None:
            self.skip = keras.layers.Dense(self.filters, **policy)
            self.skip.build((None, 2 * skip_shape[-1]))
        if code_shape is not None:
            self.code = keras.layers.Dense(2 * self.filters, **policy)
            self.code.build(code_shape)

    def call(self, x, skip=None, code=None, training=False):
        y = self.first(concat_elu(x))
        if skip is not None:
            y = y + self.skip(concat_elu(skip))
        y = self.second(self.dropout(concat_elu(y), training=training))
        if code is not None:
            y = y + self.code(code)[:, None, None]
        return x + gated(y)

    def compute_output_shape(self, x_shape, skip_shape=None, code_shape=None):
        return x_shape

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        return ShortcutStep(self, code)

    def of_row(self, x, skip, code, rows):
        """One row alone, of a stack that does not know it.

        Args:
            x: tensor (batch, width, filters).
            skip: tensor (batch, width, any), or None.
            code: the condition's code (batch, n), or None.
            rows: what each convolution took of the rows above, (batch, above, width, channels).

        Returns:
            The block's output (batch, width, filters), and `rows` for the row below.
        """
        seen = [ops.concatenate([rows[0], concat_elu(x)[:, None]], axis=1)]
        y = self.first.of_rows(seen[0])[:, 0]
        if skip is not None:
            y = y + self.skip(concat_elu(skip))
        seen.append(ops.concatenate([rows[1], concat_elu(y)[:, None]], axis=1))
        y = self.second.of_rows(seen[1])[:, 0]
        if code is not None:
            y = y + self.code(code)[:, None]
        return x + gated(y), tuple(each[:, 1:] for each in seen)

    def start_of_rows(self, batch_size, width):
        """What `of_row` takes as `rows` of the first row."""
        shape = (batch_size, self.first.num_above, width, 2 * self.filters)
        return (ops.zeros(shape, self.compute_dtype),) * 2

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dropout": self.rate,
        }


def concat_elu(x):
    """elu([x, -x]), twice the channels, by one exponential function."""
    is_positive = x > 0
    bent = ops.expm1(ops.where(is_positive, -x, x))
    halves = ops.where(is_positive, x, bent), ops.where(is_positive, bent, -x)
    return ops.concatenate(halves, axis=-1)


def gated(y):
    """The first half of the channels times sigmoid of the second."""
    values, gates = ops.split(y, 2, axis=-1)
    return values * ops.sigmoid(gates)


class ShortcutStep(PointwiseStep):
    """A `ShortcutBlock` in a loop over pixels, whose short-cut begins with what a row knows."""

    def __init__(self, block, code):
        self.block = block
        self.first, self.second = block.first.step(), block.second.step()
        self.code = None if code is None else block.code(code)[:, None]
        num, kernel = block.filters, ops.cast(block.skip.kernel, block.compute_dtype)
        positive, negative = ops.split(kernel, 2, axis=0)
        self.of_row = ops.concatenate([positive[:num], negative[:num]], axis=0)
        self.of_pixel = ops.concatenate([positive[num:], negative[num:]], axis=0)

    def start(self, batch_size, width):
        return self.first.start(batch_size, width), self.second.start(batch_size, width)

    def start_row(self, rows, beside):
        """As of other steps; `beside` (batch, width, filters) are the first channels of `skip`."""
        first, _, sums, left = self.first.start_row(rows[0], None)
        second, _, second_sums, second_left = self.second.start_row(rows[1], None)
        sums = sums + ops.matmul(concat_elu(beside), self.of_row)
        if self.code is not None:
            second_sums = second_sums + self.code
        return (first, second), None, (sums, second_sums), (left, second_left)

    def advance(self, x, prepared, left, skip=None):
        sums = prepared[0]
        if skip is not None:
            sums = backend.linear(concat_elu(skip), self.of_pixel, sums)
        y, first = self.first.advance(concat_elu(x), sums, left[0])
        y, second = self.second.advance(concat_elu(y), prepared[1], left[1])
        return x + gated(y), (first, second)

    def end_row(self, rows, lefts):
        return self.first.end_row(rows[0], lefts[0]), self.second.end_row(rows[1], lefts[1])
