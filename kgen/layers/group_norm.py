"""Group normalization in fewer passes over the pixels than Keras'."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class GroupNorm(keras.layers.Layer):
    """Group normalization: the channels of each group to mean 0 and variance 1 over all pixels.

    y = gamma (x - mean) / sqrt(var + epsilon) + beta, in float32 whatever is computed in. Unlike
    PyTorch's own, it is exact where the mean is large and the channels lie last.

    (batch, height, width, channels) -> the same shape; gamma and beta are one number a channel.

    Args:
        groups: int. Divides the channels.
        epsilon: float. Added to the variance. Defaults to 1e-6.

    Example:
    >>> y = kgen.layers.GroupNorm(4)(np.random.rand(2, 8, 8, 16))
    >>> tuple(y.shape)
    (2, 8, 8, 16)

    Reference: Wu & He, Group Normalization, 2018. https://arxiv.org/abs/1803.08494
    """

    def __init__(self, groups, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups
        self.epsilon = epsilon

    def build(self, input_shape):
        *_, channels = input_shape
        if channels % self.groups:
            raise ValueError(
                f"Expected channels that divide into {self.groups} groups. Received: {channels}"
            )
        shape = {"shape": (channels,), "autocast": False}  # half precision would round them
        self.gamma = self.add_weight(**shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(**shape, initializer="zeros", name="beta")

    def call(self, inputs):
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        x, gamma, beta = (ops.cast(each, dtype) for each in (inputs, self.gamma, self.beta))
        x = x - self._mean_of_group(x)
        var = self._mean_of_group(ops.square(x))
        y = x * (gamma * ops.rsqrt(var + self.epsilon)) + beta
        return ops.cast(y, self.compute_dtype)

    def _mean_of_group(self, x):
        """(batch, 1, 1, channels): first of the pixels, which are many, then of the channels."""
        *_, channels = x.shape
        of_channel = ops.reshape(
            ops.mean(x, axis=(1, 2)), (-1, self.groups, channels // self.groups)
        )
        of_group = ops.repeat(ops.mean(of_channel, axis=-1), channels // self.groups, axis=1)
        return of_group[:, None, None]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"groups": self.groups, "epsilon": self.epsilon}
