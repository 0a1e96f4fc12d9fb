"""FactorVAE."""

import keras
from keras import ops

from kgen import networks
from kgen.models.autoencoders.factorizing_vae import FactorizingVAE
from kgen.models.image_model import preset_dtype
from kgen.models.network_check import check_network
from kgen.models.scalar import Scalar


@keras.saving.register_keras_serializable("kgen")
class FactorVAE(FactorizingVAE):
    """FactorVAE: a VAE that pays for what a discriminator sees of dependence between its latents.

    The discriminator tells codes from codes whose latents were each permuted over a batch; its
    logit is then log q(z) / prod q(z_j), and the mean of that the total correlation (eq. 2, 3):

        L_vae = -ELBO + gamma E[logit(z)]
        L_discriminator = 1/2 E[softplus(-logit(z))] + 1/2 E[softplus(logit(permuted z'))]

    A batch of `fit` is two of the paper's (algorithm 2): the even rows are for the VAE, the odd
    ones are those that are permuted, on several replicas among each one's own.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 10.
        discriminator: keras.Model from (batch, latent_dim) to logits (batch, 1), or None for the
            preset, six layers of 1,000.
        gamma: float, or a Keras schedule. Weight of the total correlation. Defaults to 35, the
            paper's for dSprites.
        **kwargs: those of `kgen.VAE`, but for `posterior_family`, `objective`, `num_samples` and
            `prior`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.FactorVAE(image_shape=(8, 8, 1), latent_dim=4)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.encode(images).shape
    (64, 4)

    Reference: Kim & Mnih, Disentangling by Factorising, 2018. https://arxiv.org/abs/1802.05983
    """

    log_names = (
        "loss",
        "reconstruction_loss",
        "kl_loss",
        "total_correlation_estimate",
        "discriminator_loss",
        "discriminator_accuracy",
    )
    default_batch_size = 128
    gamma = Scalar()

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 10,
        discriminator: keras.Model | None = None,
        gamma: float = 35.0,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, **kwargs)
        if discriminator is None:
            with preset_dtype(self.dtype_policy):
                discriminator = networks.dense_discriminator(self.latent_dim)
        check_network("discriminator", discriminator, (self.latent_dim,), (1,))
        self.discriminator = discriminator
        self.gamma = gamma

    def players(self):
        return super().players() | {"discriminator": [self.discriminator]}

    def default_optimizers(self):
        return {
            "vae": keras.optimizers.Adam(1e-4, name="vae"),
            "discriminator": keras.optimizers.Adam(1e-4, 0.5, 0.9, name="discriminator"),
        }

    def check_batch_size(self, num):
        if num < 2:
            raise ValueError(
                "Expected batches of at least two images: one half is for the VAE, the other's "
                f"latents are permuted. Received: batches of {num}"
            )

    def training_step(self, x, y, noise):  # algorithm 2
        self.minimize_together(self.losses_of_both, ["vae", "discriminator"], x, y, noise)

    def evaluation_step(self, x, y, noise):
        self.losses_of_both(x, y, noise, training=False)

    def losses_of_both(self, x, y, noise, training=True):
        """The losses of VAE and discriminator on one batch of images in [0, 1]; logs them."""
        x = self.distribution.observe(x, noise)
        q = self._draw(x, y, noise, 1, training)
        z, kl = q.z[:, 0], q.kl()
        others = z
        if training:
            others = odd_rows(z)
            x, z, kl = x[::2], z[::2], kl[::2]
            y = None if y is None else y[::2]
        nll = self._nll(x, y, z[:, None], training)[:, 0]
        tc = self._judge(z, training)[:, 0]
        loss = nll + self.now("beta") * (kl + self._free(q)) + self.now("gamma") * tc
        others = self._judge(permuted(others, noise), training)[:, 0]
        discriminator_loss = 0.5 * (ops.softplus(-tc) + ops.softplus(others))
        right = ops.cast(tc > 0.0, "float32") + ops.cast(others < 0.0, "float32")
        self.log(
            loss=loss,
            reconstruction_loss=nll,
            kl_loss=kl,
            total_correlation_estimate=tc,
            discriminator_loss=discriminator_loss,
            discriminator_accuracy=0.5 * right,
        )
        return [ops.mean(loss), ops.mean(discriminator_loss)]

    def _judge(self, z, training):
        return ops.cast(self.discriminator(z, training=training), "float32")

    def get_config(self):
        return super().get_config() | {"discriminator": self.discriminator, "gamma": self.gamma}


def odd_rows(z):
    """Every other row, from the second on; of an odd number the first one is the last."""
    num = ops.shape(z)[0]
    return ops.take(z, (2 * ops.arange((num + 1) // 2, dtype="int32") + 1) % num, axis=0)


def permuted(z, noise):
    """Codes (batch, latent_dim), each latent permuted over the batch by itself (algorithm 1)."""
    order = ops.argsort(noise.uniform(ops.shape(z)), axis=0)
    return ops.take_along_axis(z, order, axis=0)
