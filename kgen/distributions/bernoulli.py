"""Binary pixels."""

import numpy as np
from keras import ops

from kgen.losses import bernoulli_nll


class Bernoulli:
    """Binary pixels. Grey images are binarized anew each time they are seen."""

    parameters = 1
    has_bits_per_dim = False  # binarized images have less to tell than others

    def observe(self, x, noise):
        """Images in [0, 1] as the encoder and `nll` take them, drawn with `kgen.noise.Noise`."""
        return ops.cast(ops.less(noise.uniform(ops.shape(x)), x), "float32")

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
