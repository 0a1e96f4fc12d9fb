"""NADE."""

import functools

import keras

from kgen import networks
from kgen.models.autoregressive.belief_net import BeliefNet, listed
from kgen.models.network_check import check_preset_only


@keras.saving.register_keras_serializable("kgen")
class NADE(BeliefNet):
    """NADE: a hidden layer for each pixel, whose weights are those of the one before and one more.

    h_d = sigmoid(c + sum_(j < d) W_j x_j),  p(x_d = 1 | x_1 ... x_(d-1)) = sigmoid(b_d + V_d h_d)

    eq. 1 and 2. One pass gives the likelihood; a sample keeps the running sum. Adam trains it.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 images are binarized anew each time they
            are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to 2.
        network: `kgen.networks.OrderedNetwork` from images in [-1, 1] to the likelihood's
            parameters, or None for the preset.
        width: int. The preset's hidden units. Defaults to the paper's 500.
        order: int array (height * width * channels,), a permutation: in which pixels, numbered row
            by row, and their colours in turn, come. Defaults to their own.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`, such as `LogisticMixture(5)`. Defaults to "bernoulli"
            for 2 levels, else "categorical".
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, or None.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.NADE((8, 8, 1), width=16)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.sample(4, seed=0).shape
    (4, 8, 8, 1)

    Reference: Larochelle & Murray, The Neural Autoregressive Distribution Estimator, 2011.
    https://proceedings.mlr.press/v15/larochelle11a.html
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 2,
        network: keras.Model | None = None,
        width: int | None = None,
        order=None,
        likelihood: str | None = None,
        ema_decay: float | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        check_preset_only(network, "order", order)
        super().__init__(
            image_shape,
            levels,
            network,
            preset=functools.partial(_preset, order),
            sizes={"width": width},
            likelihood=likelihood,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.order = order

    def get_config(self):
        return super().get_config() | {"width": self.width, "order": listed(self.order)}


def _preset(order, image_shape, distribution, width=None, condition=None):
    outputs = distribution.num_outputs(1)
    return networks.nade(image_shape, outputs, width or 500, order, condition)
