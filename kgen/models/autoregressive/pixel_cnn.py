"""PixelCNN."""

import keras

from kgen import networks
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel


@keras.saving.register_keras_serializable("kgen")
class PixelCNN(AutoregressiveModel):
    """PixelCNN: masked convolutions give each pixel's distribution given all before it.

    p(x) = prod_i p(x_i | x_1, ..., x_(i-1))   (eq. 1), pixels row by row and of each red, green and
    blue in turn (eq. 2); a softmax over the levels, or a sigmoid for two. Stacked masked
    convolutions have a blind spot, to the right above a pixel. Unlike the paper, Adam trains it.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to
            256.
        network: `kgen.networks.CausalNetwork` from images in [-1, 1] to the likelihood's
            parameters, (batch, height, width, `num_outputs`), of which i belongs to colour i mod
            channels; or None for the preset.
        width: int. h of the preset. Defaults to the paper's 128 for colour, 16 for grey images.
        depth: int. The preset's residual blocks. Defaults to the paper's 15 for colour, 7 for grey
            images.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`, such as `LogisticMixture(5)`. Defaults to "bernoulli"
            for 2 levels, else "categorical".
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.PixelCNN(image_shape=(8, 8, 1), levels=2, width=4, depth=1)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016.
    https://arxiv.org/abs/1601.06759
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
        seed: int | None = None,
        **kwargs,
    ):
        for name in ("num_classes", "condition"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"Expected no {name}: PixelCNN is unconditional, GatedPixelCNN takes it. "
                    f"Received: {name}={kwargs[name]}"
                )
        super().__init__(
            image_shape,
            levels,
            network,
            preset=_preset,
            sizes={"width": width, "depth": depth},
            likelihood=likelihood,
            ema_decay=ema_decay,
            seed=seed,
            **kwargs,
        )

    def get_config(self):
        return super().get_config() | {"width": self.width, "depth": self.depth}


def _preset(image_shape, distribution, width=None, depth=None, condition=None):
    return networks.pixel_cnn(image_shape, distribution.num_outputs(1), width, depth)
