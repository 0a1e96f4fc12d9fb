"""The generative adversarial network."""

import keras
import numpy as np

from kgen import networks
from kgen.checks import whole_number
from kgen.models.adversarial.adversarial_model import AdversarialModel


def _generator(code_size, image_shape, width, **kwargs):
    return networks.dense_generator(code_size, image_shape, 2 * (width or 1200,), **kwargs)


def _discriminator(image_shape, width, **kwargs):
    units = max(1, (width or 1200) // 5)
    return networks.maxout_discriminator(image_shape, (units, units), **kwargs)


@keras.saving.register_keras_serializable("kgen")
class GAN(AdversarialModel):
    """Generative adversarial network: a generator learns to fool a discriminator.

    The discriminator D minimises  -E[log D(x)] - E[log(1 - D(G(z)))]  (eq. 1) and the generator G
    -E[log D(G(z))], or with loss="minimax" what the discriminator maximises, which saturates
    (section 3). The presets are the authors' perceptrons for MNIST; call `adapt` before training,
    as their code does.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        generator: keras.Model from (batch, latent_dim) to images in [-1, 1], or None for the
            preset.
        discriminator: keras.Model from images in [-1, 1] to logits (batch, 1), or None for the
            preset.
        discriminator_steps: int. k in the paper: the discriminator's steps for one of the
            generator, each on an even part of the batch. Defaults to 1.
        loss: what both players minimise; see `AdversarialModel`. Defaults to "non_saturating".
        label_smoothing: float in [0, 1) or a Keras schedule. Real images count as real by
            1 - label_smoothing (Salimans et al. 2016).
        width: int. Units of the generator's layers; the discriminator has a fifth of them. Defaults
            to the paper's 1200.
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`. Defaults to "normal".
        **kwargs: what every adversarial model takes: `num_classes`, `condition`, `penalties`,
            `projection`, `spectral_normalization`, `r1_weight`, `ema_decay`, `log_gradient_norms`,
            `seed`; see `AdversarialModel`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.GAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Goodfellow et al., Generative Adversarial Nets, 2014. https://arxiv.org/abs/1406.2661
    """

    default_batch_size = 100
    generator_preset = staticmethod(_generator)
    adversary_preset = staticmethod(_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        discriminator_steps: int = 1,
        loss: str = "non_saturating",
        label_smoothing: float = 0.0,
        width: int | None = None,
        prior: str = "normal",
        **kwargs,
    ):
        super().__init__(
            image_shape,
            latent_dim,
            generator=generator,
            adversary=discriminator,
            adversary_steps=whole_number("discriminator_steps", discriminator_steps),
            player="discriminator",
            loss=loss,
            label_smoothing=label_smoothing,
            width=width,
            prior=prior,
            **kwargs,
        )

    @property
    def discriminator(self):
        """D."""
        return self.adversary.network

    @property
    def discriminator_steps(self):
        """The discriminator's steps for one of the generator."""
        return self.adversary_steps

    def training_step(self, x, y, noise):  # Algorithm 1
        for x_part, y_part in self.parts(2.0 * x - 1.0, y):  # k of them
            z = self.draw(noise, x_part)
            x_fake = self.generate(z, y_part, training=True)
            self.minimize(self.adversary_loss, "discriminator", x_part, x_fake, z, y_part, noise)
        self.minimize(self.generator_loss, "generator", self.draw(noise, x_part), y_part, x_part)
        self.update_average()

    def adapt(self, images):
        """Starts the generator at the mean image, which the discriminator does not tell at once.

        It sets the bias of the generator's last layer, if that has one for each pixel as the
        authors' perceptrons do; call it once, before training.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, of which the first
                10,000 images count.
        """
        last = [v for v in self.generator.trainable_variables if v.name == "bias"][-1:]
        if last and last[0].shape == (int(np.prod(self.image_shape)),):
            self.start_at_mean(
                self.generator, images, lambda m: np.arctanh(np.clip(2 * m - 1, -0.998, 0.998))
            )

    def default_optimizers(self):
        # The authors' code, whose momentum grows from 0.5 to 0.7 in 250 epochs. There the
        # discriminator's rate is the same, but its loss is half of this one.
        def sgd(player, rate):
            schedule = keras.optimizers.schedules.ExponentialDecay(rate, 1, 1 / 1.000004)
            return keras.optimizers.SGD(schedule, momentum=0.5, name=player)

        return {
            "discriminator": sgd("discriminator", 0.05),
            "generator": sgd("generator", 0.1),
        }

    def get_config(self):
        return super().get_config() | {
            "discriminator": self.discriminator,
            "discriminator_steps": self.discriminator_steps,
        }
