"""The conditional GAN."""

import keras

from kgen.models.adversarial.dcgan import DCGAN


@keras.saving.register_keras_serializable("kgen")
class ConditionalGAN(DCGAN):
    """Conditional GAN: a GAN whose two players are told the label.

    The discriminator D minimises  -E[log D(x|y)] - E[log(1 - D(G(z|y)|y))]  (eq. 2). Unlike the
    paper, whose networks are perceptrons, the presets are DCGAN's, with the label's one-hot code
    concatenated at every layer, as DCGAN's authors did for digits.

    Args:
        image_shape: tuple (height, width, channels).
        num_classes: int. Short for `condition=kgen.fields.Label(num_classes)`.
        latent_dim: int. Length of z. Defaults to 100.
        condition: `kgen.fields.Field`, in place of `num_classes`.
        **kwargs: those of `kgen.DCGAN`.

    Example:
    >>> images, labels = np.random.rand(64, 8, 8, 1), np.arange(64) % 10
    >>> gan = kgen.ConditionalGAN(image_shape=(8, 8, 1), num_classes=10, latent_dim=4, width=8)
    >>> gan.compile()
    >>> history = gan.fit(images, labels, verbose=0)
    >>> gan.sample(3, labels=7, seed=0).shape
    (3, 8, 8, 1)

    Reference: Mirza & Osindero, Conditional Generative Adversarial Nets, 2014.
    https://arxiv.org/abs/1411.1784
    """

    is_conditional = True

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        num_classes: int | None = None,
        latent_dim: int = 100,
        condition=None,
        **kwargs,
    ):
        if num_classes is None and condition is None:
            raise ValueError(
                "Expected num_classes or a condition for a conditional model. Received: None"
            )
        super().__init__(
            image_shape, latent_dim, num_classes=num_classes, condition=condition, **kwargs
        )
