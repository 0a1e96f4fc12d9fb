"""Convolutional networks that halve the image until its shorter side is at most 4 pixels."""

import functools
import math

import keras

from kgen.networks.conditioning import build, condition_input, join
from kgen.networks.normalization import hidden


def halvings(height, width, coarsest=4):
    """The sizes from an image's down, each half of the one before, rounded up.

    Args:
        height: int. The image's height.
        width: int. The image's width.
        coarsest: int. The last size is the first whose shorter side is at most this.

    Returns:
        list of pairs of int.
    """
    sizes = [(height, width)]
    while min(sizes[-1]) > coarsest:
        height, width = sizes[-1]
        sizes.append((math.ceil(height / 2), math.ceil(width / 2)))
    return sizes


def crop(x, height, width):
    """Leaves out the last rows and columns of images that are too large."""
    if x.shape[1:3] == (height, width):
        return x
    surplus = ((0, x.shape[1] - height), (0, x.shape[2] - width))
    return keras.layers.Cropping2D(surplus, data_format="channels_last")(x)


def _filters(filters, stage):
    """Channels double with every halving, up to eight times the first layer's."""
    return filters * 2 ** min(stage, 3)


def _convolution(filters, strides=1, **kwargs):
    """What makes a 3x3 convolution, channels last whatever Keras' default is."""
    return functools.partial(
        keras.layers.Conv2D,
        filters,
        3,
        strides,
        padding="same",
        data_format="channels_last",
        **kwargs,
    )


def convolutional_encoder(
    image_shape,
    outputs,
    filters=32,
    activation="relu",
    batch_normalization=False,
    condition=None,
    name="encoder",
):
    """Strided 3x3 convolutions from images to vectors.

    Args:
        image_shape: tuple (height, width, channels), any height and width.
        outputs: int. Length of the output vector: `2 * latent_dim` for a VAE.
        filters: int. Channels of the first layer; they double in each of the first three halvings.
        activation: the hidden layers' activation. Defaults to "relu".
        batch_normalization: bool. Of the hidden layers. Defaults to False.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) to (batch, outputs).
    """
    image = keras.Input(image_shape, name="image")
    x = hidden(_convolution(filters), image, activation, batch_normalization)
    for stage, _ in enumerate(halvings(*image_shape[:2])[1:], start=1):
        strided = _convolution(_filters(filters, stage), strides=2)
        x = hidden(strided, x, activation, batch_normalization)
    conditions, code = condition_input(condition)
    x = join(keras.layers.Flatten()(x), code)
    x = hidden(functools.partial(keras.layers.Dense, 256), x, activation, batch_normalization)
    x = keras.layers.Dense(outputs, dtype="float32")(x)
    return build([image, *conditions], x, name)


def convolutional_decoder(
    latent_dim,
    output_shape,
    filters=32,
    activation="relu",
    batch_normalization=False,
    condition=None,
    name="decoder",
):
    """Nearest-neighbour upsampling and 3x3 convolutions from vectors to images.

    Args:
        latent_dim: int. Length of the input vector.
        output_shape: tuple (height, width, channels), any height and width.
        filters: int. Channels of the last hidden layer; the encoder's, backwards.
        activation: the hidden layers' activation. Defaults to "relu".
        batch_normalization: bool. Of the hidden layers. Defaults to False.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[z, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, height, width, channels), linear.
    """
    sizes = halvings(*output_shape[:2])
    smallest = (*sizes[-1], _filters(filters, len(sizes) - 1))
    z = keras.Input((latent_dim,), name="z")
    conditions, code = condition_input(condition)
    x = join(z, code)
    x = hidden(functools.partial(keras.layers.Dense, 256), x, activation, batch_normalization)
    wide = functools.partial(keras.layers.Dense, math.prod(smallest))
    x = hidden(wide, x, activation, batch_normalization)
    x = keras.layers.Reshape(smallest)(x)
    for stage, (height, width) in reversed(list(enumerate(sizes[:-1]))):
        x = keras.layers.UpSampling2D(2, data_format="channels_last")(x)
        x = crop(x, height, width)
        convolution = _convolution(_filters(filters, stage))
        x = hidden(convolution, x, activation, batch_normalization)
    x = _convolution(output_shape[-1], dtype="float32")()(x)
    return build([z, *conditions], x, name)
