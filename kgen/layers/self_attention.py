"""Attention of an image's pixels to each other."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class SelfAttention(keras.layers.Layer):
    """Every pixel takes from all others, by what it asks and they offer.

    y = softmax(q k' / sqrt(size)) v, q, k and v linear functions of the pixels, in each of `heads`
    parts of the channels; then a last linear function, which is 0 at first.

    (batch, height, width, channels) -> the same shape. The softmax is in float32.

    Args:
        heads: int. Divides the channels. Defaults to 1.
        last_initializer: initializer of the last function's kernel. Defaults to "zeros".

    Example:
    >>> y = kgen.layers.SelfAttention(2)(np.ones((1, 3, 3, 8)))
    >>> tuple(y.shape)
    (1, 3, 3, 8)

    Reference: Vaswani et al., Attention Is All You Need, 2017, eq. 1.
    https://arxiv.org/abs/1706.03762
    """

    def __init__(self, heads=1, last_initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.last_initializer = keras.initializers.get(last_initializer)

    def build(self, shape):
        *_, channels = shape
        if channels % self.heads:
            raise ValueError(
                f"Expected channels that divide into {self.heads} heads. Received: {channels}"
            )
        dtype = self.dtype_policy
        kernel = keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")
        self.asked = keras.layers.Dense(3 * channels, kernel_initializer=kernel, dtype=dtype)
        self.given = keras.layers.Dense(
            channels, kernel_initializer=self.last_initializer, dtype=dtype
        )
        self.asked.build(shape)
        self.given.build(shape)

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        size = channels // self.heads
        parts = ops.reshape(self.asked(inputs), (-1, height * width, 3, self.heads, size))
        q, k, v = (ops.transpose(parts[:, :, i], (0, 2, 1, 3)) for i in range(3))
        scores = ops.cast(ops.matmul(q * size**-0.5, ops.swapaxes(k, -1, -2)), "float32")
        weights = ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)
        outputs = ops.transpose(ops.matmul(weights, v), (0, 2, 1, 3))
        return self.given(ops.reshape(outputs, (-1, height, width, channels)))

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return super().get_config() | {
            "heads": self.heads,
            "last_initializer": keras.initializers.serialize(self.last_initializer),
        }
