"""What every prior answers."""

from kgen.checks import whole_number


class Prior:
    """A distribution p(z) of latent vectors.

    Args:
        size: int of at least 1. Length of z.
    """

    def __init__(self, size):
        self.size = whole_number("size", size)

    def draw(self, noise, num):
        """Latent vectors, float32 (num, size).

        Args:
            noise: `kgen.noise.Noise`.
            num: int or scalar tensor. As many as `noise` has rows.
        """
        raise NotImplementedError

    def log_prob(self, z):
        """Log p(z) of each vector (..., size), shape (...), in nats."""
        raise NotImplementedError

    def get_config(self):
        """The arguments that make it, by name."""
        return {"size": self.size}

    @classmethod
    def from_config(cls, config):
        """The prior that `get_config` is of."""
        return cls(**config)
