"""PixelCNN++."""

import functools

import keras

from kgen import networks
from kgen.checks import number
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel
from kgen.models.network_check import check_preset_only


@keras.saving.register_keras_serializable("kgen")
class PixelCNNPlusPlus(AutoregressiveModel):
    """PixelCNN++: a mixture of logistics over a pixel's colours, short-cuts across scales, dropout.

    P(x) is the sum over a mixture of logistic distributions, integrated over the bin of each level,
    of which the network gives weights, means, scales, and coefficients of the colours before,
    eq. 2 and 3. Two streams, shifted down and to the right, go through residual blocks at half and
    quarter size and up again. The verbs go through an average of the weights. Unlike the
    published code, weights are not normalized.

    Args:
        image_shape: tuple (height, width, channels), height and width multiples of
            2 ** (scales - 1).
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to
            256.
        network: `kgen.networks.CausalNetwork` from images in [-1, 1] to the likelihood's
            parameters, (batch, height, width, `num_outputs`), or None for the preset.
        width: int. Channels of each of the preset's streams. Defaults to the paper's 160 for
            colour, 24 for grey images.
        depth: int. The preset's residual blocks of a scale. Defaults to the paper's 5 for colour, 2
            for grey images.
        scales: int. The preset's, each of half the height and width. Defaults to as many as the
            size allows, at most the paper's 3.
        dropout: float in [0, 1), the preset's. Defaults to the paper's 0.5 for colour, 0.2 for
            grey images.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`, such as `LogisticMixture(5, coupled=True)`. Defaults to
            "bernoulli" for 2 levels, else "logistic_mixture".
        ema_decay: float, a Keras schedule or None. Of the average. Defaults to the paper's 0.9995.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, or None.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(32, 8, 8, 3)
    >>> model = kgen.PixelCNNPlusPlus((8, 8, 3), width=4, depth=1)
    >>> model.compile()
    >>> history = model.fit(np.rint(255 * images) / 255, verbose=0)
    >>> model.sample(2, seed=0).shape
    (2, 8, 8, 3)

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """

    couples_colors = True

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        network: keras.Model | None = None,
        width: int | None = None,
        depth: int | None = None,
        scales: int | None = None,
        dropout: float | None = None,
        likelihood: str | None = None,
        ema_decay: float | None = 0.9995,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        dropout = number("dropout", dropout, at_least=0, optional=True)
        if dropout is not None and dropout >= 1:
            raise ValueError(f"Expected dropout in [0, 1), or None. Received: {dropout=}")
        check_preset_only(network, "dropout", dropout)
        super().__init__(
            image_shape,
            levels,
            network,
            preset=functools.partial(_preset, dropout),
            sizes={"width": width, "depth": depth, "scales": scales},
            likelihood=likelihood,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.dropout = dropout

    def default_optimizers(self):
        rate = keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 0.999995)
        return {"network": keras.optimizers.Adam(rate, beta_1=0.95, beta_2=0.9995, name="network")}

    def get_config(self):
        return super().get_config() | {
            "width": self.width,
            "depth": self.depth,
            "scales": self.scales,
            "dropout": self.dropout,
        }


def _preset(
    dropout, image_shape, distribution, width=None, depth=None, scales=None, condition=None
):
    is_colour = image_shape[-1] > 1
    if dropout is None:
        dropout = 0.5 if is_colour else 0.2
    if scales is None:
        halvings = [n for n in (2, 1, 0) if not any(size % 2**n for size in image_shape[:2])]
        scales = halvings[0] + 1
    width, depth = width or (160 if is_colour else 24), depth or (5 if is_colour else 2)
    outputs, coupled = distribution.num_outputs(image_shape[-1]), distribution.coupled
    return networks.pixel_cnn_plus_plus(
        image_shape, outputs, width, depth, scales, dropout, coupled, condition
    )
