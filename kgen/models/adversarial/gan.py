"""The generative adversarial network."""

import keras
import numpy as np

from kgen import networks
from kgen.losses import (
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
)
from kgen.models.adversarial.adversarial_model import AdversarialModel

GENERATOR_LOSSES = {
    "non_saturating": non_saturating_generator_loss,
    "minimax": minimax_generator_loss,
}


@keras.saving.register_keras_serializable("kgen")
class GAN(AdversarialModel):
    """Generative adversarial network: a generator learns to fool a discriminator.

    The discriminator D minimises  -E[log D(x)] - E[log(1 - D(G(z)))]  (eq. 1) and the generator G
    -E[log D(G(z))], or what the discriminator maximises, which saturates (section 3). The presets
    are the authors' perceptrons for MNIST; call `adapt` before training, as their code does.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        objective: "non_saturating" or "minimax". What the generator minimises.
        label_smoothing: float in [0, 1). Real images count as real by 1 - label_smoothing (Salimans
            et al. 2016).
        prior: "uniform" in [-1, 1] or "normal". Defaults to "normal".
        **kwargs: what every adversarial model takes: `generator`, `discriminator`, `num_classes`,
            `projection`, `spectral_normalization`, `discriminator_steps`, `r1_weight`,
            `ema_decay`, `log_gradient_norms`, `seed`; see `AdversarialModel`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.GAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Goodfellow et al., Generative Adversarial Nets, 2014. https://arxiv.org/abs/1406.2661
    """

    log_names = ("discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy")
    default_batch_size = 100
    generator_preset = staticmethod(networks.dense_generator)
    discriminator_preset = staticmethod(networks.maxout_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        objective: str = "non_saturating",
        label_smoothing: float = 0.0,
        prior: str = "normal",
        **kwargs,
    ):
        if objective not in GENERATOR_LOSSES:
            raise ValueError(
                f"Expected objective in {list(GENERATOR_LOSSES)}. Received: objective={objective!r}"
            )
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"Expected label_smoothing in [0, 1). Received: {label_smoothing=}")
        super().__init__(image_shape, latent_dim, prior=prior, **kwargs)
        self.objective = objective
        self.label_smoothing = label_smoothing

    def adapt(self, images):
        """Starts the generator at the mean image, which the discriminator does not tell at once.

        It sets the bias of the generator's last layer; call it once, before training.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, of which the first
                10,000 images count.
        """
        self.start_at_mean(
            self.generator, images, lambda mean: np.arctanh(np.clip(2 * mean - 1, -0.998, 0.998))
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

    def discriminator_loss(self, real_logits, fake_logits):
        return minimax_discriminator_loss(real_logits, fake_logits, self.label_smoothing)

    def generator_loss(self, fake_logits):
        return GENERATOR_LOSSES[self.objective](fake_logits)

    def get_config(self):
        return super().get_config() | {
            "objective": self.objective,
            "label_smoothing": self.label_smoothing,
        }
