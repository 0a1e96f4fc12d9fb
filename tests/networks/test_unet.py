"""The U-Net: the paper's size, nothing at first, any image, conditions that can be left out."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend
from kgen.networks import unet

pytestmark = pytest.mark.anywhere  # its layers have tests on each backend

RNG = np.random.default_rng(0)
SMALL = {"width": 8, "multipliers": (1, 2), "depth": 1, "attention_at": (4,), "dropout": 0.0}


def filled(network):
    """Weights that are nowhere 0, so that everything tells."""
    for i, variable in enumerate(network.trainable_variables):
        rng = np.random.default_rng(i)
        scale = 1.0 / np.sqrt(max(1, np.prod(variable.shape[:-1])))
        variable.assign(scale * rng.standard_normal(variable.shape))
    return network


def test_the_papers_has_as_many_parameters():
    assert unet((32, 32, 3)).count_params() == 35_746_307  # Ho et al. 2020, appendix B


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((8, 8, 1), {}),
        ((9, 13, 2), {"multipliers": (1, 2, 2), "attention_at": (4, 7), "heads": 2}),
        ((1, 1, 2), {}),
        ((6, 10, 4), {"patch": 2, "channels": 8}),
    ],
)
def test_any_image_to_one_of_its_size_0_at_first(shape, sizes):
    network = unet(shape, **SMALL | sizes)
    x, t = RNG.standard_normal((3, *shape)), np.array([0.0, 500.0, 999.0])
    y = ops.convert_to_numpy(network([x, t]))
    assert y.shape == (3, *shape[:2], sizes.get("channels", shape[2]))
    np.testing.assert_array_equal(y, 0.0)


def test_each_image_is_of_its_own_time():
    network = filled(unet((8, 8, 1), **SMALL))
    x, t = RNG.standard_normal((3, 8, 8, 1)), np.array([0.0, 5.0, 999.0])
    y = ops.convert_to_numpy(network([x, t]))
    order = [2, 0, 1]
    again = ops.convert_to_numpy(network([x[order], t[order]]))
    np.testing.assert_allclose(again, y[order], rtol=1e-4, atol=1e-5)
    other = ops.convert_to_numpy(network([x, t + 1.0]))
    assert np.abs(other - y).max(axis=(1, 2, 3)).min() > 1e-4


def test_a_gradient_reaches_every_variable():
    network = filled(unet((8, 8, 1), condition=3, **SMALL))
    given = [RNG.standard_normal((4, 8, 8, 1)), [0.0, 1.0, 20.0, 300.0], [0, 1, 2, 0], [1.0] * 4]
    given = [ops.convert_to_tensor(np.asarray(each)) for each in given]

    def loss():
        return ops.mean(ops.square(network(given, training=True)))

    _, gradients = backend.value_and_grad(loss, network.trainable_variables)
    for gradient, variable in zip(gradients, network.trainable_variables, strict=True):
        assert np.abs(ops.convert_to_numpy(gradient)).max() > 0, variable.path


def test_a_condition_counts_where_it_is_given():
    network = filled(unet((8, 8, 1), condition=3, **SMALL))
    x, t = np.repeat(RNG.standard_normal((1, 8, 8, 1)), 4, axis=0), np.full(4, 7.0)
    y = ops.convert_to_numpy(network([x, t, np.array([0, 1, 0, 1]), np.array([1.0, 1, 0, 0])]))
    np.testing.assert_allclose(y[2], y[3], rtol=1e-4, atol=1e-5)
    assert np.abs(y[0] - y[1]).max() > 1e-3 and np.abs(y[0] - y[2]).max() > 1e-3


def test_an_image_as_the_condition():
    network = filled(unet((8, 8, 1), condition=kgen.fields.Image((8, 8, 2)), **SMALL))
    x, t = np.zeros((3, 8, 8, 1)), np.zeros(3)
    condition = RNG.random((3, 8, 8, 2))
    y = ops.convert_to_numpy(network([x, t, condition, np.array([1.0, 1.0, 0.0])]))
    black = ops.convert_to_numpy(network([x, t, np.zeros_like(condition), np.ones(3)]))
    other = ops.convert_to_numpy(network([x, t, condition[::-1], np.zeros(3)]))
    np.testing.assert_allclose(other[2], y[2], rtol=1e-4, atol=1e-5)
    for each in (black[0], y[1]):  # black is not nothing
        assert np.abs(y[0] - each).max() > 1e-3 and np.abs(y[2] - black[2]).max() > 1e-3


def test_an_image_keeps_its_pixels_in_patches():
    network = unet((8, 8, 1), condition=kgen.fields.Image((8, 8, 1)), patch=2, **SMALL)
    convolution = next(layer for layer in network.layers if "conv" in layer.name)
    assert convolution.input.shape == (None, 4, 4, 4 * 3)  # image, condition, whether it is given
    unet((8, 8, 1), condition=kgen.fields.Image((16, 16, 1)), **SMALL)  # of another size


def test_dropout_is_of_a_training():
    network = filled(unet((8, 8, 1), **SMALL | {"dropout": 0.5}))
    given = [np.ones((2, 8, 8, 1)), np.zeros(2)]
    still, moved = (ops.convert_to_numpy(network(given, training=flag)) for flag in (False, True))
    np.testing.assert_array_equal(still, ops.convert_to_numpy(network(given)))
    assert np.abs(moved - still).max() > 1e-3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_gives_float32(policy):
    keras.config.set_dtype_policy(policy)
    network = filled(unet((8, 8, 1), **SMALL))
    y = network([np.ones((2, 8, 8, 1)), np.array([998.0, 999.0])])
    assert keras.backend.standardize_dtype(y.dtype) == "float32"
    y = ops.convert_to_numpy(y)
    assert np.isfinite(y).all() and (y[0] != y[1]).any()  # times are not rounded


def test_a_patch_that_does_not_divide():
    with pytest.raises(ValueError, match=r"patch=2 divides. Received: \(7, 8, 1\)"):
        unet((7, 8, 1), patch=2)
