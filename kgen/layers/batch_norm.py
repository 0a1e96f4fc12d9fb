"""Batch normalization whose second derivative is right on every backend."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class BatchNorm(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` with the same arguments and numbers.

    It can stand in a discriminator under a penalty on its gradient. On TensorFlow
    `keras.ops.moments` stops the gradient of the mean, so that the second derivative of Keras'
    layer is wrong by some percent there.

    Example:
    >>> y = kgen.layers.BatchNorm()(np.random.rand(8, 4), training=True)
    >>> tuple(y.shape)
    (8, 4)

    Reference: Ioffe & Szegedy, Batch Normalization, 2015. https://arxiv.org/abs/1502.03167
    """

    def _moments(self, inputs, mask):
        if mask is not None or self.synchronized:
            return super()._moments(inputs, mask)
        mean = ops.mean(inputs, axis=self._reduction_axes, keepdims=True)
        variance = ops.mean(ops.square(inputs - mean), axis=self._reduction_axes)
        return ops.squeeze(mean, axis=self._reduction_axes), variance
