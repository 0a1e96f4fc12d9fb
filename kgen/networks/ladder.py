"""The networks of a ladder VAE."""

import math

import keras

from kgen.layers import BatchNorm, LeakyReLU
from kgen.networks.conditioning import build, condition_input, join

MOMENTUM = 0.9  # of the moving averages, which shall follow a training of few steps


def _hidden(x, units):
    """Two layers, each normalised over the batch (Sonderby et al. 2016)."""
    for _ in range(2):
        x = BatchNorm(momentum=MOMENTUM)(keras.layers.Dense(units, use_bias=False)(x))
        x = LeakyReLU(0.1)(x)
    return x


def _last(x, outputs):
    return keras.layers.Dense(outputs, dtype="float32")(x)


def ladder_encoder(image_shape, latent_dims, units, condition=None, name="encoder"):
    """The way up: what an image says of each level, the next of the one before.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dims: tuple of int. Latents of each level, from the bottom.
        units: tuple of int. Of each level's hidden layers.
        condition: `kgen.fields.Field`, int for as many classes, or None.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) to (batch, 2 sum(latent_dims)): level by
        level the means, then the log-variances.
    """
    image = keras.Input(image_shape, name="image")
    conditions, code = condition_input(condition)
    x, said = join(keras.layers.Flatten()(image), code), []
    for size, width in zip(latent_dims, units, strict=True):
        x = _hidden(x, width)
        said.append(_last(x, 2 * size))
    said = keras.layers.Concatenate(dtype="float32")(said) if len(said) > 1 else said[0]
    return build([image, *conditions], said, name)


def ladder_step(size, outputs, units, condition=None, name="step"):
    """A step down: from the latents of one level to what the prior says of the next.

    Args:
        size: int. Length of the vectors that it takes.
        outputs: int, or tuple (height, width, channels) of the last step, to an image.
        units: int. Of its hidden layers.
        condition: `kgen.fields.Field`, int for as many classes, or None.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, size) to (batch, outputs), linear at its end.
    """
    z = keras.Input((size,), name="z")
    conditions, code = condition_input(condition)
    x = _hidden(join(z, code), units)
    if isinstance(outputs, int):
        return build([z, *conditions], _last(x, outputs), name)
    x = keras.layers.Reshape(outputs, dtype="float32")(_last(x, math.prod(outputs)))
    return build([z, *conditions], x, name)
