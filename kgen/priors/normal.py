"""The normal prior."""

import math

import keras
from keras import ops

from kgen.priors.prior import Prior


@keras.saving.register_keras_serializable("kgen")
class Normal(Prior):
    """N(0, I).

    Args:
        size: int. Length of z.
    """

    def draw(self, noise, num):
        return noise.normal((num, self.size))

    def log_prob(self, z):
        return -0.5 * ops.sum(ops.square(z) + math.log(2.0 * math.pi), axis=-1)
