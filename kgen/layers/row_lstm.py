"""The Row LSTM."""

import keras
from keras import ops

from kgen.layers.image_lstm import ImageLSTM, ImageLSTMStep, next_state
from kgen.layers.scan_row import scan_row


@keras.saving.register_keras_serializable("kgen")
class RowLSTM(ImageLSTM):
    """An LSTM from row to row, whose state is made from three pixels of the row above.

    It sees a triangle above each pixel, to the left one column wider (van den Oord et al. 2016,
    section 3.1). The bias of the forget gate begins at 1.

    Args:
        filters: int. Channels of the state.
        colors: int. Colours of a pixel. Defaults to 1.

    Call:
        x: tensor (batch, height, width, channels).
        code: beside it, (batch, any), or for each pixel (batch, height, width, any); or None.

    Returns:
        Tensor (batch, height, width, filters).

    Example:
    >>> layer = kgen.layers.RowLSTM(8)
    >>> tuple(layer(np.zeros((2, 28, 28, 16))).shape)
    (2, 28, 28, 8)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016.
    https://arxiv.org/abs/1601.06759
    """

    def __init__(self, filters, colors=1, **kwargs):
        super().__init__(filters, colors, directions=1, kernel_size=(1, 3), seen=3, **kwargs)

    def call(self, x, code=None):
        kernel = ops.convert_to_tensor(self.state_to_state)[0]
        sums = self.from_input(x, code)

        def advance(_, state, sums):
            h, c = state
            return next_state(sums + ops.matmul(_three(h), kernel), c)

        start = ops.zeros_like(sums[:, 0, :, : self.filters])
        h, _ = scan_row(advance, (start, start), sums)
        return h

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        return RowLSTMStep(self, code)


class RowLSTMStep(ImageLSTMStep):
    """A `RowLSTM` in a loop over pixels: what a row gives the next, once a row."""

    def __init__(self, layer, code):
        super().__init__(layer, code)
        self.input_to_state = layer.input_to_state.step()

    def start_row(self, rows, above):
        row, h, c = rows
        own_rows = self.input_to_state.start(*ops.shape(h)[:2])
        _, _, sums, left = self.input_to_state.start_row(own_rows, None)
        sums = self.with_code(sums, row) + ops.matmul(_three(h), self.kernels[0])
        nothing = self.nothing(ops.shape(h)[0])
        return rows, above, (sums, c), (left, nothing, nothing)

    def advance(self, x, prepared, left):
        sums, c = prepared
        sums, window = self.input_to_state.advance(x, sums, left[0])
        h, c = next_state(sums, c)
        return h, (window, h, c)

    def end_row(self, rows, lefts):
        _, h, c = lefts
        return rows[0] + 1, h, c


def _three(h):
    """The states of a row (batch, width, filters) at the column to the left, here and right."""
    padded = ops.pad(h, ((0, 0), (1, 1), (0, 0)))
    return ops.concatenate([padded[:, :-2], h, padded[:, 2:]], axis=-1)
