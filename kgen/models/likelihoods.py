"""What a decoder's outputs mean: p(x | z) for binary, real-valued and 8-bit pixels."""

import math

import numpy as np
from keras import ops

from kgen.losses import bernoulli_nll, discretized_logistic_nll, normal_nll


class Bernoulli:
    """Binary pixels. Grey images are binarized anew each time they are seen."""

    parameters = 1
    discrete = True

    def observe(self, x, uniform):
        """Images in [0, 1] as the encoder and `nll` take them; `uniform` draws noise of a shape."""
        return ops.cast(ops.less(uniform(ops.shape(x)), x), "float32")

    def nll(self, x, logits):
        """-log p(x | logits), shape (batch,), in nats."""
        return bernoulli_nll(x, logits)

    def mean(self, logits):
        """The mean image, in [0, 1]."""
        return ops.sigmoid(logits)

    def output_for(self, mean):
        """The decoder's output whose mean image is `mean`, a NumPy array."""
        mean = np.clip(mean, 0.001, 0.999)
        return np.log(mean) - np.log1p(-mean)


class Normal:
    """Real-valued pixels; the decoder gives mean and log-variance side by side.

    The standard deviation is at least 1/255: a narrower density would describe the rounding.
    """

    parameters = 2
    discrete = False
    min_log_var = -2.0 * math.log(255.0)

    def observe(self, x, uniform):
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


class DiscretizedLogistic:
    """8-bit pixels; the decoder gives a logistic's mean, in [-1, 1], and log-scale side by side."""

    parameters = 2
    discrete = True

    def observe(self, x, uniform):
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


LIKELIHOODS = {
    "bernoulli": Bernoulli(),
    "normal": Normal(),
    "discretized_logistic": DiscretizedLogistic(),
}
