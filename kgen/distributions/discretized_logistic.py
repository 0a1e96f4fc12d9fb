"""8-bit pixels."""

import keras
import numpy as np
from keras import ops

from kgen.distributions.distribution import Distribution
from kgen.losses import discretized_logistic_nll


@keras.saving.register_keras_serializable("kgen")
class DiscretizedLogistic(Distribution):
    """8-bit pixels; the decoder gives a logistic's mean, in [-1, 1], and log-scale side by side."""

    parameters = 2
    unbounded = True
    has_bits_per_dim = True

    def observe(self, x, noise):
        """Images in [0, 1] on the grid of 256 levels."""
        return ops.round(x * 255.0) / 255.0

    def nll(self, x, outputs):
        """-log p(x | outputs), shape (batch,), in nats."""
        mean, log_scale = ops.split(outputs, 2, axis=-1)
        return discretized_logistic_nll(2.0 * x - 1.0, mean, ops.clip(log_scale, -7.0, 7.0))

    def mean(self, outputs):
        """The image of the logistics' means, in [0, 1]."""
        return ops.clip(0.5 * (ops.split(outputs, 2, axis=-1)[0] + 1.0), 0.0, 1.0)

    def output_for(self, mean):
        """The decoder's output whose mean image is `mean`, a NumPy array."""
        return np.concatenate([2.0 * mean - 1.0, np.zeros_like(mean)], axis=-1)
