"""The normal prior."""

import math

import keras
from keras import ops

from kgen.priors.prior import Prior


@keras.saving.register_keras_serializable("kgen")
class Normal(Prior):
    """N(0, I). Its parts are sectors of the first two numbers.

    Args:
        size: int. Length of z.
    """

    def draw(self, noise, num):
        return noise.normal((num, self.size))

    def check_parts(self, num_parts):
        if self.size < 2:
            raise ValueError(
                "Expected a normal prior of at least two numbers, to be parted into sectors. "
                f"Received: size={self.size}"
            )

    def _draw_parts(self, noise, part, num_parts):
        z = self.draw(noise, ops.shape(part)[0])
        x, y = z[:, :1], z[:, 1:2]
        turn = ops.arctan2(y, x) / (2.0 * math.pi) % 1.0
        angle = (part + turn) / num_parts * (2.0 * math.pi)
        radius = ops.sqrt(ops.square(x) + ops.square(y))
        ends = radius * ops.cos(angle), radius * ops.sin(angle)
        return ops.concatenate([*ends, z[:, 2:]], axis=1)

    def log_prob(self, z):
        return -0.5 * ops.sum(ops.square(z) + math.log(2.0 * math.pi), axis=-1)
