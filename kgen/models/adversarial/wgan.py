"""The Wasserstein GAN."""

import keras
from keras import ops

from kgen import networks
from kgen.checks import whole_number
from kgen.models.adversarial.adversarial_model import AdversarialModel
from kgen.models.scalar import Scalar


@keras.saving.register_keras_serializable("kgen")
class WGAN(AdversarialModel):
    """Wasserstein GAN: the discriminator is a critic that estimates a distance.

    The critic f, kept Lipschitz by clipping its weights to [-clip, clip] after each step, maximises
    E[f(x)] - E[f(G(z))]  and the generator G maximises  E[f(G(z))]  (eq. 2 and 3, algorithm 1). The
    presets are DCGAN's. Unlike the authors' code, n_critic does not rise to 100 in between.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        generator: keras.Model from (batch, latent_dim) to images in [-1, 1], or None for the
            preset.
        critic: keras.Model from images in [-1, 1] to values (batch, 1), or None for the preset.
        n_critic: int. The critic's steps for one of the generator, each on an even part of the
            batch. Defaults to 5.
        clip: float above 0, a Keras schedule, or None, which clips nothing. c in the paper.
            Defaults to 0.01.
        loss: what both players minimise; see `AdversarialModel`. Defaults to "wasserstein".
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`. Defaults to "normal".
        **kwargs: what every adversarial model takes: `num_classes`, `condition`, `penalties`,
            `width`, `projection`, `spectral_normalization`, `r1_weight`, `ema_decay`,
            `log_gradient_norms`, `seed`; see `AdversarialModel`.

    Example:
    >>> images = np.random.rand(60, 8, 8, 1)
    >>> gan = kgen.WGAN(image_shape=(8, 8, 1), latent_dim=4, width=8)
    >>> gan.compile()
    >>> history = gan.fit(images, batch_size=30, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Arjovsky et al., Wasserstein GAN, 2017. https://arxiv.org/abs/1701.07875
    """

    clip = Scalar(optional=True, above=True)
    default_batch_size = 5 * 64
    generator_preset = staticmethod(networks.dcgan_generator)
    adversary_preset = staticmethod(networks.dcgan_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        generator: keras.Model | None = None,
        critic: keras.Model | None = None,
        n_critic: int = 5,
        clip: float | None = 0.01,
        loss: str = "wasserstein",
        prior: str = "normal",
        **kwargs,
    ):
        if clip is not None and kwargs.get("spectral_normalization"):
            raise ValueError(
                "Expected clip=None with spectral_normalization, which it would undo. Received: "
                f"{clip=}"
            )
        super().__init__(
            image_shape,
            latent_dim,
            generator=generator,
            adversary=critic,
            adversary_steps=whole_number("n_critic", n_critic),
            player="critic",
            loss=loss,
            prior=prior,
            **kwargs,
        )
        self.clip = clip

    @property
    def critic(self):
        """The adversary, whose values have no bound."""
        return self.adversary.network

    @property
    def n_critic(self):
        """The critic's steps for one of the generator."""
        return self.adversary_steps

    def training_step(self, x, y, noise):  # Algorithm 1
        for x_part, y_part in self.parts(2.0 * x - 1.0, y):  # n_critic of them
            z = self.draw(noise, x_part)
            x_fake = self.generate(z, y_part, training=True)
            self.minimize(self.adversary_loss, "critic", x_part, x_fake, z, y_part, noise)
            self.clip_weights()
        self.minimize(self.generator_loss, "generator", self.draw(noise, x_part), y_part, x_part)
        self.update_average()

    def clip_weights(self):
        """Clips the critic's weights to [-clip, clip]."""
        clip = self.now("clip")
        if clip is not None:
            for variable in self.critic.trainable_variables:
                limit = ops.cast(clip, variable.dtype)
                variable.assign(ops.clip(variable, -limit, limit))

    def default_optimizers(self):
        return {player: keras.optimizers.RMSprop(5e-5, name=player) for player in self.players()}

    def get_config(self):
        return super().get_config() | {
            "critic": self.critic,
            "n_critic": self.n_critic,
            "clip": self.clip,
        }
