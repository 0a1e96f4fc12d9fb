"""Batch normalization as the networks of adversarial models have it."""

import keras

from kgen.layers import BatchNorm


def normalize(x, batch_normalization=True, dtype=None):
    """Normalises over the batch, or leaves features as they are.

    Args:
        x: symbolic tensor (batch, ..., features).
        batch_normalization: bool.
        dtype: of the layer, None for the global policy.
    """
    if not batch_normalization:
        return x
    # As in Torch: averages over ten steps, where Keras' default is a hundred, and an epsilon that
    # is small beside the variances that weights of 0.02 lead to.
    gamma = keras.initializers.RandomNormal(mean=1.0, stddev=0.02)
    layer = BatchNorm(momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, dtype=dtype)
    return layer(x)


def hidden(layer, x, activation, batch_normalization=False):
    """A layer's features and their activation, with batch normalization between them or not.

    With it weights start as N(0, 0.02), as those of Radford et al. 2015.

    Args:
        layer: callable of arguments of Keras' that makes the layer.
        x: symbolic tensor.
        activation: str or callable.
        batch_normalization: bool.
    """
    if not batch_normalization:
        return layer(activation=activation)(x)
    initializer = keras.initializers.RandomNormal(stddev=0.02)
    x = normalize(layer(use_bias=False, kernel_initializer=initializer)(x))
    return keras.layers.Activation(activation)(x)
