"""Multilayer perceptrons on flattened images."""

import functools
import math

import keras

from kgen.layers.leaky_relu import LeakyReLU
from kgen.layers.maxout import Maxout
from kgen.layers.seeded_dropout import seeded_dropout
from kgen.networks.conditioning import (
    build,
    condition_input,
    join,
    logits_of,
    spectral_wrapper,
)
from kgen.networks.normalization import hidden


def dense_encoder(
    image_shape,
    outputs,
    units=(200, 200),
    activation="tanh",
    batch_normalization=False,
    condition=None,
    name="encoder",
):
    """A multilayer perceptron from images to vectors.

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Length of the output vector: `2 * latent_dim` for a VAE.
        units: tuple of int, the hidden layers. Defaults to those of Burda et al. 2015.
        activation: the hidden layers' activation. Defaults to "tanh".
        batch_normalization: bool. Of the hidden layers. Defaults to False.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) to (batch, outputs).
    """
    image = keras.Input(image_shape, name="image")
    conditions, code = condition_input(condition)
    x = join(keras.layers.Flatten()(image), code)
    for width in units:
        dense = functools.partial(keras.layers.Dense, width)
        x = hidden(dense, x, activation, batch_normalization)
    x = keras.layers.Dense(outputs, dtype="float32")(x)
    return build([image, *conditions], x, name)


def dense_decoder(
    latent_dim,
    output_shape,
    units=(200, 200),
    activation="tanh",
    batch_normalization=False,
    condition=None,
    name="decoder",
):
    """A multilayer perceptron from vectors to images, or to a likelihood's parameters.

    Args:
        latent_dim: int. Length of the input vector.
        output_shape: tuple (height, width, channels).
        units: tuple of int, the hidden layers. Defaults to those of Burda et al. 2015.
        activation: the hidden layers' activation. Defaults to "tanh".
        batch_normalization: bool. Of the hidden layers. Defaults to False.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[z, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, height, width, channels), linear.
    """
    z = keras.Input((latent_dim,), name="z")
    conditions, code = condition_input(condition)
    x = join(z, code)
    for width in units:
        dense = functools.partial(keras.layers.Dense, width)
        x = hidden(dense, x, activation, batch_normalization)
    x = keras.layers.Dense(math.prod(output_shape), dtype="float32")(x)
    x = keras.layers.Reshape(output_shape, dtype="float32")(x)
    return build([z, *conditions], x, name)


def dense_discriminator(
    size, units=(1000,) * 6, negative_slope=0.2, condition=None, name="discriminator"
):
    """A multilayer perceptron of leaky ReLUs, from vectors to logits.

    Args:
        size: int. Length of the vectors.
        units: tuple of int, the hidden layers. Defaults to those of Kim & Mnih 2018.
        negative_slope: float. Of the leaky ReLU; 0 is a ReLU.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[z, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, size) to logits (batch, 1).
    """
    z = keras.Input((size,), name="z")
    conditions, code = condition_input(condition)
    x = join(z, code)
    for width in units:
        x = LeakyReLU(negative_slope)(keras.layers.Dense(width)(x))
    logits = keras.layers.Dense(1, dtype="float32")(x)
    return build([z, *conditions], logits, name)


def dense_generator(
    latent_dim,
    image_shape,
    units=(1200, 1200),
    activation="relu",
    condition=None,
    name="generator",
):
    """A multilayer perceptron from vectors to images.

    Args:
        latent_dim: int. Length of the input vector.
        image_shape: tuple (height, width, channels).
        units: tuple of int, the hidden layers. Defaults to Goodfellow et al. 2014 on MNIST.
        activation: the hidden layers' activation. Defaults to "relu".
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[z, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, height, width, channels) in [-1, 1].
    """
    z = keras.Input((latent_dim,), name="z")
    conditions, code = condition_input(condition)
    x = join(z, code)
    for width in units:
        x = keras.layers.Dense(width, activation=activation, kernel_initializer=_uniform())(x)
    x = keras.layers.Dense(
        math.prod(image_shape), "tanh", kernel_initializer=_uniform(), dtype="float32"
    )(x)
    x = keras.layers.Reshape(image_shape, dtype="float32")(x)
    return build([z, *conditions], x, name)


def maxout_discriminator(
    image_shape,
    units=(240, 240),
    pieces=5,
    dropout=0.5,
    input_dropout=0.2,
    condition=None,
    projection=False,
    spectral_normalization=False,
    name="discriminator",
):
    """A multilayer perceptron of maxout units with dropout, from images to logits.

    Args:
        image_shape: tuple (height, width, channels).
        units: tuple of int, the hidden layers. Defaults to Goodfellow et al. 2014 on MNIST.
        pieces: int. Linear functions of which each unit takes the largest.
        dropout: float in [0, 1). Of the hidden layers' outputs.
        input_dropout: float in [0, 1). Of the image.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, condition]`.
        projection: bool. The condition enters as the inner product of its embedding with the last
            features (Miyato & Koyama 2018, https://arxiv.org/abs/1802.05637).
        spectral_normalization: bool. Divide every kernel by its largest singular value (Miyato et
            al. 2018, https://arxiv.org/abs/1802.05957).
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) in [-1, 1] to logits (batch, 1).
    """
    spectral = spectral_wrapper(spectral_normalization)
    image = keras.Input(image_shape, name="image")
    conditions, code = condition_input(condition)
    # The authors' images are in [0, 1], where dropout makes pixels black.
    x = keras.layers.Rescaling(0.5, offset=0.5)(keras.layers.Flatten()(image))
    x = seeded_dropout(input_dropout)(x)
    x = join(x, None if projection else code)
    for width in units:
        dense = keras.layers.Dense(width * pieces, kernel_initializer=_uniform(0.005))
        x = Maxout(pieces)(spectral(dense)(x))
        x = seeded_dropout(dropout)(x)
    logits = logits_of(
        x, code if projection else None, spectral, functools.partial(_uniform, 0.005)
    )
    return build([image, *conditions], logits, name)


def _uniform(limit=0.05):
    return keras.initializers.RandomUniform(-limit, limit)
