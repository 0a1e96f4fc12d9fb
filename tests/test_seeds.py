"""One seed an image."""

import random

import numpy as np
import pytest

from kgen.seeds import seed_words, seeds_of


def test_image_0_is_of_the_seed():
    for seed in (0, 1, -1, 2**62, -(2**63), 2**63 - 1):
        assert seeds_of(seed, 3)[0] == seed
        assert seeds_of(seed, 2, copies=3)[0] == seed


def test_seeds_count_on_modulo_2_to_the_64():
    assert seeds_of(2**64 + 5, 2).tolist() == seeds_of(5, 2).tolist()
    assert seeds_of(2**63, 1).tolist() == [-(2**63)]
    assert seeds_of(-5, 2).tolist() == seeds_of(2**64 - 5, 2).tolist()


def test_seeds_are_what_they_were():
    """What `README.md` and every stored picture count on."""
    golden = -7046029254386353131  # 0x9E3779B97F4A7C15
    assert seeds_of(0, 3).tolist() == [0, golden, 2 * golden + 2**64]
    copy = 0xD1B54A32D192ED03 - 2**64
    assert seeds_of(1, 2, 2).tolist() == [1, 1 + copy, 1 + golden, 1 + golden + copy + 2**64]
    assert seeds_of(np.arange(2), 2, 2).tolist() == [0, copy, 1, 1 + copy]


def test_seeds_of_users_share_no_image():
    """Those from 0 to 1000, with 1000 images each: of a million none twice."""
    every = np.concatenate([seeds_of(seed, 1000) for seed in range(1001)])
    assert len(np.unique(every)) == 1_001_000


def test_nor_do_their_copies():
    every = np.concatenate([seeds_of(seed, 100, copies=16) for seed in range(-200, 200)])
    assert len(np.unique(every)) == 400 * 1600


def test_one_integer_an_image():
    for dtype in ("int64", "int32", "uint8"):
        seeds = seeds_of(np.array([3, 1, 4], dtype), 3)
        assert seeds.dtype == "int64" and seeds.tolist() == [3, 1, 4]
    assert seeds_of([3, -1, 4], 3).tolist() == [3, -1, 4]
    assert seeds_of(np.int64(7), 2).tolist() == seeds_of(7, 2).tolist()
    # Alone and among others an image is the same.
    assert seeds_of(seeds_of(9, 5)[3:4], 1).tolist() == seeds_of(9, 5)[3:4].tolist()


def test_no_seed_is_drawn_from_pythons_generator():
    random.seed(0)
    first, second = seeds_of(None, 1), seeds_of(None, 1)
    random.seed(0)
    assert seeds_of(None, 1) == first != second


@pytest.mark.parametrize(
    ("seed", "num", "message"),
    [
        (0, 0, "num=0"),
        (0.5, 1, "Expected seed as a whole number. Received: seed=0.5"),
        (True, 1, "seed=True"),
        ("7", 1, "seed='7'"),
        ([1, 2], 3, "Expected 3 seeds, or one for all. Received: 2"),
        ([0.5], 1, "float64 seeds"),
        ([[1]], 1, "Expected seeds of shape"),
    ],
)
def test_what_is_no_seed(seed, num, message):
    with pytest.raises(ValueError, match=message):
        seeds_of(seed, num)


def test_words_are_the_lower_one_first():
    words = seed_words(np.array([1, -1, 2**32, 2**63 - 1]))
    assert words.dtype == "int32"
    assert words.tolist() == [[1, 0], [-1, -1], [0, 1], [-1, 2**31 - 1]]
    big = np.array([5, 2**40 + 3], ">i8")  # of a file of another machine
    assert seed_words(big).tolist() == [[5, 0], [3, 2**8]]
