"""The uniform prior."""

import math

import keras
from keras import ops

from kgen.priors.prior import Prior


@keras.saving.register_keras_serializable("kgen")
class Uniform(Prior):
    """Uniform in [-1, 1]^size. Its parts are slices of the first number.

    Args:
        size: int. Length of z.
    """

    has_full_support = False

    def draw(self, noise, num):
        return noise.uniform((num, self.size), -1.0, 1.0)

    def check_parts(self, num_parts):
        pass

    def _draw_parts(self, noise, part, num_parts):
        z = self.draw(noise, ops.shape(part)[0])
        first = (2.0 * part + z[:, :1] + 1.0) / num_parts - 1.0
        return ops.concatenate([first, z[:, 1:]], axis=1)

    def log_prob(self, z):
        is_inside = ops.all(ops.abs(z) <= 1.0, axis=-1)
        return ops.where(is_inside, -self.size * math.log(2.0), -math.inf)
