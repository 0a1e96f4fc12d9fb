"""One seed an image, of a user's one seed, by NumPy alone."""

import random

import numpy as np

from kgen.checks import whole_number
from kgen.fields import Seed

_SEEDS_APART, _COPIES_APART = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03


def seeds_of(seed, num, copies=1):
    """The seeds of images, one each.

    Image i is of seed + i * 0x9E3779B97F4A7C15, modulo 2^64: image 0 of the seed itself, and no two
    of seeds that a user would count up.

    Args:
        seed: int; None draws one from Python's generator, which `keras.utils.set_random_seed`
            seeds; or an int array (num,), which is taken as it is.
        num: int of at least 1.
        copies: int of at least 1. So many of each image, side by side, of which the first has the
            image's seed.

    Returns:
        int64 array (num * copies,).
    """
    num, copies = whole_number("num", num), whole_number("copies", copies)
    if seed is None:
        seed = random.getrandbits(62)
    if np.ndim(seed):
        seeds = Seed().rows(seed, num, "seeds").view("uint64")
    else:
        seed = whole_number("seed", seed, at_least=None)
        seeds = np.uint64(seed % 2**64) + _multiples(_SEEDS_APART, num)
    return (seeds[:, None] + _multiples(_COPIES_APART, copies)).ravel().view("int64")


def _multiples(step, num):
    return np.arange(num, dtype="uint64") * np.uint64(step)


def seed_words(seeds):
    """Seeds (num,) as int32 words (num, 2), the lower one first."""
    return np.ascontiguousarray(seeds, "<i8").view("<i4").reshape(-1, 2)
