"""The normal posterior of independent latents."""

import math

import keras
from keras import ops

from kgen.losses import gaussian_kl
from kgen.posteriors.posterior import Codes, Posterior, standard_normal

LIMIT = 20.0  # exp must not overflow


class NormalCodes(Codes):
    """Codes of N(mean, exp(log_var)).

    Args:
        mean: tensor (batch, latent_dim).
        log_var: tensor (batch, latent_dim).
        eps: tensor (batch, k, latent_dim).
    """

    def __init__(self, mean, log_var, eps):
        self.mean, self.log_var_of_each = mean, log_var
        half = 0.5 * log_var[:, None]
        super().__init__(mean[:, None] + ops.exp(half) * eps, eps, half)

    def kl(self):
        return gaussian_kl(self.mean, self.log_var_of_each)

    def fixed_log_q(self):
        given = (self.mean, self.log_var_of_each)
        mean, log_var = (ops.stop_gradient(each)[:, None] for each in given)
        eps = (self.z - mean) * ops.exp(-0.5 * log_var)
        return Codes(self.z, eps, 0.5 * log_var).log_q

    def log_q_of_others(self, z):
        """By latent, log q(z_i | x_j) of codes (batch, latent_dim): (batch, batch, latent_dim)."""
        return log_normal(z[:, None], self.mean, self.log_var_of_each)

    def mean_kl_by_latent(self):
        total = gaussian_kl(ops.transpose(self.mean), ops.transpose(self.log_var_of_each))
        return total / ops.cast(ops.shape(self.mean)[0], total.dtype)


@keras.saving.register_keras_serializable("kgen", name="NormalPosterior")
class Normal(Posterior):
    """N(mean, exp(log_var)), each latent by itself (Kingma & Welling 2013)."""

    meaning = "means and then log-variances"

    def num_outputs(self, latent_dim):
        return 2 * latent_dim

    def parameters(self, outputs):
        """Mean and log-variance, each (batch, latent_dim)."""
        mean, log_var = ops.split(outputs, 2, axis=-1)
        return mean, ops.clip(log_var, -LIMIT, LIMIT)

    def draw(self, outputs, noise, k, network=None):
        mean, log_var = self.parameters(outputs)
        return NormalCodes(mean, log_var, standard_normal(outputs, noise, k, mean.shape[-1]))

    def log_prob(self, outputs, z):
        return ops.sum(log_normal(z[:, None], *self.parameters(outputs)), axis=-1)

    def center(self, outputs, network=None):
        return self.parameters(outputs)[0]

    def log_var(self, outputs):
        return self.parameters(outputs)[1]


def log_normal(z, mean, log_var):
    """By latent, log N(z; mean, exp(log_var)), of shapes that broadcast, in nats."""
    away = ops.square(z - mean) * ops.exp(-log_var)
    return -0.5 * (away + log_var + math.log(2.0 * math.pi))
