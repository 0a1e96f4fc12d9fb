"""Batch normalization whose second derivative is right on every backend."""

import keras
from keras import ops

from kgen import backend


@keras.saving.register_keras_serializable("kgen")
class BatchNorm(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` with the same arguments and numbers.

    It can stand in a discriminator under a penalty on its gradient. On TensorFlow
    `keras.ops.moments` stops the gradient of the mean, so that the second derivative of Keras'
    layer is wrong by some percent there. On several replicas the moments are those of the whole
    batch, on every backend.

    Args:
        *args: those of `keras.layers.BatchNormalization`.
        synchronized: bool. Over all replicas; with False each has moments of its own, but on JAX,
            where there is one batch only. Defaults to True.
        **kwargs: those of `keras.layers.BatchNormalization`.

    Example:
    >>> y = kgen.layers.BatchNorm()(np.random.rand(8, 4), training=True)
    >>> tuple(y.shape)
    (8, 4)

    Reference: Ioffe & Szegedy, Batch Normalization, 2015. https://arxiv.org/abs/1502.03167
    """

    def __init__(self, *args, synchronized=True, **kwargs):
        super().__init__(*args, **kwargs)
        self.synchronized = synchronized  # which Keras refuses but on TensorFlow

    def _moments(self, inputs, mask):
        if mask is not None:
            raise ValueError("Expected no mask: batches of images have none.")
        mean = self._mean(inputs)
        variance = self._mean(ops.square(inputs - mean))
        return (ops.squeeze(moment, axis=self._reduction_axes) for moment in (mean, variance))

    def _mean(self, x):
        mean = ops.mean(x, axis=self._reduction_axes, keepdims=True)
        return backend.mean_over_replicas(mean) if self.synchronized else mean
