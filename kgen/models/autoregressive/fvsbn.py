"""The fully visible sigmoid belief network."""

import functools

import keras

from kgen import networks
from kgen.models.autoregressive.belief_net import BeliefNet, listed
from kgen.models.network_check import check_preset_only


@keras.saving.register_keras_serializable("kgen")
class FVSBN(BeliefNet):
    """Fully visible sigmoid belief network: each pixel a logistic regression on those before it.

    p(x_d = 1 | x_1 ... x_(d-1)) = sigmoid(b_d + sum_(j < d) W_dj x_j)

    It is convex, and so the measure for all that comes after it: of 28x28 binary pixels 307,720
    weights count. With more levels each has such a sum. Adam trains it.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 images are binarized anew each time they
            are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to 2.
        network: `kgen.networks.OrderedNetwork` from images in [-1, 1] to the likelihood's
            parameters, or None for the preset.
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
    >>> model = kgen.FVSBN((8, 8, 1))
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.log_likelihood(images[:4], seed=0).shape
    (4,)

    Reference: Frey, Hinton & Dayan, Does the Wake-sleep Algorithm Produce Good Density Estimators?,
    1995. https://papers.nips.cc/paper/1153-does-the-wake-sleep-algorithm-produce-good-density-estimators
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 2,
        network: keras.Model | None = None,
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
            sizes={},
            likelihood=likelihood,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.order = order

    def default_optimizers(self):
        return {"network": keras.optimizers.Adam(1e-2, name="network")}

    def get_config(self):
        return super().get_config() | {"order": listed(self.order)}


def _preset(order, image_shape, distribution, condition=None):
    return networks.fvsbn(image_shape, distribution.num_outputs(1), order, condition)
