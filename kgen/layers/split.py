"""Numbers of the normal distribution that a network, or what was learned, says."""

import keras
from keras import ops

from kgen.layers.bijection import Bijection, alike, sum_of_each


class _WithNetwork(Bijection):
    """A bijection of a network, or of None."""

    def __init__(self, network=None, **kwargs):
        super().__init__(**kwargs)
        self.network = network

    def _mean_and_log_std(self, inputs):
        outputs = ops.cast(self.network(inputs), self.compute_dtype)
        return ops.split(outputs, 2, axis=-1)

    def get_config(self):
        network = keras.saving.serialize_keras_object(self.network)
        return super().get_config() | {"network": network}

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"network": keras.saving.deserialize_keras_object(config["network"])})


@keras.saving.register_keras_serializable("kgen")
class Split(_WithNetwork):
    """The second half of the channels leaves a flow, as numbers eps of N(0, I) if all is right.

    x_2 = mean(x_1) + eps exp(log_std(x_1)). `call` gives x_1, eps and the log|det| of both, and
    `inverse` takes the first two.

    Args:
        network: keras.Model from the half that goes on, with a condition from [half, condition],
            to twice the channels of the other: means, then log-deviations. None for 0 and 1.

    Reference: Dinh et al., Density Estimation Using Real NVP, 2016, section 3.6, and with a network
    the code of Kingma & Dhariwal, Glow, 2018.
    """

    def call(self, x, y=None):
        half = x.shape[-1] // 2
        goes_on, eps = x[..., :half], x[..., half:]
        if self.network is None:
            return goes_on, eps, alike(x, 0.0)
        mean, log_std = self._mean_and_log_std(goes_on if y is None else [goes_on, y])
        return goes_on, (eps - mean) * ops.exp(-log_std), -sum_of_each(log_std)

    def inverse(self, goes_on, eps, y=None):
        """The x that gives both."""
        if self.network is not None:
            mean, log_std = self._mean_and_log_std(goes_on if y is None else [goes_on, y])
            eps = mean + eps * ops.exp(log_std)
        return ops.concatenate([goes_on, eps], axis=-1)

    def compute_output_shape(self, x_shape, y_shape=None):
        *rest, channels = x_shape
        half = channels // 2
        return (*rest, half), (*rest, channels - half), x_shape[:1]


@keras.saving.register_keras_serializable("kgen")
class Standardize(_WithNetwork):
    """What is left at the end, by a mean and a deviation a channel that are learned.

    eps = (x - mean) / std, (batch, height, width, channels).

    Args:
        network: keras.Model from the condition to (batch, 2 channels), which are added to the means
            and to the log-deviations; or None.
    """

    def build(self, x_shape, y_shape=None):
        shape = {"shape": x_shape[-1:], "initializer": "zeros"}
        self.mean = self.add_weight(**shape, name="mean")
        self.log_std = self.add_weight(**shape, name="log_std")

    def call(self, x, y=None):
        mean, log_std = self._of(x, y)
        return (x - mean) * ops.exp(-log_std), -sum_of_each(log_std)

    def inverse(self, z, y=None):
        mean, log_std = self._of(z, y)
        return mean + z * ops.exp(log_std)

    def _of(self, x, y):
        zeros = ops.zeros_like(x)
        mean, log_std = zeros + self.mean, zeros + self.log_std
        if self.network is None:
            return mean, log_std
        by_condition = (each[:, None, None] for each in self._mean_and_log_std(y))
        return tuple(a + b for a, b in zip((mean, log_std), by_condition, strict=True))
