"""The normalization of Glow, which starts from the statistics of some images."""

import keras
from keras import ops

from kgen.layers.bijection import Bijection, alike

RATE = 3.0  # of the logarithms of scales, as Glow's code has it


@keras.saving.register_keras_serializable("kgen")
class ActNorm(Bijection):
    """A shift and a scale a channel: z = (x + bias) exp(3 log_scale).

    `adapt` of a flow sets them, so that each channel of z has mean 0 and deviation 1 over some
    images; then they are weights like others. Unlike batch normalization it is the same in training
    and after, and has an inverse.

    (batch, height, width, channels) -> the same shape, and log|det| (batch,).

    Example:
    >>> z, log_det = kgen.layers.ActNorm()(np.random.rand(2, 4, 4, 3))
    >>> tuple(z.shape), tuple(log_det.shape)
    ((2, 4, 4, 3), (2,))

    Reference: Kingma & Dhariwal, Glow: Generative Flow with Invertible 1x1 Convolutions, 2018,
    section 3.1. https://arxiv.org/abs/1807.03039
    """

    is_measuring = False

    def build(self, x_shape, y_shape=None):
        shape = {"shape": x_shape[-1:], "initializer": "zeros"}
        self.bias = self.add_weight(**shape, name="bias")
        self.log_scale = self.add_weight(**shape, name="log_scale")

    def call(self, x, y=None):
        bias, log_scale = self.measure(x) if self.is_measuring else (self.bias, self.log_scale)
        _, height, width, _ = x.shape
        log_det = height * width * RATE * ops.sum(log_scale)
        return (x + bias) * ops.exp(RATE * log_scale), alike(x, log_det)

    def measure(self, x):
        """The bias and the log-scale that normalise x, kept in `measured` too."""
        std = ops.std(x, axis=(0, 1, 2))
        varies = std > 1e-4  # the inverse of a constant channel's would blow up
        log_scale = ops.where(varies, -ops.log(std + 1e-6) / RATE, 0.0)
        # Not as an attribute, which Keras would track.
        vars(self)["measured"] = -ops.mean(x, axis=(0, 1, 2)), log_scale
        return vars(self)["measured"]

    def inverse(self, z, y=None):
        return z * ops.exp(-RATE * self.log_scale) - self.bias
