"""The deep convolutional GAN."""

import keras

from kgen import networks
from kgen.models.adversarial.gan import GAN


@keras.saving.register_keras_serializable("kgen")
class DCGAN(GAN):
    """Deep convolutional GAN: a GAN of strided convolutions with batch normalization, and Adam.

    z is uniform in [-1, 1]^100, the learning rate 2e-4 and beta_1 0.5 for both players (section 4).
    The presets double the size in each layer up to the image's, cropping where it is odd; any size
    from 8x8 up has one.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        width: int. Channels next to the image; they double in each of three layers. Defaults to the
            paper's 128 from 64x64 on, 64 below.
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`. Defaults to "uniform".
        **kwargs: those of `kgen.GAN`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.DCGAN(image_shape=(8, 8, 1), latent_dim=4, width=8)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Radford et al., Unsupervised Representation Learning with Deep Convolutional
    Generative Adversarial Networks, 2015. https://arxiv.org/abs/1511.06434
    """

    default_batch_size = 128
    generator_preset = staticmethod(networks.dcgan_generator)
    adversary_preset = staticmethod(networks.dcgan_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        width: int | None = None,
        prior: str = "uniform",
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, width=width, prior=prior, **kwargs)

    def default_optimizers(self):
        return {
            player: keras.optimizers.Adam(2e-4, beta_1=0.5, name=player)
            for player in self.players()
        }
