"""The networks of PixelCNN and of the gated PixelCNN."""

import keras

from kgen.checks import whole_number
from kgen.layers import GatedBlock, LevelEmbedding, MaskedConv2D, MaskedResidualBlock
from kgen.layers.precision import full_precision
from kgen.networks.causal_network import CausalNetwork


def pixel_cnn(image_shape, outputs, filters=None, blocks=None, head=None, name="network"):
    """Masked convolutions and residual blocks (van den Oord et al. 2016a, table 1).

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers a pixel and colour.
        filters: int. h in the paper: the first layer has twice as many channels. Defaults to the
            paper's 128 for colour, 16 for grey images.
        blocks: int. Residual blocks. Defaults to the paper's 15 for colour, 7 for grey images.
        head: int. Channels of the last hidden layer. Defaults to the paper's 1024 for colour, twice
            `filters` for grey images.
        name: str. Name of the model.

    Returns:
        `CausalNetwork` from (batch, height, width, channels) to (batch, height, width, outputs *
        channels), of which channel i belongs to colour i mod channels.
    """
    colors = image_shape[-1]
    filters, blocks = sizes(colors, filters, blocks)
    layers = [
        MaskedConv2D(2 * filters, 7, "A", colors),
        *(MaskedResidualBlock(2 * filters, colors=colors) for _ in range(blocks)),
        *masked_head(head, 2 * filters, outputs, colors),
    ]
    return CausalNetwork(layers, image_shape, name=name)


def gated_pixel_cnn(
    image_shape,
    outputs,
    filters=None,
    blocks=None,
    head=None,
    named_levels=None,
    condition=None,
    name="network",
):
    """A first gated block of 7x7 and others of 3x3 (van den Oord et al. 2016b, figure 2).

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers a pixel and colour.
        filters: int. Channels of each stack. Defaults to 128 for colour, 16 for grey images.
        blocks: int. Blocks after the first. Defaults to 15 for colour, 7 for grey images.
        head: int. Channels of the last hidden layer. Defaults to 1024 for colour, `filters` for
            grey images.
        named_levels: int or None. So many levels, which are names and not numbers, as codes are:
            each is looked up as `filters` numbers first.
        condition: `kgen.fields.Field` of a label, attributes, tokens, a vector, or an image or
            features of the same height and width, int for as many classes, or None. With it the
            network takes `[image, condition]`.
        name: str. Name of the model.

    Returns:
        `CausalNetwork` from (batch, height, width, channels) to (batch, height, width, outputs *
        channels), of which channel i belongs to colour i mod channels.
    """
    colors = image_shape[-1]
    filters, blocks = sizes(colors, filters, blocks)
    layers = [
        *([] if named_levels is None else [LevelEmbedding(named_levels, filters)]),
        GatedBlock(filters, 7, "A", colors),
        *(GatedBlock(filters, colors=colors) for _ in range(blocks)),
        *masked_head(head, filters, outputs, colors),
    ]
    return CausalNetwork(layers, image_shape, condition, name=name)


def sizes(colors, filters, blocks, blocks_for_colors=15):
    """Filters and blocks as whole numbers, the paper's in place of None."""
    default_filters, default_blocks = (128, blocks_for_colors) if colors > 1 else (16, 7)
    filters = default_filters if filters is None else filters
    blocks = default_blocks if blocks is None else blocks
    return whole_number("filters", filters), whole_number("blocks", blocks, at_least=0)


def masked_head(width, least, outputs, colors):
    """The last layers: of `width` channels, or the paper's 1024 for colour, `least` for grey."""
    width = (1024 if colors > 1 else least) if width is None else whole_number("head", width)
    return [
        keras.layers.ReLU(),
        MaskedConv2D(width, 1, "B", colors, activation="relu"),
        MaskedConv2D(outputs * colors, 1, "B", colors, dtype=full_precision()),
    ]
