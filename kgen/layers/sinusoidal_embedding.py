"""A number as sines and cosines."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class SinusoidalEmbedding(keras.layers.Layer):
    """A number t as the sines and then the cosines of t times falling frequencies, 1 to 1/10000.

    (batch,) -> (batch, size): sin(t w_i), and then cos(t w_i), w_i = 10000^(-i / (size/2 - 1)), as
    the authors' code of DDPM has it. In float32, whatever the layers after it compute in.

    Args:
        size: int. Even, at least 4.

    Example:
    >>> tuple(kgen.layers.SinusoidalEmbedding(8)(np.array([0.0, 10.0])).shape)
    (2, 8)

    Reference: Vaswani et al., Attention Is All You Need, 2017, section 3.5.
    https://arxiv.org/abs/1706.03762
    """

    def __init__(self, size, **kwargs):
        super().__init__(**{"dtype": "float32"} | kwargs)
        if size % 2 or size < 4:
            raise ValueError(f"Expected size as an even number of at least 4. Received: {size=}")
        self.size = size

    def call(self, t):
        half = self.size // 2
        frequencies = ops.exp(ops.arange(half, dtype="float32") * (-math.log(1e4) / (half - 1)))
        angles = ops.cast(t, "float32")[:, None] * frequencies
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)

    def compute_output_shape(self, shape):
        return (*shape, self.size)

    def get_config(self):
        return super().get_config() | {"size": self.size}
