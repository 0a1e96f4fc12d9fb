"""The Diagonal BiLSTM."""

import keras
from keras import ops

from kgen import backend
from kgen.layers.image_lstm import ImageLSTM, ImageLSTMStep, next_state
from kgen.layers.scan_row import scan_row


@keras.saving.register_keras_serializable("kgen")
class DiagonalBiLSTM(ImageLSTM):
    """Two LSTMs along the diagonals, from the upper corners, which together see all before a pixel.

    The state of one is made from those above and to the left, of the other from those above and to
    the right; it is shifted down by a row, so that no pixel sees what comes after it, and added
    (van den Oord et al. 2016, section 3.2). All pixels of a diagonal are computed at once. The bias
    of the forget gate begins at 1.

    Args:
        filters: int. Channels of each state.
        colors: int. Colours of a pixel. Defaults to 1.

    Call:
        x: tensor (batch, height, width, channels).
        code: beside it, (batch, any), or for each pixel (batch, height, width, any); or None.

    Returns:
        Tensor (batch, height, width, filters).

    Example:
    >>> layer = kgen.layers.DiagonalBiLSTM(8)
    >>> tuple(layer(np.zeros((2, 28, 28, 16))).shape)
    (2, 28, 28, 8)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016.
    https://arxiv.org/abs/1601.06759
    """

    def __init__(self, filters, colors=1, **kwargs):
        super().__init__(filters, colors, directions=2, kernel_size=(1, 1), seen=2, **kwargs)

    def call(self, x, code=None):
        kernels = ops.convert_to_tensor(self.state_to_state)
        from_left, from_right = ops.split(self.from_input(x, code), 2, axis=-1)
        sums = ops.stack([from_left, ops.flip(from_right, 2)])
        # Before a row's first pixel the sums are 0, and so the states stay 0.
        diagonals = ops.transpose(skew(sums), (0, 3, 1, 2, 4))

        def advance(_, state, sums):
            h, c = state
            above = ops.pad(h[:, :, :-1], ((0, 0), (0, 0), (1, 0), (0, 0)))
            seen = ops.concatenate([above, h], axis=-1)
            shape = ops.shape(seen)
            seen = ops.reshape(seen, (2, -1, shape[-1]))
            return next_state(sums + ops.reshape(ops.matmul(seen, kernels), ops.shape(sums)), c)

        start = ops.zeros_like(diagonals[:, 0, ..., : self.filters])
        h, _ = scan_row(advance, (start, start), diagonals)
        from_left, from_right = ops.unstack(unskew(ops.transpose(h, (0, 2, 3, 1, 4))))
        above = ops.flip(from_right[:, :-1], 2)
        return from_left + ops.pad(above, ((0, 0), (1, 0), (0, 0), (0, 0)))

    def step(self, code=None):
        """The layer in a loop over pixels, with its weights as they are now."""
        return DiagonalBiLSTMStep(self, code)


class DiagonalBiLSTMStep(ImageLSTMStep):
    """A `DiagonalBiLSTM` in a loop over pixels: the state from the right once the row is made."""

    def __init__(self, layer, code):
        super().__init__(layer, code)
        dtype, convolution = layer.compute_dtype, layer.input_to_state
        _, kernel = convolution.split_kernel(ops.cast(convolution.kernel, dtype))
        of_x = ops.split(kernel[0], 2, axis=-1)
        self.biases = ops.split(ops.cast(convolution.bias, dtype), 2)
        self.above, beside = (ops.unstack(each) for each in ops.split(self.kernels, 2, axis=1))
        self.here = ops.concatenate([of_x[0], beside[0]])
        self.of_x, self.right = of_x[1], beside[1]

    def start_row(self, rows, above):
        row, h, from_right = rows
        sums = self.with_code(ops.matmul(h, self.above[0]) + self.biases[0], row, 0)
        batch, inputs = ops.shape(h)[0], self.of_x.shape[0]
        nothing = self.nothing(batch)
        left = nothing, nothing, ops.zeros((batch, inputs), self.kernels.dtype)
        return rows, above, (sums, from_right), left

    def advance(self, x, prepared, left):
        (sums, from_right), (h, c, _) = prepared, left
        seen = ops.concatenate([x, h], axis=-1)
        h, c = next_state(backend.linear(seen, self.here, sums), c)
        return h + from_right, (h, c, x)

    def end_row(self, rows, lefts):
        row, _, above = rows
        from_left, _, x = lefts
        sums = ops.matmul(x, self.of_x) + ops.matmul(above, self.above[1]) + self.biases[1]

        def advance(_, state, sums):
            h, c = state
            return next_state(backend.linear(h, self.right, sums), c)

        nothing = self.nothing(ops.shape(x)[0])
        sums = ops.flip(self.with_code(sums, row, 1), 1)
        from_right, _ = scan_row(advance, (nothing, nothing), sums)
        return row + 1, from_left, ops.flip(from_right, 1)


def skew(x):
    """Maps whose row r is shifted r to the right, so that a column is a diagonal; 0 elsewhere.

    Args:
        x: tensor (any, batch, height, width, channels).

    Returns:
        Tensor (any, batch, height, width + height - 1, channels).
    """
    num, batch, height, width, channels = ops.shape(x)
    x = ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, height), (0, 0)))
    x = ops.reshape(x, (num, batch, height * (width + height), channels))[:, :, :-height]
    return ops.reshape(x, (num, batch, height, width + height - 1, channels))


def unskew(x):
    """What `skew` was given, without its filling."""
    num, batch, height, columns, channels = ops.shape(x)
    x = ops.reshape(x, (num, batch, height * columns, channels))
    x = ops.pad(x, ((0, 0), (0, 0), (0, height), (0, 0)))
    x = ops.reshape(x, (num, batch, height, columns + 1, channels))
    return x[:, :, :, : columns + 1 - height]
