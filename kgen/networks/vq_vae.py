"""The networks of van den Oord et al. 2017, https://arxiv.org/abs/1711.00937, section 4.1.

Strided convolutions, residual blocks and back, of the sizes that the authors' code has.
"""

import keras

from kgen.checks import whole_number
from kgen.layers import Conv2D, Conv2DTranspose
from kgen.layers.precision import full_precision
from kgen.networks.convolutional import crop


def vq_encoder(image_shape, code_dim, filters=128, blocks=2, patch=4, name="encoder"):
    """Strided 4x4 convolutions and residual blocks, from images to a vector for each patch.

    Args:
        image_shape: tuple (height, width, channels), any height and width.
        code_dim: int. Length of a vector.
        filters: int. Channels. Defaults to 128.
        blocks: int. Residual blocks. Defaults to 2.
        patch: int, a power of 2. Pixels a side for which there is a vector. Defaults to 4.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) to (batch, height / patch, width / patch,
        code_dim), rounded up.
    """
    image = x = keras.Input(image_shape, name="image")
    for left in reversed(range(_halvings(patch))):  # the first of several has half the channels
        x = _convolution(max(1, filters // 2) if left else filters, 4, 2, "relu")(x)
    x = _residual(_convolution(filters, 3)(x), filters, blocks)
    return keras.Model(image, _convolution(code_dim, 1, dtype=full_precision())(x), name=name)


def vq_decoder(code_shape, output_shape, filters=128, blocks=2, patch=4, name="decoder"):
    """Residual blocks and transposed 4x4 convolutions, from vectors by patch to images.

    Args:
        code_shape: tuple (height, width, code_dim) of what the encoder gives.
        output_shape: tuple (height, width, channels), which it crops to.
        filters: int. Channels. Defaults to 128.
        blocks: int. Residual blocks. Defaults to 2.
        patch: int, a power of 2. The encoder's. Defaults to 4.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, *code_shape) to (batch, *output_shape), linear.
    """
    z = keras.Input(code_shape, name="z")
    x = _residual(_convolution(filters, 3)(z), filters, blocks)
    height, width, channels = output_shape
    last = {"dtype": full_precision()}
    if patch == 1:
        return keras.Model(z, _convolution(channels, 3, **last)(x), name=name)
    for left in reversed(range(_halvings(patch))):
        size = 2**left
        how = {"filters": max(1, filters // 2), "activation": "relu"} if left else last
        x = Conv2DTranspose(
            **{"filters": channels, "kernel_size": 4, "strides": 2, "padding": "same"} | how,
            data_format="channels_last",
        )(x)
        x = crop(x, -(-height // size), -(-width // size))
    return keras.Model(z, x, name=name)


def _halvings(patch):
    """How often an image is halved for one vector a patch."""
    halvings = whole_number("patch", patch).bit_length() - 1
    if patch != 2**halvings:
        raise ValueError(f"Expected patch as a power of 2. Received: {patch=}")
    return halvings


def _residual(x, filters, blocks):
    """Blocks of ReLU, 3x3, ReLU, 1x1, each added to what it takes, and a last ReLU."""
    for _ in range(blocks):
        y = _convolution(max(1, filters // 4), 3, activation="relu")(keras.layers.ReLU()(x))
        x = keras.layers.Add()([x, _convolution(filters, 1)(y)])
    return keras.layers.ReLU()(x)


def _convolution(filters, size, strides=1, activation=None, dtype=None):
    return Conv2D(
        filters,
        size,
        strides,
        padding="same",
        data_format="channels_last",
        activation=activation,
        dtype=dtype,
    )
