"""The Wasserstein GAN with gradient penalty."""

import functools
import math

import keras
from keras import ops

from kgen import networks
from kgen.losses import gradient_penalty
from kgen.models.adversarial.wgan import WGAN
from kgen.warn import warn


@keras.saving.register_keras_serializable("kgen")
class WGANGP(WGAN):
    """Wasserstein GAN with gradient penalty: a WGAN without weight clipping.

    The critic minimises  E[D(G(z))] - E[D(x)] + gp_weight E[(||grad D(x_hat)||_2 - 1)^2]  (eq. 3),
    x_hat on the line between a real image and a fake, in the networks' range [-1, 1]. The presets
    are the paper's for MNIST, without batch normalization, and scale to any size from 8x8 up.
    Their weights start as He's; unlike in the authors' code, strides do not count in that.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 128.
        critic: keras.Model from images in [-1, 1] to values (batch, 1), or None for the preset. It
            must judge each image by itself: no batch normalization.
        n_critic: int. The critic's steps for one of the generator, each on an even part of the
            batch. Defaults to 5.
        gp_weight: float. lambda in the paper. Defaults to 10.
        decay_steps: int or None. Both rates fall in a straight line to 0 over so many steps of the
            generator, as the paper's on CIFAR-10 do over 100,000.
        prior: "uniform" in [-1, 1] or "normal". Defaults to "normal".
        **kwargs: what every adversarial model takes: `generator`, `num_classes`, `projection`,
            `spectral_normalization`, `r1_weight`, `ema_decay`, `log_gradient_norms`, `seed`; see
            `kgen.models.adversarial.adversarial_model`.

    Example:
    >>> images = np.random.rand(60, 8, 8, 1)
    >>> gan = kgen.WGANGP(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(images, batch_size=30, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Gulrajani et al., Improved Training of Wasserstein GANs, 2017.
    https://arxiv.org/abs/1704.00028
    """

    replaced = WGAN.replaced | {"clip": "gp_weight"}
    log_names = ("critic_loss", "generator_loss", "wasserstein_distance", "gradient_penalty")
    default_batch_size = 5 * 50
    generator_preset = staticmethod(
        functools.partial(networks.dcgan_generator, coarsest=4, batch_normalization=False)
    )
    discriminator_preset = staticmethod(
        functools.partial(networks.dcgan_discriminator, coarsest=4, batch_normalization=False)
    )

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 128,
        critic: keras.Model | None = None,
        n_critic: int = 5,
        gp_weight: float = 10.0,
        decay_steps: int | None = None,
        prior: str = "normal",
        **kwargs,
    ):
        self.refuse_replaced(kwargs)
        if not 0 <= gp_weight < math.inf:
            raise ValueError(f"Expected a finite gp_weight of at least 0. Received: {gp_weight=}")
        if decay_steps is not None and decay_steps < 1:
            raise ValueError(f"Expected decay_steps of at least 1. Received: {decay_steps=}")
        super().__init__(
            image_shape,
            latent_dim,
            critic=critic,
            n_critic=n_critic,
            clip=None,
            prior=prior,
            **kwargs,
        )
        self.gp_weight = gp_weight
        self.decay_steps = decay_steps
        self._check_critic()

    def _check_critic(self):
        joint = [
            layer.name
            for layer in self.critic._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization)
        ]
        if joint:
            warn(
                "The gradient penalty is of each image by itself, but the critic's "
                f"{', '.join(joint)} judges a batch together. Use kgen.layers.LayerNorm."
            )
        if not self.r1_weight:  # else it was checked
            self.check_second_derivatives()

    def default_optimizers(self):
        def adam(player, steps):
            rate = 1e-4
            if self.decay_steps is not None:
                rate = keras.optimizers.schedules.PolynomialDecay(rate, self.decay_steps * steps, 0)
            return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9, name=player)

        return {"critic": adam("critic", self.n_critic), "generator": adam("generator", 1)}

    def penalty(self, x, x_fake, y, training):
        eps = keras.random.uniform((ops.shape(x)[0],), seed=self.noise(training))
        penalty = gradient_penalty(
            lambda x_hat: self.judge_images(x_hat, y, training)[0], x, x_fake, eps
        )
        self.log(gradient_penalty=penalty)
        return super().penalty(x, x_fake, y, training) + self.gp_weight * penalty

    def get_config(self):
        config = super().get_config() | {
            "gp_weight": self.gp_weight,
            "decay_steps": self.decay_steps,
        }
        del config["clip"]
        return config
