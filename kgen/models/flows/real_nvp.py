"""Real NVP: a flow of couplings, by a checkerboard and by channels."""

import keras

from kgen.models.flows.flow_model import FlowModel
from kgen.networks import real_nvp


@keras.saving.register_keras_serializable("kgen")
class RealNVP(FlowModel):
    """Real NVP: couplings, in which one half of an image stretches the other.

    It maximises a bound on  log p(x) = log N(f(x); 0, I) + log|det f'(x)|  of 8-bit images, eq. 3.
    Unlike the paper's, `kgen.layers.ActNorm` stands where batch normalization is, of which training
    and test likelihoods differ; so `adapt` comes before `fit`.

    Args:
        image_shape: tuple (height, width, channels), height and width even.
        network: `kgen.networks.InvertibleNetwork` from images, or None for the preset.
        width: int. Channels of the preset's couplings at the full size, doubled where it is halved.
            Defaults to the paper's 64 for colour, 16 for grey images.
        depth: int. Residual blocks of a coupling. Defaults to the paper's 8 for colour, 2 for grey
            images.
        squeezes: int. How often height and width are halved. Defaults to as often as the size
            allows, at most 3.
        levels: int. Values of a pixel and colour. Defaults to 256, those of 8 bits.
        alpha: float in [0, 0.5), or None. What goes into the network is logit(alpha + (1 - 2 alpha)
            v), or with None v - 1/2. Defaults to the paper's 0.05.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional: the couplings know
            it.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(32, 8, 8, 1)
    >>> model = kgen.RealNVP((8, 8, 1), width=8, depth=1)
    >>> model.adapt(images)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.decode(model.encode(images[:2])).shape
    (2, 8, 8, 1)

    Reference: Dinh et al., Density Estimation Using Real NVP, 2016.
    https://arxiv.org/abs/1605.08803
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        network: keras.Model | None = None,
        width: int | None = None,
        depth: int | None = None,
        squeezes: int | None = None,
        levels: int = 256,
        alpha: float | None = 0.05,
        ema_decay: float | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            network,
            preset=_preset,
            sizes={"width": width, "depth": depth, "squeezes": squeezes},
            levels=levels,
            alpha=alpha,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )

    def default_optimizers(self):
        return {"network": keras.optimizers.Adam(1e-3, global_clipnorm=100.0, name="network")}

    def get_config(self):
        return super().get_config() | {
            "width": self.width,
            "depth": self.depth,
            "squeezes": self.squeezes,
        }


def _preset(image_shape, width=None, depth=None, squeezes=None, condition=None):
    is_colour = image_shape[-1] > 1
    width, depth = width or (64 if is_colour else 16), depth or (8 if is_colour else 2)
    return real_nvp(image_shape, width, depth, squeezes, condition)
