"""The Wasserstein GAN."""

import keras
from keras import ops

from kgen import networks
from kgen.losses import wasserstein_critic_loss, wasserstein_generator_loss
from kgen.models.adversarial.adversarial_model import AdversarialModel


@keras.saving.register_keras_serializable("kgen")
class WGAN(AdversarialModel):
    """Wasserstein GAN: the discriminator is a critic that estimates a distance.

    The critic f, kept Lipschitz by clipping its weights to [-clip, clip] after each step, maximises
    E[f(x)] - E[f(G(z))]  and the generator G maximises  E[f(G(z))]  (eq. 2 and 3, algorithm 1). The
    presets are DCGAN's. Unlike the authors' code, n_critic does not rise to 100 in between.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        critic: keras.Model from images in [-1, 1] to values (batch, 1), or None for the preset.
        n_critic: int. The critic's steps for one of the generator, each on an even part of the
            batch. Defaults to 5.
        clip: float or None. c in the paper; None clips nothing. Defaults to 0.01.
        prior: "uniform" in [-1, 1] or "normal". Defaults to "normal".
        **kwargs: what every adversarial model takes: `generator`, `num_classes`, `projection`,
            `spectral_normalization`, `r1_weight`, `ema_decay`, `log_gradient_norms`, `seed`; see
            `kgen.models.adversarial.adversarial_model`.

    Example:
    >>> images = np.random.rand(60, 8, 8, 1)
    >>> gan = kgen.WGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(images, batch_size=30, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Arjovsky et al., Wasserstein GAN, 2017. https://arxiv.org/abs/1701.07875
    """

    judge = "critic"
    replaced = {"discriminator": "critic", "discriminator_steps": "n_critic"}
    log_names = ("critic_loss", "generator_loss", "wasserstein_distance")
    default_batch_size = 5 * 64
    generator_preset = staticmethod(networks.dcgan_generator)
    discriminator_preset = staticmethod(networks.dcgan_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        critic: keras.Model | None = None,
        n_critic: int = 5,
        clip: float | None = 0.01,
        prior: str = "normal",
        **kwargs,
    ):
        self.refuse_replaced(kwargs)
        if clip is not None and not clip > 0:
            raise ValueError(f"Expected clip above 0 or None. Received: {clip=}")
        if clip is not None and kwargs.get("spectral_normalization"):
            raise ValueError(
                "Expected clip=None with spectral_normalization, which it would undo. Received: "
                f"{clip=}"
            )
        super().__init__(
            image_shape,
            latent_dim,
            discriminator=critic,
            discriminator_steps=n_critic,
            prior=prior,
            **kwargs,
        )
        self.clip = clip

    @property
    def critic(self):
        """The discriminator, whose values have no bound."""
        return self.discriminator

    @property
    def n_critic(self):
        """The critic's steps for one of the generator."""
        return self.discriminator_steps

    def default_optimizers(self):
        return {player: keras.optimizers.RMSprop(5e-5, name=player) for player in self.players()}

    def train_discriminator(self, x, y):
        super().train_discriminator(x, y)
        if self.clip is not None:
            for variable in self.critic.trainable_variables:
                variable.assign(ops.clip(variable, -self.clip, self.clip))

    def discriminator_loss(self, real_logits, fake_logits):
        return wasserstein_critic_loss(real_logits, fake_logits)

    def generator_loss(self, fake_logits):
        return wasserstein_generator_loss(fake_logits)

    def log_judgement(self, real_logits, fake_logits):
        self.log(wasserstein_distance=-wasserstein_critic_loss(real_logits, fake_logits))

    def get_config(self):
        return super().get_config() | {"clip": self.clip}
