"""MADE."""

import keras

from kgen import networks
from kgen.models.autoregressive.belief_net import BeliefNet


@keras.saving.register_keras_serializable("kgen")
class MADE(BeliefNet):
    """MADE: an autoencoder whose masks leave each pixel what comes before it, in several orders.

    Dense layers with masks, and weights from the pixels straight to the outputs, give all
    p(x_d | x_1 ... x_(d-1))  in one pass. With several orders each step takes the next of them, and
    the likelihood is that of their mixture,  log p(x) = log sum_k p_k(x) - log K,  a sample of one
    of them: averaged logits would give probabilities that do not sum to 1. Adam trains it.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 images are binarized anew each time they
            are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to 2.
        network: `kgen.networks.OrderedNetwork` from images in [-1, 1] to the likelihood's
            parameters, or None for the preset.
        width: int. Units of the preset's hidden layers. Defaults to 500.
        depth: int. The preset's hidden layers. Defaults to 1.
        orders: int. How many orders the preset has: that of the rows, and others at random.
            Defaults to 1.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`, such as `LogisticMixture(5)`. Defaults to "bernoulli"
            for 2 levels, else "categorical".
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, or None.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.MADE((8, 8, 1), width=32, orders=4)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.sample(4, seed=0).shape
    (4, 8, 8, 1)

    Reference: Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015.
    https://arxiv.org/abs/1502.03509
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 2,
        network: keras.Model | None = None,
        width: int | None = None,
        depth: int | None = None,
        orders: int | None = None,
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
            sizes={"width": width, "depth": depth, "orders": orders},
            likelihood=likelihood,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )

    def get_config(self):
        return super().get_config() | {
            "width": self.width,
            "depth": self.depth,
            "orders": self.orders,
        }


def _preset(image_shape, distribution, width=None, depth=None, orders=None, condition=None):
    units = (width or 500,) * (depth or 1)
    outputs = distribution.num_outputs(1)
    return networks.made(image_shape, outputs, units, orders or 1, condition=condition)
