"""The normal posterior whose latents depend on each other."""

import math

import keras
import numpy as np
from keras import ops

from kgen.posteriors.normal import LIMIT
from kgen.posteriors.posterior import Codes, Posterior, standard_normal


class FullNormalCodes(Codes):
    """Codes mean + L eps, of N(mean, L L^T).

    Args:
        mean: tensor (batch, latent_dim).
        factor: tensor (batch, latent_dim, latent_dim), L.
        log_scale: tensor (batch, latent_dim), the logarithm of its diagonal.
        eps: tensor (batch, k, latent_dim).
    """

    def __init__(self, mean, factor, log_scale, eps):
        self.mean, self.factor, self.log_scale = mean, factor, log_scale
        z = mean[:, None] + ops.einsum("bij,bkj->bki", factor, eps)
        super().__init__(z, eps, log_scale[:, None])

    def fixed_log_q(self):
        given = (self.mean, self.factor, self.log_scale)
        mean, factor, log_scale = (ops.stop_gradient(each) for each in given)
        away = ops.swapaxes(self.z - mean[:, None], 1, 2)
        eps = ops.swapaxes(ops.solve_triangular(factor, away, lower=True), 1, 2)
        return Codes(self.z, eps, log_scale[:, None]).log_q

    def kl(self):
        return ops.sum(self._kl_by_latent(), axis=-1)

    def mean_kl_by_latent(self):
        return ops.mean(self._kl_by_latent(), axis=0)

    def _kl_by_latent(self):
        squares = ops.sum(ops.square(self.factor), axis=-1) + ops.square(self.mean) - 1.0
        return 0.5 * squares - self.log_scale


@keras.saving.register_keras_serializable("kgen")
class FullNormal(Posterior):
    """N(mean, L L^T), L lower triangular with a positive diagonal.

    Of latent_dim d an encoder gives d (d + 3) / 2 numbers: 1,325 of 50.
    """

    meaning = "means, logarithms of L's diagonal, and what is below it, row by row"

    def num_outputs(self, latent_dim):
        return latent_dim * (latent_dim + 3) // 2

    def parameters(self, outputs):
        """Mean (batch, d), L (batch, d, d) and the logarithm of its diagonal (batch, d)."""
        size = round(math.sqrt(2.0 * outputs.shape[-1] + 2.25) - 1.5)
        mean, log_scale, below = ops.split(outputs, [size, 2 * size], axis=-1)
        log_scale = ops.clip(log_scale, -0.5 * LIMIT, 0.5 * LIMIT)
        # Where each entry of L stands among (0, what is below the diagonal, the diagonal).
        place = np.zeros((size, size), "int32")
        place[np.tril_indices(size, -1)] = 1 + np.arange(below.shape[-1])
        place[np.diag_indices(size)] = 1 + below.shape[-1] + np.arange(size)
        entries = ops.concatenate([ops.zeros_like(mean[:, :1]), below, ops.exp(log_scale)], axis=-1)
        factor = ops.take(entries, place.ravel(), axis=-1)
        return mean, ops.reshape(factor, (-1, size, size)), log_scale

    def draw(self, outputs, noise, k, network=None):
        mean, factor, log_scale = self.parameters(outputs)
        eps = standard_normal(outputs, noise, k, mean.shape[-1])
        return FullNormalCodes(mean, factor, log_scale, eps)

    def log_prob(self, outputs, z):
        mean, factor, log_scale = self.parameters(outputs)
        away = ops.transpose(z - mean[:, None], (0, 2, 1))
        eps = ops.swapaxes(ops.solve_triangular(factor, away, lower=True), 1, 2)
        return ops.transpose(Codes(z, eps, log_scale[:, None]).log_q)

    def center(self, outputs, network=None):
        return self.parameters(outputs)[0]

    def log_var(self, outputs):
        return ops.log(ops.sum(ops.square(self.parameters(outputs)[1]), axis=-1))
