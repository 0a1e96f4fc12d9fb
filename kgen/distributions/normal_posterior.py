"""What an encoder's outputs mean: q(z|x), a normal of independent latents."""

from keras import ops

from kgen.losses import gaussian_kl


class NormalPosterior:
    """Samples z ~ q(z|x) = N(mean, exp(log_var)) of the codes of images, under the prior N(0, I).

    Args:
        mean: tensor (batch, latent_dim).
        log_var: tensor (batch, latent_dim).
        noise: `kgen.noise.Noise`.
        k: int. Samples an image.

    Attributes:
        z: tensor (batch, k, latent_dim).
    """

    def __init__(self, mean, log_var, noise, k):
        self.mean = mean
        self.log_var = log_var
        self.eps = noise.normal((ops.shape(mean)[0], k, mean.shape[-1]))
        self.z = mean[:, None] + ops.exp(0.5 * log_var)[:, None] * self.eps

    def kl(self):
        """KL(q(z|x) || p(z)), shape (batch,), in nats."""
        return gaussian_kl(self.mean, self.log_var)

    def mean_kl_by_latent(self):
        """Each latent's KL(q(z|x) || p(z)), averaged over the batch, (latent_dim,), in nats."""
        total = gaussian_kl(ops.transpose(self.mean), ops.transpose(self.log_var))
        return total / ops.cast(ops.shape(self.mean)[0], total.dtype)

    def log_ratio(self):
        """The samples' log p(z) - log q(z|x), shape (batch, k), in nats."""
        twice = ops.square(self.eps) + self.log_var[:, None] - ops.square(self.z)
        return 0.5 * ops.sum(twice, axis=-1)
