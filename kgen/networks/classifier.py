"""A small convolutional classifier, for features that judge other models by."""

import math

import keras

from kgen.layers import Conv2D


def small_classifier(image_shape, num_classes, num_features=64, filters=32, seed=0):
    """Pairs of 3x3 convolutions, the second of each with strides, until the map is 8x8 or smaller.

    Args:
        image_shape: tuple (height, width, channels).
        num_classes: int.
        num_features: int. Units of the last hidden layer. Defaults to 64.
        filters: int. Channels of the first pair; they double in each. Defaults to 32.
        seed: int. Seeds the weights, and nothing else.

    Returns:
        keras.Model from images in [0, 1] to the list of features (batch, num_features), at least 0,
        and logits (batch, num_classes).
    """
    layers = keras.layers
    seeds = iter(range(seed, seed + 10_000))

    def he():
        return keras.initializers.HeNormal(seed=next(seeds))

    x = inputs = keras.Input(image_shape)
    x = layers.Rescaling(2.0, offset=-1.0)(x)
    pairs = max(2, math.ceil(math.log2(max(image_shape[:2]) / 8)))
    for pair in range(pairs):
        for strides in (1, 2):
            x = Conv2D(
                filters * 2 ** min(pair, 3),
                3,
                strides,
                padding="same",
                use_bias=False,
                kernel_initializer=he(),
            )(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.Flatten()(x)
    features = layers.Dense(num_features, "relu", kernel_initializer=he())(x)
    logits = layers.Dense(num_classes, kernel_initializer=he())(features)
    return keras.Model(inputs, [features, logits], name="small_classifier")
