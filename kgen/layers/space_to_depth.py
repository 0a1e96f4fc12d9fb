"""Blocks of pixels as channels, and back."""

import keras
from keras import ops

from kgen.checks import whole_number


@keras.saving.register_keras_serializable("kgen")
class SpaceToDepth(keras.layers.Layer):
    """Each block of `size` x `size` pixels becomes one, of as many times the channels.

    (batch, height, width, channels) -> (batch, height / size, width / size, size^2 * channels).

    Args:
        size: int. Divides height and width.

    Example:
    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> keras.ops.convert_to_numpy(kgen.layers.SpaceToDepth(2)(x))[0, 0, 0].tolist()
    [0.0, 1.0, 4.0, 5.0]
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = whole_number("size", size)

    def build(self, shape):
        if shape[1] % self.size or shape[2] % self.size:
            raise ValueError(
                f"Expected a height and a width that size={self.size} divides. Received: {shape}"
            )

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        size = self.size
        x = ops.reshape(inputs, (-1, height // size, size, width // size, size, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, height // size, width // size, size * size * channels))

    def compute_output_shape(self, shape):
        batch, height, width, channels = shape
        return (batch, height // self.size, width // self.size, self.size**2 * channels)

    def get_config(self):
        return super().get_config() | {"size": self.size}


@keras.saving.register_keras_serializable("kgen")
class DepthToSpace(keras.layers.Layer):
    """What `SpaceToDepth` of this size is undone by.

    (batch, height, width, size^2 * channels) -> (batch, size * height, size * width, channels).

    Args:
        size: int. Its square divides the channels.

    Example:
    >>> x = np.random.rand(2, 4, 6, 3)
    >>> y = kgen.layers.DepthToSpace(2)(kgen.layers.SpaceToDepth(2)(x))
    >>> np.allclose(keras.ops.convert_to_numpy(y), x)
    True
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = whole_number("size", size)

    def build(self, shape):
        if shape[3] % self.size**2:
            raise ValueError(f"Expected channels that {self.size}^2 divides. Received: {shape}")

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        size, left = self.size, channels // self.size**2
        x = ops.reshape(inputs, (-1, height, width, size, size, left))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, size * height, size * width, left))

    def compute_output_shape(self, shape):
        batch, height, width, channels = shape
        return (batch, height * self.size, width * self.size, channels // self.size**2)

    def get_config(self):
        return super().get_config() | {"size": self.size}
