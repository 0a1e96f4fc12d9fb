"""Real-valued pixels, all of one standard deviation."""

import math

import keras
from keras import ops

from kgen.checks import number
from kgen.distributions.distribution import Distribution
from kgen.losses import normal_nll


@keras.saving.register_keras_serializable("kgen")
class FixedNormal(Distribution):
    """Real-valued pixels of one standard deviation; the decoder gives their means.

    -log p(x) is the squared error over 2 std^2, and a constant: a smaller std weighs it more
    against the divergence. What suits data is about the error that is left (Rybkin et al. 2021,
    https://arxiv.org/abs/2006.13202).

    Args:
        std: float above 0, where pixels are in [0, 1]. Defaults to 0.1.
    """

    parameters = 1
    has_bits_per_dim = False

    def __init__(self, std=0.1):
        self.std = number("std", std, above=0)

    def observe(self, x, noise):
        """Images in [0, 1], as they are."""
        return x

    def nll(self, x, mean):
        """-log p(x | mean), shape (batch,), in nats."""
        return normal_nll(x, mean, ops.full_like(mean, 2.0 * math.log(self.std)))

    def mean(self, mean):
        """The mean image, in [0, 1]."""
        return ops.clip(mean, 0.0, 1.0)

    def output_for(self, mean):
        """The decoder's output whose mean image is `mean`, a NumPy array."""
        return mean

    def get_config(self):
        return {"std": self.std}
