"""Real-valued pixels."""

import math

import keras
import numpy as np
from keras import ops

from kgen.distributions.distribution import Distribution
from kgen.losses import normal_nll


@keras.saving.register_keras_serializable("kgen", "NormalPixels")
class Normal(Distribution):
    """Real-valued pixels; the decoder gives mean and log-variance side by side.

    The standard deviation is at least 1/255: a narrower density would describe the rounding.
    """

    parameters = 2
    unbounded = True
    has_bits_per_dim = False
    min_log_var = -2.0 * math.log(255.0)

    def observe(self, x, noise):
        """Images in [0, 1], as they are."""
        return x

    def nll(self, x, outputs):
        """-log p(x | outputs), shape (batch,), in nats."""
        mean, log_var = ops.split(outputs, 2, axis=-1)
        return normal_nll(x, mean, ops.maximum(log_var, self.min_log_var))

    def mean(self, outputs):
        """The mean image, in [0, 1]."""
        return ops.clip(ops.split(outputs, 2, axis=-1)[0], 0.0, 1.0)

    def output_for(self, mean):
        """The decoder's output whose mean image is `mean`, a NumPy array."""
        return np.concatenate([mean, np.zeros_like(mean)], axis=-1)
