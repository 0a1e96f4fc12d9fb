"""What every posterior answers, and the codes that it draws."""

import math

from keras import ops


class Codes:
    """Samples z ~ q(z|x) of the codes of images.

    Args:
        z: tensor (batch, k, latent_dim).
        eps: tensor of the same shape, the standard normal numbers that they were made of.
        log_scale: tensor that broadcasts to it. Its sum over the latents is log |dz / deps|.

    Attributes:
        z: tensor (batch, k, latent_dim).
        log_q_by_latent: tensor (batch, k, latent_dim). What each number of `eps` adds to
            log q(z|x).
    """

    def __init__(self, z, eps, log_scale):
        self.z = z
        self.log_q_by_latent = -0.5 * (ops.square(eps) + math.log(2.0 * math.pi)) - log_scale

    @property
    def log_q(self):
        """Log q(z|x) of each, (batch, k), in nats."""
        return ops.sum(self.log_q_by_latent, axis=-1)

    def kl(self):
        """KL(q(z|x) || N(0, I)), (batch,), in nats, or None where it has no closed form."""
        return None

    def fixed_log_q(self):
        """Log q(z|x) of each, (batch, k), differentiable by z alone, as if q were given.

        Of families without `has_density` there is none.
        """
        raise NotImplementedError

    def mean_kl_by_latent(self):
        """Each latent's share in the divergence from N(0, I), (latent_dim,), in nats.

        Averaged over the batch; an estimate by the samples where `kl` has no closed form.
        """
        log_prior = -0.5 * (ops.square(self.z) + math.log(2.0 * math.pi))
        return ops.mean(self.log_q_by_latent - log_prior, axis=(0, 1))


class Posterior:
    """A family of distributions q(z|x), of which an encoder gives the parameters.

    A posterior holds no weights: where it needs some, `network` makes them for a model, which hands
    them to its methods.
    """

    has_density = True

    def num_outputs(self, latent_dim):
        """How many numbers an encoder gives for a code of so many."""
        raise NotImplementedError

    @property
    def meaning(self):
        """What an encoder's outputs are, in words."""
        raise NotImplementedError

    def network(self, latent_dim):
        """A keras.Model of what it has to learn beside the encoder, or None."""
        return None

    def draw(self, outputs, noise, k, network=None):
        """Draws `Codes`.

        Args:
            outputs: tensor (batch, num_outputs), an encoder's.
            noise: `kgen.noise.Noise`.
            k: int. Samples an image.
            network: what `network` made.
        """
        raise NotImplementedError

    def log_prob(self, outputs, z):
        """Log q(z|x) of each code by each image, (num, batch), in nats.

        Of families without `has_density` there is none.

        Args:
            outputs: tensor (batch, num_outputs), an encoder's.
            z: tensor (num, latent_dim).
        """
        raise NotImplementedError

    def center(self, outputs, network=None):
        """The code in the middle, (batch, latent_dim): what the numbers 0 become."""
        raise NotImplementedError

    def log_var(self, outputs):
        """The logarithm of each latent's variance, (batch, latent_dim)."""
        raise NotImplementedError

    def get_config(self):
        """The arguments that make it, by name."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The posterior that `get_config` is of."""
        return cls(**config)


def standard_normal(outputs, noise, k, latent_dim):
    """Numbers of N(0, I), (batch, k, latent_dim)."""
    return noise.normal((ops.shape(outputs)[0], k, latent_dim))
