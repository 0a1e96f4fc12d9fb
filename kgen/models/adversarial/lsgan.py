"""The least squares GAN."""

import keras
import numpy as np

from kgen import networks
from kgen.losses import least_squares_discriminator_loss, least_squares_generator_loss
from kgen.models.adversarial.adversarial_model import AdversarialModel


@keras.saving.register_keras_serializable("kgen")
class LSGAN(AdversarialModel):
    """Least squares GAN: a GAN whose discriminator regresses on labels instead of classifying.

    The discriminator D minimises  1/2 E[(D(x) - b)^2] + 1/2 E[(D(G(z)) - a)^2]  and the generator G
    1/2 E[(D(G(z)) - c)^2]  (eq. 2); D is linear at its end. With b - c = 1 and b - a = 2 the game
    minimises Pearson's chi-square divergence. Unlike the paper, whose images are of 112 pixels, the
    presets are DCGAN's, for any size from 8x8 up.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        a: float. The discriminator's label of fakes. Defaults to 0.
        b: float. The discriminator's label of real images. Defaults to 1.
        c: float. What the generator wants its images to be taken for. Defaults to 1.
        label_smoothing: float in [0, 1). Moves b by this part of the way to a.
        **kwargs: what every adversarial model takes: `generator`, `discriminator`, `num_classes`,
            `projection`, `spectral_normalization`, `prior`, `discriminator_steps`, `r1_weight`,
            `ema_decay`, `log_gradient_norms`, `seed`; see `AdversarialModel`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.LSGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Mao et al., Least Squares Generative Adversarial Networks, 2016.
    https://arxiv.org/abs/1611.04076
    """

    log_names = ("discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy")
    default_batch_size = 64
    generator_preset = staticmethod(networks.dcgan_generator)
    discriminator_preset = staticmethod(networks.dcgan_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        a: float = 0.0,
        b: float = 1.0,
        c: float = 1.0,
        label_smoothing: float = 0.0,
        **kwargs,
    ):
        if a == b or not np.isfinite([a, b, c]).all():
            raise ValueError(
                f"Expected finite labels, a and b different. Received: a={a}, b={b}, c={c}"
            )
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"Expected label_smoothing in [0, 1). Received: {label_smoothing=}")
        super().__init__(image_shape, latent_dim, **kwargs)
        self.a = a
        self.b = b
        self.c = c
        self.label_smoothing = label_smoothing

    def default_optimizers(self):
        # The authors' 1e-3 with batches of 64 is for LSUN; on MNIST it is DCGAN's.
        return {
            player: keras.optimizers.Adam(2e-4, beta_1=0.5, name=player)
            for player in self.players()
        }

    def discriminator_loss(self, real_logits, fake_logits):
        b = self.b + self.label_smoothing * (self.a - self.b)
        return least_squares_discriminator_loss(real_logits, fake_logits, self.a, b)

    def generator_loss(self, fake_logits):
        return least_squares_generator_loss(fake_logits, self.c)

    def log_judgement(self, real_logits, fake_logits):
        # On the real side of the middle between the labels, as a classifier's logit above 0.
        middle, side = 0.5 * (self.a + self.b), self.b - self.a
        super().log_judgement((real_logits - middle) * side, (fake_logits - middle) * side)

    def get_config(self):
        return super().get_config() | {
            "a": self.a,
            "b": self.b,
            "c": self.c,
            "label_smoothing": self.label_smoothing,
        }
