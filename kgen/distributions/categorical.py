"""Pixels of so many levels, each with a probability of its own."""

import keras
import numpy as np
from keras import ops

from kgen.checks import whole_number
from kgen.distributions.distribution import Distribution
from kgen.losses import levels_nll

MOST_LEVELS = 65536  # which float32 tells apart in [0, 1]


@keras.saving.register_keras_serializable("kgen")
class Categorical(Distribution):
    """Pixels of so many levels; the network gives a logit for each, side by side.

    With 2 levels grey images are binarized anew each time they are seen.

    Args:
        levels: int. Values of a pixel and colour. Defaults to 256, those of 8 bits.
    """

    unbounded = True

    def __init__(self, levels=256):
        self.levels = whole_number("levels", levels, at_least=2, at_most=MOST_LEVELS)
        self.parameters = self.levels

    @property
    def has_bits_per_dim(self):
        return self.levels > 2  # binarized images have less to tell than others

    def nll(self, x, logits):
        """-log p(x | logits), shape (batch,), in nats."""
        return levels_nll(ops.cast(ops.round(x * (self.levels - 1)), "int32"), self._split(logits))

    def _split(self, logits):
        *shape, channels = ops.shape(logits)
        by_color = ops.reshape(logits, (*shape, self.levels, channels // self.levels))
        return ops.swapaxes(by_color, -1, -2)

    def mean(self, logits):
        """The mean image, in [0, 1]."""
        p = ops.softmax(self._split(logits), axis=-1)
        return ops.sum(p * ops.linspace(0.0, 1.0, self.levels, dtype=p.dtype), axis=-1)

    def output_for(self, mean):
        """The decoder's output whose mean image is `mean`, a NumPy array: of binomials."""
        *shape, colors = mean.shape
        p, n = np.clip(mean, 0.001, 0.999)[..., None, :], self.levels - 1
        k = np.arange(self.levels)[:, None]
        log_factorial = np.cumsum(np.log(np.maximum(np.arange(self.levels), 1)))
        ways = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
        logits = ways + k * np.log(p) + (n - k) * np.log1p(-p)
        return logits.reshape(*shape, self.levels * colors)

    def prepare(self, uniform, known, temperature):
        """What `draw` takes, of numbers in (0, 1) and of pixels in [0, 1], -1 where unknown."""
        return [uniform, known]

    def draw(self, logits, before, temperature, uniform, known):
        """The level in [0, 1] whose interval of the distribution function the number falls into.

        Args:
            logits: float32 tensor (batch, levels), those of one colour at one pixel.
            before: list of the pixel's colours before it, in [-1, 1].
            temperature: float32 scalar.
            uniform: tensor (batch, 1).
            known: tensor (batch, 1).
        """
        below = ops.cumsum(ops.softmax(logits / temperature, axis=-1), axis=-1)[:, :-1] <= uniform
        level = ops.sum(ops.cast(below, "float32"), axis=-1, keepdims=True)
        return ops.where(known < 0, level / (self.levels - 1), known)

    def get_config(self):
        return {"levels": self.levels}
