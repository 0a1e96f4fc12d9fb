"""Multilayer perceptrons on flattened images."""

import math

import keras

from kgen.networks.conditioning import build, join_label


def dense_encoder(
    image_shape, outputs, units=(200, 200), activation="tanh", num_classes=None, name="encoder"
):
    """A multilayer perceptron from images to vectors.

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Length of the output vector: `2 * latent_dim` for a VAE.
        units: tuple of int, the hidden layers. Defaults to those of Burda et al. 2015.
        activation: the hidden layers' activation. Defaults to "tanh".
        num_classes: int or None. With it the network takes `[image, label]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) to (batch, outputs).
    """
    image = keras.Input(image_shape, name="image")
    x, labels = join_label(keras.layers.Flatten()(image), num_classes)
    for width in units:
        x = keras.layers.Dense(width, activation=activation)(x)
    x = keras.layers.Dense(outputs, dtype="float32")(x)
    return build([image, *labels], x, name)


def dense_decoder(
    latent_dim, output_shape, units=(200, 200), activation="tanh", num_classes=None, name="decoder"
):
    """A multilayer perceptron from vectors to images, or to a likelihood's parameters.

    Args:
        latent_dim: int. Length of the input vector.
        output_shape: tuple (height, width, channels).
        units: tuple of int, the hidden layers. Defaults to those of Burda et al. 2015.
        activation: the hidden layers' activation. Defaults to "tanh".
        num_classes: int or None. With it the network takes `[z, label]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, height, width, channels), linear.
    """
    z = keras.Input((latent_dim,), name="z")
    x, labels = join_label(z, num_classes)
    for width in units:
        x = keras.layers.Dense(width, activation=activation)(x)
    x = keras.layers.Dense(math.prod(output_shape), dtype="float32")(x)
    x = keras.layers.Reshape(output_shape, dtype="float32")(x)
    return build([z, *labels], x, name)
