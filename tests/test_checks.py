"""Arguments: what is taken in which type, and the words for all others."""

import re

import numpy as np
import pytest

from kgen.checks import flag, image_shape, number, whole_number, whole_numbers


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_whole_numbers_of_any_kind_are_taken(value):
    assert type(whole_number("num", value)) is int and whole_number("num", value) == 3


def test_limits_are_taken():
    assert whole_number("levels", 2, at_least=2, at_most=256) == 2
    assert whole_number("levels", 256, at_least=2, at_most=256) == 256
    assert whole_number("seed", -(2**70), at_least=None) == -(2**70)
    assert whole_number("width", None, optional=True) is None
    assert number("std", 1e-9, above=0) == 1e-9
    assert number("limit", -3) == -3.0 and type(number("limit", -3)) is float
    assert number("seconds", None, optional=True) is None
    assert whole_numbers("units", ()) == ()


@pytest.mark.parametrize("value", ["4", 4.0, np.float32(4), True, np.True_, None, [4], 0, -1])
def test_what_is_no_whole_number(value):
    received = re.escape(f"Received: latent_dim={value!r}")
    with pytest.raises(
        ValueError, match=f"^Expected latent_dim as a whole number of at least 1. {received}$"
    ):
        whole_number("latent_dim", value)


def test_other_limits_in_words():
    with pytest.raises(ValueError, match=r"levels as a whole number in 2\.\.256. .*levels=257"):
        whole_number("levels", 257, at_least=2, at_most=256)
    with pytest.raises(ValueError, match="seed as a whole number. Received: seed=0.5"):
        whole_number("seed", 0.5, at_least=None)
    with pytest.raises(ValueError, match="width as a whole number of at least 1 or None. Rec"):
        whole_number("width", 0, optional=True)


@pytest.mark.parametrize(
    "shape", [(8, 6, 3), [8, 6, 3], np.array([8, 6, 3]), np.ones((8, 6, 3)).shape]
)
def test_shapes_are_tuples_of_int(shape):
    assert image_shape("shape", shape) == (8, 6, 3)
    assert {type(size) for size in image_shape("shape", shape)} == {int}


@pytest.mark.parametrize("shape", [8, "881", None, (8, 8), (8, 8, 0), (8, 8, 1.0), (8, 8, True)])
def test_what_is_no_shape(shape):
    expected = r"shape as \(height, width, channels\) of whole numbers of at least 1 each"
    with pytest.raises(ValueError, match=f"Expected {expected}. Received: shape="):
        image_shape("shape", shape)


@pytest.mark.parametrize("value", ["1", None, True, np.nan, np.inf, 0, -0.5, [1.0], 1j])
def test_what_is_no_number(value):
    received = re.escape(f"Received: std={value!r}")
    with pytest.raises(ValueError, match=f"^Expected std as a finite number above 0. {received}$"):
        number("std", value, above=0)


@pytest.mark.parametrize("value", ["yes", 1, 0, None, 1.0])
def test_what_is_no_flag(value):
    assert flag("projection", np.True_) is True and flag("projection", False) is False
    with pytest.raises(ValueError, match=f"projection as True or False. Received: .*={value!r}"):
        flag("projection", value)
