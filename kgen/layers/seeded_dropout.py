"""Dropout that goes on where a file left it."""

import random

import keras


def seeded_dropout(rate, **kwargs):
    """`keras.layers.Dropout` with a seed, of Python's random numbers as initializers' are.

    Without one PyTorch draws from its own generator, which no file keeps.

    Args:
        rate: float in [0, 1].
        **kwargs: further arguments of `keras.layers.Dropout`.
    """
    return keras.layers.Dropout(rate, seed=random.getrandbits(31), **kwargs)
