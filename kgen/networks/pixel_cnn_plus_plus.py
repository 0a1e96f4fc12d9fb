"""The network of PixelCNN++."""

import keras

from kgen.layers import ColorHead, MaskedConv2D, ShiftedStem, ShortcutStreams
from kgen.layers.precision import full_precision
from kgen.networks.causal_network import CausalNetwork


def pixel_cnn_plus_plus(
    image_shape,
    outputs,
    filters=160,
    blocks=5,
    scales=3,
    dropout=0.5,
    coupled=True,
    condition=None,
    name="network",
):
    """Two streams of residual blocks at several scales (Salimans et al. 2017, figure 2).

    Args:
        image_shape: tuple (height, width, channels), height and width multiples of
            2 ** (scales - 1).
        outputs: int. Numbers a pixel.
        filters: int. Channels of each stream.
        blocks: int. Residual blocks of a scale on the way down; on the way up the finer scales have
            one more.
        scales: int. The image's, and each of half the height and width.
        dropout: float in [0, 1).
        coupled: bool. No output knows a colour of its own pixel; else channel i belongs to colour
            i mod channels and knows the colours before it, by a `kgen.layers.ColorHead`.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, int for as many
            classes, or None. With it the network takes `[image, condition]`.
        name: str. Name of the model.

    Returns:
        `CausalNetwork` from (batch, height, width, channels) to (batch, height, width, outputs).
    """
    colors, dtype = image_shape[-1], full_precision()
    head = MaskedConv2D(outputs, 1, "B", dtype=dtype)
    if not coupled and colors > 1:
        head = ColorHead(outputs, colors, 2 * filters, dtype=dtype)
    layers = [
        ShiftedStem(filters),
        ShortcutStreams(filters, blocks, scales, dropout),
        keras.layers.ELU(),
        head,
    ]
    return CausalNetwork(layers, image_shape, condition, name=name)
