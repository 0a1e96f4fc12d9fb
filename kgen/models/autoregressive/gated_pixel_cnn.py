"""The gated PixelCNN."""

import keras

from kgen import networks
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel


@keras.saving.register_keras_serializable("kgen")
class GatedPixelCNN(AutoregressiveModel):
    """Gated PixelCNN: a PixelCNN of two stacks without a blind spot, with gates, and labels.

    The vertical stack sees the rows above, the horizontal one the row so far and the vertical
    stack; each layer is gated,  y = tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h)  (eq. 4), h the
    condition's code.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to
            256.
        network: `kgen.networks.CausalNetwork` from images in [-1, 1] to the likelihood's
            parameters, (batch, height, width, `num_outputs`), of which i belongs to colour i mod
            channels; or None for the preset. A conditional one takes `[image, condition]`.
        width: int. Channels of each stack of the preset. Defaults to 128 for colour, 16 for grey
            images.
        depth: int. The preset's blocks after the first. Defaults to 15 for colour, 7 for grey
            images.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`, such as `LogisticMixture(5)`. Defaults to "bernoulli"
            for 2 levels, else "categorical".
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens, a vector, or an image or
            features of the same height and width; or None.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images, labels = np.random.rand(64, 8, 8, 1), np.arange(64) % 10
    >>> model = kgen.GatedPixelCNN((8, 8, 1), levels=4, width=4, depth=1, num_classes=10)
    >>> model.compile()
    >>> history = model.fit(np.rint(3 * images) / 3, labels, verbose=0)
    >>> model.sample(16, labels=7, seed=0).shape
    (16, 8, 8, 1)

    Reference: van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016.
    https://arxiv.org/abs/1606.05328
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        network: keras.Model | None = None,
        width: int | None = None,
        depth: int | None = None,
        likelihood: str | None = None,
        ema_decay: float | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            levels,
            network,
            preset=_preset,
            sizes={"width": width, "depth": depth},
            likelihood=likelihood,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )

    def get_config(self):
        return super().get_config() | {"width": self.width, "depth": self.depth}


def _preset(image_shape, distribution, width=None, depth=None, condition=None):
    return networks.gated_pixel_cnn(
        image_shape, distribution.num_outputs(1), width, depth, condition=condition
    )
