"""PixelRNN."""

import functools

import keras

from kgen import networks
from kgen.layers.residual_lstm import CELLS
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel
from kgen.models.network_check import check_preset_only


@keras.saving.register_keras_serializable("kgen")
class PixelRNN(AutoregressiveModel):
    """PixelRNN: LSTMs over the rows or diagonals of an image give each pixel's distribution.

    p(x) = prod_i p(x_i | x_1, ..., x_(i-1))   (eq. 1), pixels row by row and of each red, green and
    blue in turn (eq. 2). A Diagonal BiLSTM sees all that comes before a pixel, a Row LSTM a
    triangle above it. With `subsampling` n every n-th pixel of every n-th row comes first, as an
    image, and all others given it (section 3.6); the likelihood is that of the whole image, in this
    order. Unlike the paper, Adam trains it, with gradients of norm 1 at most.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to
            256.
        network: `kgen.networks.CausalNetwork` or `MultiScaleNetwork` from images in [-1, 1] to the
            likelihood's parameters, (batch, height, width, `num_outputs`), of which i belongs to
            colour i mod channels; or None for the preset. A conditional one takes `[image,
            condition]`.
        cell: "row" or "diagonal". The preset's LSTMs. Defaults to "diagonal".
        width: int. h of the preset. Defaults to the paper's 128 for colour, 16 for grey images.
        depth: int. The preset's LSTMs. Defaults to the paper's 12 for colour, 7 for grey images.
        subsampling: int, of which height and width are multiples. Above 1 the preset is the
            multi-scale network. Defaults to 1.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`, such as `LogisticMixture(5)`. Defaults to "bernoulli"
            for 2 levels, else "categorical".
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens, a vector or, without
            `subsampling`, an image of the same height and width; or None.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.PixelRNN((8, 8, 1), levels=2, cell="row", width=4, depth=1)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016.
    https://arxiv.org/abs/1601.06759
    """

    network_classes = networks.CausalNetwork, networks.MultiScaleNetwork

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        network: keras.Model | None = None,
        cell: str | None = None,
        width: int | None = None,
        depth: int | None = None,
        subsampling: int | None = None,
        likelihood: str | None = None,
        ema_decay: float | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        if cell is not None and cell not in CELLS:
            raise ValueError(f"Expected cell in {list(CELLS)}. Received: {cell=}")
        check_preset_only(network, "cell", cell)
        super().__init__(
            image_shape,
            levels,
            network,
            preset=functools.partial(_preset, cell or "diagonal"),
            sizes={"width": width, "depth": depth, "subsampling": subsampling},
            likelihood=likelihood,
            ema_decay=ema_decay,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.cell = cell

    def default_optimizers(self):
        adam = keras.optimizers.Adam(1e-3, global_clipnorm=1.0, name="network")
        return {"network": adam}

    def get_config(self):
        return super().get_config() | {
            "cell": self.cell,
            "width": self.width,
            "depth": self.depth,
            "subsampling": self.subsampling,
        }


def _preset(cell, image_shape, distribution, width=None, depth=None, subsampling=1, condition=None):
    return networks.pixel_rnn(
        image_shape,
        distribution.num_outputs(1),
        cell,
        width,
        depth,
        subsampling,
        condition=condition,
    )
