"""The posterior by inverse autoregressive flow."""

import keras
from keras import ops

from kgen import networks
from kgen.checks import whole_number, whole_numbers
from kgen.posteriors.normal import LIMIT
from kgen.posteriors.posterior import Codes, Posterior, standard_normal


@keras.saving.register_keras_serializable("kgen")
class IAF(Posterior):
    """Inverse autoregressive flow: a normal code, moved in steps that each see the code before.

    z_0 = mean + std eps;  z_t = s z_(t-1) + (1 - s) m,  with s = sigmoid of what a masked network
    gives, and m, of the latents before in its order, which turns round from step to step, and of a
    context h from the encoder; log q(z_t) = log q(z_(t-1)) - sum log s   (eq. 9 to 12, 14).

    Args:
        steps: int of at least 1.
        units: tuple of int. Of each step's hidden layers. Defaults to (320,).
        context: int. Length of h. Defaults to 64.

    Reference: Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
    2016. https://arxiv.org/abs/1606.04934
    """

    has_density = False  # its inverse takes a pass for each latent
    meaning = "means, log-variances and the context"

    def __init__(self, steps=2, units=(320,), context=64):
        self.steps = whole_number("steps", steps)
        self.units = whole_numbers("units", units)
        self.context = whole_number("context", context)

    def num_outputs(self, latent_dim):
        return 2 * latent_dim + self.context

    def network(self, latent_dim):
        return networks.iaf(latent_dim, self.context, self.steps, self.units)

    def _move(self, outputs, eps, network):
        """Codes of eps (batch, k, latent_dim)."""
        k, size = eps.shape[1:]
        mean, log_var, context = ops.split(outputs, [size, 2 * size], axis=-1)
        half = 0.5 * ops.clip(log_var, -LIMIT, LIMIT)[:, None]
        z = ops.reshape(mean[:, None] + ops.exp(half) * eps, (-1, size))
        z, log_scale = network([z, ops.repeat(context, k, axis=0)])
        z, log_scale = (ops.cast(each, "float32") for each in (z, log_scale))
        z, log_scale = (ops.reshape(each, (-1, k, size)) for each in (z, log_scale))
        return Codes(z, eps, half + log_scale)

    def draw(self, outputs, noise, k, network=None):
        size = network.output_shape[0][-1]
        return self._move(outputs, standard_normal(outputs, noise, k, size), network)

    def center(self, outputs, network=None):
        size = network.output_shape[0][-1]
        return self._move(outputs, ops.zeros_like(outputs[:, None, :size]), network).z[:, 0]

    def get_config(self):
        return {"steps": self.steps, "units": self.units, "context": self.context}
