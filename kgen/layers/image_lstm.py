"""What the layers of PixelRNN share: an LSTM over an image, whose maps are convolutions."""

import keras
import numpy as np
from keras import ops

from kgen.layers.causal_step import PointwiseStep
from kgen.layers.masked_conv2d import MaskedConv2D


class ImageLSTM(keras.layers.Layer):
    """An LSTM whose state at a pixel is made from the states at pixels before it.

    [o, f, i, g] = [sigmoid, sigmoid, sigmoid, tanh](K_ss * h + K_is * x),  c = f c + i g,
    h = o tanh(c)   (eq. 3). Outside the image h and c are 0; the bias of f begins at 1, as that of
    Keras' LSTM does.

    Args:
        filters: int. Channels of the state.
        colors: int. Colours of a pixel.
        directions: int. States that go their own way.
        kernel_size: pair of int. Of K_is, of mask "B".
        seen: int. Pixels whose h a state is made from.
    """

    def __init__(self, filters, colors, directions, kernel_size, seen, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.colors = colors
        self.directions = directions
        self.seen = seen
        self.input_to_state = MaskedConv2D(
            directions * 4 * filters,
            kernel_size,
            "B",
            colors,
            gates=directions * 4,
            bias_initializer=self._remembering,
            dtype=self.dtype_policy,
        )
        self.of_code = None

    def _remembering(self, shape, dtype=None):
        """Biases at first: of o, f, i, g in each direction 1 for f."""
        gates = np.arange(*shape) // self.filters % 4
        return ops.convert_to_tensor((gates == 1).astype("float32"), dtype)

    def build(self, x_shape, code_shape=None):
        self.input_to_state.build(x_shape)
        self.state_to_state = self.add_weight(
            shape=(self.directions, self.seen * self.filters, 4 * self.filters),
            initializer="glorot_uniform",
            name="state_to_state",
        )
        if code_shape is not None:
            self.of_code = keras.layers.Dense(
                self.input_to_state.filters, use_bias=False, dtype=self.dtype_policy
            )
            self.of_code.build(code_shape)

    def compute_output_shape(self, x_shape, code_shape=None):
        return (*x_shape[:-1], self.filters)

    def added(self, code):
        """What a code adds to the gates, (batch, 1 or height, 1 or width, gates), or None."""
        if code is None:
            return None
        added = self.of_code(code)
        return added if len(added.shape) == 4 else added[:, None, None]

    def from_input(self, x, code):
        """The gates' sums without those of the states before, (batch, height, width, gates)."""
        sums, added = self.input_to_state(x), self.added(code)
        return sums if added is None else sums + added

    def get_config(self):
        return super().get_config() | {"filters": self.filters, "colors": self.colors}


def next_state(sums, c):
    """The next h and c, (..., filters) each, of the gates' sums (..., 4 * filters)."""
    o, f, i, g = ops.split(sums, 4, axis=-1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    return ops.sigmoid(o) * ops.tanh(c), c


class ImageLSTMStep(PointwiseStep):
    """An `ImageLSTM` in a loop over pixels. Of the rows above it keeps the row's number first.

    Args:
        layer: the `ImageLSTM`.
        code: the code (batch, any), that of each pixel (batch, height, width, any), or None.
    """

    def __init__(self, layer, code):
        self.filters = layer.filters
        self.kernels = ops.cast(layer.state_to_state, layer.compute_dtype)
        self.added = layer.added(code)
        if self.added is not None:
            self.added = ops.split(self.added, layer.directions, axis=-1)

    def start(self, batch_size, width):
        row = ops.zeros((batch_size,), "int32")
        return row, self.nothing(batch_size, width), self.nothing(batch_size, width)

    def nothing(self, *shape):
        """The state outside the image, (*shape, filters)."""
        return ops.zeros((*shape, self.filters), self.kernels.dtype)

    def with_code(self, sums, row, direction=0):
        """The gates' sums of a row, (batch, width, gates), and what the code adds to them."""
        if self.added is None:
            return sums
        added = self.added[direction]
        row = ops.minimum(row[0], added.shape[1] - 1)  # rows may be padded
        return sums + ops.take(added, row, axis=1)
