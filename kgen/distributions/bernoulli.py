"""Binary pixels."""

import keras
import numpy as np
from keras import ops

from kgen.distributions.distribution import Distribution
from kgen.losses import bernoulli_nll


@keras.saving.register_keras_serializable("kgen")
class Bernoulli(Distribution):
    """Binary pixels. Grey images are binarized anew each time they are seen."""

    levels = 2
    parameters = 1
    unbounded = True
    has_bits_per_dim = False  # binarized images have less to tell than others

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

    def prepare(self, uniform, known, temperature):
        """What `draw` takes, of numbers in (0, 1) and of pixels in [0, 1], -1 where unknown.

        uniform < sigmoid(logit / temperature), for the logit; of all pixels at once.
        """
        threshold = temperature * (ops.log(uniform) - ops.log1p(-uniform))
        return [ops.where(known < 0, threshold, ops.where(known > 0, -np.inf, np.inf))]

    def draw(self, logits, before, temperature, threshold):
        """1 where the logit of one colour at one pixel is above the threshold, else 0.

        Args:
            logits: float32 tensor (batch, 1).
            before: list of the pixel's colours before it.
            temperature: float32 scalar.
            threshold: tensor (batch, 1).
        """
        return ops.cast(logits > threshold, "float32")
