"""The flows of Real NVP and Glow, and the networks of their couplings."""

import itertools

import keras
from keras import layers

from kgen.layers import (
    ActNorm,
    Conv2D,
    Coupling,
    EdgeConv2D,
    InvertibleConv,
    Reorder,
    Split,
    Squeeze,
    Standardize,
)
from kgen.layers.precision import full_precision
from kgen.networks.conditioning import as_field, build, condition_input, join
from kgen.networks.invertible_network import InvertibleNetwork


def squeezes(image_shape, levels):
    """How often a flow squeezes an image: as asked for, or as often as it can, at most thrice.

    Raises:
        ValueError: a size does not squeeze so often; it names the next that do.
    """
    sizes = image_shape[:2]
    if levels is None:
        levels = 1
        while levels < 3 and all(size % 2 ** (levels + 1) == 0 for size in sizes):
            levels += 1
    block = 2**levels
    if any(size % block for size in sizes):
        below, above = (
            tuple(max(block, (size + up) // block * block) for size in sizes)
            for up in (0, block - 1)
        )
        raise ValueError(
            f"Expected a height and a width that {block} divides, for {levels} levels: the next "
            f"are {below} and {above}, as image_size of kgen.data.load. Received: {sizes}"
        )
    return levels


def _convolution(filters, size, **kwargs):
    return Conv2D(filters, size, padding="same", data_format="channels_last", **kwargs)


def _with_condition(h, code, width):
    """What a condition adds to the first layer: nothing at first."""
    if code is None or len(code.shape) == 4:
        return h
    added = layers.Dense(width, kernel_initializer="zeros", name="of_condition")(code)
    return layers.Add()([h, layers.Reshape((1, 1, width))(added)])


def _inputs(shape, condition):
    x = keras.Input(shape, dtype=full_precision(), name="half")
    conditions, code = condition_input(condition)
    is_image = code is not None and len(code.shape) == 4
    return [x, *conditions], join(x, code) if is_image else x, code


def glow_network(shape, outputs, width, condition=None):
    """What a coupling of Glow asks: two convolutions of `width`, and one of 0 at first.

    Args:
        shape: tuple (height, width, channels) of what it sees.
        outputs: int. Channels that it gives.
        width: int.
        condition: `kgen.fields.Field`, int for as many classes, or None.
    """
    inputs, x, code = _inputs(shape, condition)
    h, _ = ActNorm()(EdgeConv2D(width, 3)(x))
    h = layers.ReLU()(_with_condition(h, code, width))
    h, _ = ActNorm()(_convolution(width, 1, use_bias=False)(h))
    h = EdgeConv2D(outputs, 3, is_last=True, dtype=full_precision())(layers.ReLU()(h))
    return build(inputs, h, "coupling")


def residual_network(shape, outputs, width, blocks, condition=None):
    """What a coupling of Real NVP asks: residual blocks, of which all add to the last layer.

    Args:
        shape: tuple (height, width, channels) of what it sees.
        outputs: int. Channels that it gives.
        width: int. Channels of the blocks.
        blocks: int.
        condition: `kgen.fields.Field`, int for as many classes, or None.
    """
    inputs, x, code = _inputs(shape, condition)
    both = layers.Concatenate()([x, layers.Rescaling(-1.0)(x)])
    h = _convolution(width, 3)(layers.ReLU()(both))
    h = _with_condition(h, code, width)
    total = _convolution(width, 1)(h)
    for _ in range(blocks):
        r = h
        for _ in range(2):
            r, _ = ActNorm()(r)
            r = _convolution(width, 3)(layers.ReLU()(r))
        h = layers.Add()([h, r])
        total = layers.Add()([total, _convolution(width, 1)(h)])
    h = layers.ReLU()(ActNorm()(total)[0])
    h = _convolution(outputs, 1, kernel_initializer="zeros", dtype=full_precision())(h)
    return build(inputs, h, "coupling")


def _prior(shape, outputs, condition):
    """The mean and log-deviation of what leaves, both 0 at first."""
    inputs, x, code = _inputs(shape, condition)
    h = EdgeConv2D(outputs, 3, is_last=True, dtype=full_precision())(x)
    return build(inputs, _with_condition(h, code, outputs), "prior")


def _prior_of_condition(outputs, condition):
    """What a condition adds to the mean and log-deviation of what is left: nothing at first."""
    inputs, code = condition_input(condition)
    if code is None:
        return None
    if len(code.shape) == 4:
        code = layers.GlobalAveragePooling2D(data_format="channels_last")(code)
    last = layers.Dense(outputs, kernel_initializer="zeros", dtype=full_precision())
    return build(inputs, last(code), "prior")


def vector_flow(size, steps=6, units=(200, 200)):
    """A flow of vectors: affine couplings of one half and of the other in turn.

    After each two the numbers change halves. At first it gives what it takes.

    Args:
        size: int of at least 2.
        steps: int. Couplings.
        units: tuple of int. Of each coupling's hidden layers.

    Returns:
        `kgen.networks.InvertibleNetwork` of images (1, 1, size).
    """
    half, order = size // 2, [*range(0, size, 2), *range(1, size, 2)]
    found = []
    for step in range(steps):
        inputs = h = keras.Input((1, 1, half), dtype=full_precision(), name="half")
        for width in units:
            h = layers.Dense(width, "relu")(h)
        last = layers.Dense(
            2 * (size - half), kernel_initializer="zeros", dtype=full_precision(), name="moves"
        )
        network = build([inputs], last(h), "coupling")
        found.append(Coupling(network, swap=step % 2 == 1, scale="tanh"))
        if step % 2 == 1 and step < steps - 1:
            found.append(Reorder(order))
    return InvertibleNetwork((1, 1, size), found)


def glow(image_shape, width=512, depth=32, levels=None, scale="sigmoid", condition=None):
    """The flow of Kingma & Dhariwal 2018: squeeze, `depth` steps, split; so many times.

    Args:
        image_shape: tuple (height, width, channels).
        width: int. Channels inside of a coupling's network.
        depth: int. Steps of a level: an `ActNorm`, an `InvertibleConv` and a `Coupling`.
        levels: int. Defaults to as many as the size allows, at most 3; of 32x32x3 that is, with the
            other defaults, the paper's of CIFAR-10, without a convolution of zeros at its top.
        scale: "sigmoid" for affine couplings, None for additive ones.
        condition: `kgen.fields.Field`, int for as many classes, or None.

    Returns:
        `kgen.networks.InvertibleNetwork`.
    """
    height, columns, channels = image_shape
    field, steps = as_field(condition), []
    levels = squeezes(image_shape, levels)
    for level in range(levels):
        height, columns, channels = height // 2, columns // 2, 4 * channels
        steps.append(Squeeze())
        half = channels // 2
        for _ in range(depth):
            outputs = half if scale is None else 2 * half
            network = glow_network((height, columns, half), outputs, width, field)
            steps += [ActNorm(), InvertibleConv(), Coupling(network, scale=scale)]
        if level < levels - 1:
            steps.append(Split(_prior((height, columns, half), 2 * half, field)))
            channels = half
    steps.append(Standardize(_prior_of_condition(2 * channels, field)))
    return InvertibleNetwork(image_shape, steps, field)


def real_nvp(image_shape, width=64, depth=8, levels=None, condition=None):
    """The flow of Dinh et al. 2016.

    Three couplings of a checkerboard, squeeze, three of channels, split; so many times, and four of
    a checkerboard at the end. Unlike theirs, `ActNorm` stands where batch normalization is, of
    which training and test likelihoods differ.

    Args:
        image_shape: tuple (height, width, channels).
        width: int. Channels of a coupling's residual blocks, doubled at each level.
        depth: int. Blocks of a coupling's network.
        levels: int. Splits. Defaults to as many as the size allows, at most 3.
        condition: `kgen.fields.Field`, int for as many classes, or None.

    Returns:
        `kgen.networks.InvertibleNetwork`.
    """
    height, columns, channels = image_shape
    field, steps = as_field(condition), []

    def couplings(mask, number):
        for i in range(number):
            by_pixel = mask == "checkerboard"
            seen = channels + 1 if by_pixel else channels // 2
            moves = channels if by_pixel else channels - seen
            network = residual_network((height, columns, seen), 2 * moves, width, depth, field)
            steps.extend([Coupling(network, mask, i % 2 == 1, "tanh"), ActNorm()])

    for _ in range(squeezes(image_shape, levels)):
        couplings("checkerboard", 3)
        steps.append(Squeeze())
        height, columns, channels = height // 2, columns // 2, 4 * channels
        width = 2 * width
        couplings("channels", 3)
        # What leaves is one of a block's diagonals, so that it has of each row and column.
        by_pixel = [range(i * channels // 4, (i + 1) * channels // 4) for i in (0, 3, 1, 2)]
        steps += [Reorder(itertools.chain(*by_pixel)), Split()]
        channels = channels // 2
    couplings("checkerboard", 4)
    return InvertibleNetwork(image_shape, steps, field)
