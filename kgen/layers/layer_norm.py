"""Layer normalization whose second derivative is right on every backend."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class LayerNorm(keras.layers.Layer):
    """Layer normalization: each example to mean 0 and variance 1, then a scale and an offset.

    y = gamma (x - mean) / sqrt(var + epsilon) + beta

    It can stand in a critic under a gradient penalty. On TensorFlow `keras.ops.moments` stops the
    gradient of the mean, so that the second derivative of `keras.layers.LayerNormalization` is
    wrong by some percent there.

    Args:
        axis: int or tuple of int. What mean and variance are taken over. Defaults to -1.
        epsilon: float. Added to the variance. Defaults to 1e-3.

    Input and output have the same shape; gamma and beta are one value for each entry of the last
    axis.

    Example:
    >>> y = kgen.layers.LayerNorm(axis=(1, 2, 3))(np.random.rand(2, 8, 8, 16))
    >>> tuple(y.shape)
    (2, 8, 8, 16)

    Reference: Ba et al., Layer Normalization, 2016. https://arxiv.org/abs/1607.06450
    """

    def __init__(self, axis=-1, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon

    def build(self, input_shape):
        shape = {"shape": input_shape[-1:], "autocast": False}  # half precision would round them
        self.gamma = self.add_weight(**shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(**shape, initializer="zeros", name="beta")

    def call(self, inputs):
        # Half precision would lose the variance.
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        x = ops.cast(inputs, dtype)
        x = x - ops.mean(x, axis=self.axis, keepdims=True)
        var = ops.mean(ops.square(x), axis=self.axis, keepdims=True)
        x = x / ops.sqrt(var + self.epsilon) * ops.cast(self.gamma, dtype)
        return ops.cast(x + ops.cast(self.beta, dtype), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"axis": self.axis, "epsilon": self.epsilon}
