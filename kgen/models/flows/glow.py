"""Glow: a flow of invertible 1x1 convolutions."""

import functools

import keras

from kgen.checks import choice
from kgen.models.flows.flow_model import FlowModel
from kgen.models.network_check import check_preset_only
from kgen.networks import glow

SCALES = {"affine": "sigmoid", "additive": None}


@keras.saving.register_keras_serializable("kgen")
class Glow(FlowModel):
    """Glow: steps of a normalization, a learned rotation of the channels, and a coupling.

    It maximises a bound on  log p(x) = log N(f(x); 0, I) + log|det f'(x)|  of 8-bit images, eq. 3.

    Args:
        image_shape: tuple (height, width, channels), height and width even.
        network: `kgen.networks.InvertibleNetwork` from images, or None for the preset.
        width: int. Channels inside the preset's couplings. Defaults to the paper's 512 for colour,
            48 for grey images.
        depth: int. The preset's steps in a level. Defaults to the paper's 32 for colour, 4 for grey
            images.
        squeezes: int. The preset's levels, each of half the height and width. Defaults to as many
            as the size allows, at most the paper's 3.
        coupling: "affine" or "additive". The preset's. Defaults to "affine".
        levels: int. Values of a pixel and colour. Defaults to 256, those of 8 bits.
        alpha: float in [0, 0.5), or None. What goes into the network is logit(alpha + (1 - 2 alpha)
            v); the paper's is None, for v - 1/2. Defaults to 0.05, which on MNIST takes a fourth
            off the bits of a short training.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional: the couplings and
            what leaves know it.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(32, 8, 8, 1)
    >>> model = kgen.Glow((8, 8, 1), width=8, depth=1)
    >>> model.adapt(images)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.sample(2, seed=0, temperature=0.7).shape
    (2, 8, 8, 1)

    Reference: Kingma & Dhariwal, Glow: Generative Flow with Invertible 1x1 Convolutions, 2018.
    https://arxiv.org/abs/1807.03039
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        network: keras.Model | None = None,
        width: int | None = None,
        depth: int | None = None,
        squeezes: int | None = None,
        coupling: str = "affine",
        levels: int = 256,
        alpha: float | None = 0.05,
        ema_decay: float | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        choice("coupling", coupling, SCALES)
        check_preset_only(network, "coupling", None if coupling == "affine" else coupling)
        super().__init__(
            image_shape,
            network,
            preset=functools.partial(_preset, coupling),
            sizes={"width": width, "depth": depth, "squeezes": squeezes},
            levels=levels,
            alpha=alpha,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.coupling = coupling

    def default_optimizers(self):
        # The rate of their code, for batches of 64.
        return {"network": keras.optimizers.Adamax(1e-3, global_clipnorm=100.0, name="network")}

    def get_config(self):
        return super().get_config() | {
            "width": self.width,
            "depth": self.depth,
            "squeezes": self.squeezes,
            "coupling": self.coupling,
        }


def _preset(coupling, image_shape, width=None, depth=None, squeezes=None, condition=None):
    is_colour = image_shape[-1] > 1
    return glow(
        image_shape,
        width or (512 if is_colour else 48),
        depth or (32 if is_colour else 4),
        squeezes,
        SCALES[coupling],
        condition,
    )
