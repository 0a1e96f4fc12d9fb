"""Group normalization as Keras', and its gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen import backend
from kgen.layers import GroupNorm, LayerNorm

RNG = np.random.default_rng(0)


def weighted(groups, dtype="float32"):
    """kgen's layer and Keras', of the same scales and shifts."""
    ours = GroupNorm(groups, dtype=dtype)
    theirs = keras.layers.GroupNormalization(groups, epsilon=1e-6, dtype=dtype)
    gamma, beta = RNG.standard_normal((2, 8))
    for layer in (ours, theirs):
        layer.build((None, 5, 3, 8))
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
    return ours, theirs


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_numbers_and_gradients_are_keras(groups):
    x = (3.0 + 2.0 * RNG.standard_normal((4, 5, 3, 8))).astype("float32")
    weights = ops.convert_to_tensor(RNG.standard_normal(x.shape).astype("float32"))
    found = []
    for layer in weighted(groups):

        def loss(x, layer=layer):
            return ops.sum(weights * layer(x))

        tensor = ops.convert_to_tensor(x)
        of_input = backend.input_gradient(loss, tensor)
        _, of_weights = backend.value_and_grad(
            lambda loss=loss, tensor=tensor: loss(tensor), [layer.gamma, layer.beta]
        )
        each = [layer(tensor), of_input, *of_weights]
        found.append([ops.convert_to_numpy(ops.stop_gradient(a)) for a in each])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_a_large_mean_loses_nothing():
    x = (1000.0 + RNG.standard_normal((2, 6, 6, 4))).astype("float32")
    y = ops.convert_to_numpy(GroupNorm(2)(x)).reshape(2, 36, 2, 2)
    np.testing.assert_allclose(y.mean(axis=(1, 3)), 0.0, atol=1e-3)
    np.testing.assert_allclose(y.std(axis=(1, 3)), 1.0, rtol=1e-3)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(dtype):
    x = RNG.standard_normal((2, 5, 3, 8)).astype("float32")
    ours, theirs = weighted(2, dtype)
    y = ours(x)
    assert keras.backend.standardize_dtype(y.dtype) == dtype.removeprefix("mixed_")
    expected = ops.convert_to_numpy(ops.cast(theirs(x), "float32"))
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(y, "float32")), expected, atol=0.05)


@pytest.mark.parametrize("make", [lambda: GroupNorm(1), lambda: LayerNorm(axis=(1, 2, 3))])
def test_scales_are_not_rounded(make):
    """Of two pixels, -1 and 1: -257 + 256 is -1, in bfloat16 with a scale of 256 it would be 0."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = make()
    x = np.array([-1.0, 1.0], "float32").reshape(1, 1, 2, 1)
    layer(x)
    layer.epsilon = 0.0
    layer.gamma.assign([257.0])
    layer.beta.assign([256.0])
    y = ops.convert_to_numpy(ops.cast(layer(x), "float32"))
    assert y.ravel()[0] == -1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (4, 4)])
def test_gradients_of_the_scales_alone(size):
    """Whose input wants none, as behind a frozen part: there PyTorch's own operation crashes."""
    layer = GroupNorm(2)
    x = ops.convert_to_tensor(RNG.standard_normal((3, *size, 8)).astype("float32"))
    layer.build(x.shape)
    for inputs in (x, ops.transpose(ops.transpose(x, (0, 3, 1, 2)), (0, 2, 3, 1))):
        _, found = backend.value_and_grad(
            lambda inputs=inputs: ops.sum(ops.square(layer(inputs) + 1.0)),
            [layer.gamma, layer.beta],
        )
        y = ops.convert_to_numpy(ops.stop_gradient(layer(x)))
        of_beta = (2.0 * (y + 1.0)).sum(axis=(0, 1, 2))
        of_gamma = (2.0 * (y + 1.0) * y).sum(axis=(0, 1, 2))
        for gradient, expected in zip(found, (of_gamma, of_beta), strict=True):
            np.testing.assert_allclose(
                ops.convert_to_numpy(gradient), expected, rtol=1e-4, atol=1e-4
            )


def test_what_is_refused():
    with pytest.raises(ValueError, match="divide into 3 groups"):
        GroupNorm(3)(np.zeros((1, 2, 2, 8)))
