"""The Wasserstein GAN with gradient penalty."""

import functools

import keras

from kgen import networks
from kgen.checks import whole_number
from kgen.models.adversarial.adversarial_model import AdversarialModel
from kgen.models.penalties import GradientPenalty
from kgen.models.scalar import ScalarOf


@keras.saving.register_keras_serializable("kgen")
class WGANGP(AdversarialModel):
    """Wasserstein GAN with gradient penalty: a WGAN without weight clipping.

    The critic minimises  E[D(G(z))] - E[D(x)] + gp_weight E[(||grad D(x_hat)||_2 - 1)^2]  (eq. 3),
    x_hat on the line between a real image and a fake, in the networks' range [-1, 1]. The presets
    are the paper's for MNIST, without batch normalization, and scale to any size from 8x8 up.
    Their weights start as He's; unlike in the authors' code, strides do not count in that.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 128.
        generator: keras.Model from (batch, latent_dim) to images in [-1, 1], or None for the
            preset.
        critic: keras.Model from images in [-1, 1] to values (batch, 1), or None for the preset. It
            must judge each image by itself: no batch normalization.
        n_critic: int. The critic's steps for one of the generator, each on an even part of the
            batch. Defaults to 5.
        gp_weight: float or a Keras schedule. lambda in the paper. Defaults to 10.
        decay_steps: int or None. Both rates fall in a straight line to 0 over so many steps of the
            generator, as the paper's on CIFAR-10 do over 100,000.
        loss: what both players minimise; see `AdversarialModel`. Defaults to "wasserstein".
        penalties: sequence of `kgen.models.adversary.Penalty`, beside the paper's.
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`. Defaults to "normal".
        **kwargs: what every adversarial model takes: `num_classes`, `condition`, `width`,
            `projection`, `spectral_normalization`, `r1_weight`, `ema_decay`, `log_gradient_norms`,
            `seed`; see `AdversarialModel`.

    Example:
    >>> images = np.random.rand(60, 8, 8, 1)
    >>> gan = kgen.WGANGP(image_shape=(8, 8, 1), latent_dim=4, width=8)
    >>> gan.compile()
    >>> history = gan.fit(images, batch_size=30, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Gulrajani et al., Improved Training of Wasserstein GANs, 2017.
    https://arxiv.org/abs/1704.00028
    """

    gp_weight = ScalarOf(lambda model: model.adversary.penalty("gradient_penalty"), "weight", 0.0)
    default_batch_size = 5 * 50
    generator_preset = staticmethod(
        functools.partial(networks.dcgan_generator, coarsest=4, batch_normalization=False)
    )
    adversary_preset = staticmethod(
        functools.partial(networks.dcgan_discriminator, coarsest=4, batch_normalization=False)
    )

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 128,
        generator: keras.Model | None = None,
        critic: keras.Model | None = None,
        n_critic: int = 5,
        gp_weight: float = 10.0,
        decay_steps: int | None = None,
        loss: str = "wasserstein",
        penalties=(),
        prior: str = "normal",
        **kwargs,
    ):
        decay_steps = whole_number("decay_steps", decay_steps, optional=True)
        super().__init__(
            image_shape,
            latent_dim,
            generator=generator,
            adversary=critic,
            adversary_steps=whole_number("n_critic", n_critic),
            player="critic",
            loss=loss,
            penalties=self.with_penalty(penalties, GradientPenalty(gp_weight)),
            prior=prior,
            **kwargs,
        )
        self.decay_steps = decay_steps

    @property
    def critic(self):
        """D, whose values have no bound."""
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
        self.minimize(self.generator_loss, "generator", self.draw(noise, x_part), y_part, x_part)
        self.update_average()

    def default_optimizers(self):
        def adam(player, steps):
            rate = 1e-4
            if self.decay_steps is not None:
                rate = keras.optimizers.schedules.PolynomialDecay(rate, self.decay_steps * steps, 0)
            return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9, name=player)

        return {"critic": adam("critic", self.n_critic), "generator": adam("generator", 1)}

    def get_config(self):
        return super().get_config() | {
            "critic": self.critic,
            "n_critic": self.n_critic,
            "gp_weight": self.gp_weight,
            "decay_steps": self.decay_steps,
        }
