"""What every prior answers."""

from keras import ops

from kgen.checks import whole_number


class Prior:
    """A distribution p(z) of latent vectors.

    A prior holds no weights: where it has something to learn, `network` makes it for a model, which
    owns it, trains it, and draws by what `bound` returns.

    Args:
        size: int of at least 1. Length of z.
    """

    is_learned = False
    has_full_support = True  # whether every z has a density above 0

    def __init__(self, size):
        self.size = whole_number("size", size)

    def network(self, latent_dim, image_shape):
        """A keras layer or model of what it has to learn, or None.

        Args:
            latent_dim: int. Length of z.
            image_shape: tuple (height, width, channels), of the model's images.
        """
        return None

    def check_model(self, family, objective, is_conditional):
        """Raises a ValueError of a VAE that the prior does not go with; most go with any.

        Args:
            family: `kgen.posteriors.Posterior` of its codes.
            objective: str, its `objective`.
            is_conditional: bool.
        """

    def adapt(self, network, images):
        """Sets what it has to learn to a start that the training images give; mostly nothing.

        Args:
            network: what `network` made.
            images: array (num, height, width, channels) in [0, 1].
        """

    def bound(self, network, encode):
        """This prior with what it has learned, a `Prior` that draws and tells densities.

        Args:
            network: what `network` made.
            encode: callable from images (num, height, width, channels) in [0, 1] to a
                `kgen.posteriors.Posterior` and its parameters (num, num_outputs).
        """
        return self

    def footprint(self, latent_dim):
        """How many numbers `log_prob` holds at once for each z."""
        return latent_dim

    def draw(self, noise, num):
        """Latent vectors, float32 (num, size).

        Args:
            noise: `kgen.noise.Noise`.
            num: int or scalar tensor. As many as `noise` has rows.
        """
        raise NotImplementedError

    def draw_of(self, noise, classes, num_classes):
        """Latent vectors of classes, each of which has an equal part of the prior to itself.

        Args:
            noise: `kgen.noise.Noise`.
            classes: int32 tensor (num,), in 0..num_classes - 1, or -1 for a vector of any.
            num_classes: int.
        """
        any_class = noise.integers(ops.shape(classes), 0, num_classes)
        classes = ops.where(classes < 0, any_class, classes)
        return self._draw_parts(noise, ops.cast(classes, "float32")[:, None], num_classes)

    def _draw_parts(self, noise, part, num_parts):
        """Vectors of the parts 0..num_parts - 1, a float32 tensor (num, 1)."""
        raise NotImplementedError

    def check_parts(self, num_parts):
        """Raises a ValueError unless the prior has so many equal parts."""
        raise ValueError(
            "Expected a prior with a part for each class: 'normal', 'uniform', 'mixture' or "
            f"'swiss_roll'. Received: {type(self).__name__}"
        )

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


class LearnedPrior(Prior):
    """A prior of vectors of any length, which a model learns."""

    is_learned = True
    size = None  # the model's

    def __init__(self):  # of any size
        pass
