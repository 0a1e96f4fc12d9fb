"""The least squares GAN."""

import keras

from kgen.models.adversarial.dcgan import DCGAN
from kgen.models.games import LeastSquares


@keras.saving.register_keras_serializable("kgen")
class LSGAN(DCGAN):
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
        loss: another one in place of the paper's, without labels; see `AdversarialModel`.
        **kwargs: those of `kgen.DCGAN`. `label_smoothing` moves b by this part of the way to a.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.LSGAN(image_shape=(8, 8, 1), latent_dim=4, width=8)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Mao et al., Least Squares Generative Adversarial Networks, 2016.
    https://arxiv.org/abs/1611.04076
    """

    default_batch_size = 64

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        a: float = 0.0,
        b: float = 1.0,
        c: float = 1.0,
        loss: str | None = None,
        **kwargs,
    ):
        if loss is not None and (a, b, c) != (0.0, 1.0, 1.0):
            raise ValueError(
                f"Expected no a, b and c with another loss. Received: {a=}, {b=}, {c=}, {loss=}"
            )
        paper = loss if type(loss) is LeastSquares else LeastSquares(a, b, c)
        super().__init__(image_shape, latent_dim, loss=paper if loss is None else loss, **kwargs)
        self.a, self.b, self.c = paper.a, paper.b, paper.c

    @property
    def loss(self):
        """What both players minimise in place of the paper's loss, or None."""
        return None if type(self._loss) is LeastSquares else self._loss

    @loss.setter
    def loss(self, loss):
        DCGAN.loss.fset(self, loss)

    def get_config(self):
        return super().get_config() | {"a": self.a, "b": self.b, "c": self.c}
