"""Where on the image a pixel or a patch is."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class PositionEmbedding(keras.layers.Layer):
    """Adds sines and cosines of the row and the column to the channels of each pixel.

    The first half of the channels is of the row, the second of the column; each half has the sines
    and then the cosines of it times falling frequencies, 10000^(-i / n), n a fourth of the
    channels. Nothing of it is learned.

    (batch, height, width, channels) -> the same shape, channels a multiple of 4.

    Example:
    >>> tuple(kgen.layers.PositionEmbedding()(np.zeros((1, 3, 3, 8))).shape)
    (1, 3, 3, 8)

    Reference: Vaswani et al., Attention Is All You Need, 2017, section 3.5, as Peebles & Xie 2022
    have it of two dimensions. https://arxiv.org/abs/2212.09748
    """

    def build(self, shape):
        _, height, width, channels = shape
        if channels % 4:
            raise ValueError(f"Expected channels as a multiple of 4. Received: {channels}")
        frequencies = 1e4 ** (-np.arange(channels // 4) / (channels // 4))
        rows, columns = (
            np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
            for angles in (np.arange(size)[:, None] * frequencies for size in (height, width))
        )
        every = (height, width, channels // 2)
        of_row, of_column = np.broadcast_to(rows[:, None], every), np.broadcast_to(columns, every)
        self.table = np.concatenate([of_row, of_column], axis=-1).astype("float32")

    def call(self, inputs):
        return inputs + ops.cast(self.table, self.compute_dtype)

    def compute_output_shape(self, shape):
        return shape
