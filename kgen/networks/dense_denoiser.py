"""A perceptron of images and times, for points and codes."""

import math

import keras

from kgen.layers.precision import full_precision
from kgen.layers.seeded_dropout import seeded_dropout
from kgen.networks.conditioning import join
from kgen.networks.timed import activated, dense, time_inputs


def dense_denoiser(
    image_shape, width=128, depth=4, dropout=0.0, channels=None, condition=None, name="denoiser"
):
    """Residual blocks of a multilayer perceptron, from images and times to images.

    Args:
        image_shape: tuple (height, width, channels); of what has no pixels (1, 1, numbers).
        width: int. Units of the blocks, even and at least 4.
        depth: int. Blocks, each of two layers.
        dropout: float in [0, 1). Of each block.
        channels: int. Of what it gives. Defaults to the image's.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, t, condition, given]`: where `given`, (batch,), is 0, the condition does not
            count.
        name: str. Name of the model.

    Returns:
        keras.Model from [image (batch, height, width, channels), t (batch,)], which may be of any
        scale, to (batch, height, width, channels), 0 at first.
    """
    image = keras.Input(image_shape, name="image")
    inputs, code, of_image = time_inputs(width, width, condition)
    shape = (*image_shape[:2], channels or image_shape[-1])
    x = dense(width)(join(keras.layers.Flatten()(image), of_image))
    for _ in range(depth):
        y = dense(width)(activated(x))
        y = activated(keras.layers.Add()([y, dense(width)(activated(code))]))
        if dropout:
            y = seeded_dropout(dropout)(y)
        x = keras.layers.Add()([x, dense(width)(y)])
    x = dense(math.prod(shape), "zeros", dtype=full_precision())(activated(x))
    x = keras.layers.Reshape(shape, dtype=full_precision())(x)
    return keras.Model([image, *inputs], x, name=name)
