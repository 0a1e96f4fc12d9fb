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

    def call(self, inputs, training=None, mask=None):
        if not training or not self.trainable or not self._is_plain(mask):
            return super().call(inputs, training=training, mask=mask)
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        x, gamma, beta = (
            None if each is None else ops.cast(each, dtype)
            for each in (inputs, self.gamma, self.beta)
        )
        normalized = backend.batch_norm(x, gamma, beta, self.epsilon, self.synchronized)
        if normalized is None:
            return super().call(inputs, training=training, mask=mask)
        outputs, mean, variance = normalized
        for moving, moment in ((self.moving_mean, mean), (self.moving_variance, variance)):
            before = ops.cast(moving, dtype)
            moving.assign(before * self.momentum + moment * (1.0 - self.momentum))
        return ops.cast(outputs, self.compute_dtype)

    def _is_plain(self, mask):
        is_last = self.axis in (-1, len(self._reduction_axes))
        return mask is None and is_last and not getattr(self, "renorm", False)

    def _moments(self, inputs, mask):
        if mask is not None:
            raise ValueError("Expected no mask: batches of images have none.")
        mean = ops.mean(inputs, axis=self._reduction_axes, keepdims=True)
        squares = ops.square(inputs - mean)
        variance = ops.mean(squares, axis=self._reduction_axes)
        mean = ops.squeeze(mean, axis=self._reduction_axes)
        if not self.synchronized:
            return mean, variance
        return backend.moments_over_replicas(mean, variance)
