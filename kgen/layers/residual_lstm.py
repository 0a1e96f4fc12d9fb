"""The residual block of PixelRNN."""

import keras

from kgen.layers.causal_step import ResidualStep
from kgen.layers.diagonal_bi_lstm import DiagonalBiLSTM
from kgen.layers.masked_conv2d import MaskedConv2D
from kgen.layers.row_lstm import RowLSTM

CELLS = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}


@keras.saving.register_keras_serializable("kgen")
class ResidualLSTM(keras.layers.Layer):
    """x + conv1x1(lstm(x)), the convolution of mask "B".

    Args:
        filters: int. Channels of the input and output; the LSTM has half as many, h.
        cell: "row" for a `RowLSTM`, "diagonal" for a `DiagonalBiLSTM`.
        colors: int. Colours of a pixel. Defaults to 1.

    Call:
        x: tensor (batch, height, width, filters).
        code: beside it, (batch, any), or for each pixel (batch, height, width, any); or None.

    Returns:
        Tensor (batch, height, width, filters).

    Example:
    >>> block = kgen.layers.ResidualLSTM(32, cell="row")
    >>> tuple(block(np.zeros((2, 28, 28, 32))).shape)
    (2, 28, 28, 32)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016, figure 5.
    https://arxiv.org/abs/1601.06759
    """

    def __init__(self, filters, cell, colors=1, **kwargs):
        super().__init__(**kwargs)
        if cell not in CELLS:
            raise ValueError(f"Expected cell in {list(CELLS)}. Received: {cell=}")
        self.filters = filters
        self.cell = cell
        self.colors = colors
        self.lstm = CELLS[cell](filters // 2, colors, dtype=self.dtype_policy)
        self.output_layer = MaskedConv2D(filters, 1, "B", colors, dtype=self.dtype_policy)

    def build(self, x_shape, code_shape=None):
        self.lstm.build(x_shape, code_shape)
        self.output_layer.build((*x_shape[:-1], self.filters // 2))

    def call(self, x, code=None):
        return x + self.output_layer(self.lstm(x, code))

    def compute_output_shape(self, x_shape, code_shape=None):
        return x_shape

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        return ResidualStep([self.lstm.step(code), self.output_layer.step()])

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "cell": self.cell,
            "colors": self.colors,
        }
