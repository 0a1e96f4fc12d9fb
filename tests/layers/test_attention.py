"""Layers of the U-Net by hand: times as sines, attention, squares of pixels as channels."""

import numpy as np
import pytest
from keras import ops

from kgen.layers import DepthToSpace, SelfAttention, SinusoidalEmbedding, SpaceToDepth

RNG = np.random.default_rng(0)


def test_a_time_as_sines_and_cosines():
    expected = [-0.5440211109, 0.4476708347, 0.02154268027, 0.0009999998333]
    expected += [-0.8390715291, 0.8941984253, 0.9997679295, 0.9999995]
    found = ops.convert_to_numpy(SinusoidalEmbedding(8)(np.array([10.0, 0.0])))
    np.testing.assert_allclose(found[0], expected, atol=1e-6)
    np.testing.assert_array_equal(found[1], [0, 0, 0, 0, 1, 1, 1, 1])
    for size in (2, 7):
        with pytest.raises(ValueError, match="even number of at least 4"):
            SinusoidalEmbedding(size)


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_by_hand(heads):
    x = RNG.standard_normal((2, 2, 3, 4)).astype("float32")
    layer = SelfAttention(heads)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), 0.0)  # at first
    kernel, bias, last, last_bias = (
        RNG.standard_normal(v.shape).astype("float32") for v in layer.variables
    )
    layer.set_weights([kernel, bias, last, last_bias])
    q, k, v = np.split(x.reshape(2, 6, 4) @ kernel + bias, 3, axis=-1)
    parts = []
    for q_part, k_part, v_part in zip(*(np.split(a, heads, -1) for a in (q, k, v)), strict=True):
        scores = q_part @ k_part.swapaxes(1, 2) / np.sqrt(4 / heads)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        parts.append(weights / weights.sum(-1, keepdims=True) @ v_part)
    expected = np.concatenate(parts, -1) @ last + last_bias
    found = ops.convert_to_numpy(layer(x)).reshape(2, 6, 4)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_channels_that_do_not_divide():
    with pytest.raises(ValueError, match="divide into 3 heads. Received: 4"):
        SelfAttention(3)(np.zeros((1, 2, 2, 4)))


def test_squares_of_pixels_and_back():
    x = np.arange(2 * 4 * 6 * 3, dtype="float32").reshape(2, 4, 6, 3)
    found = ops.convert_to_numpy(SpaceToDepth(2)(x))
    np.testing.assert_array_equal(found[1, 1, 2], x[1, 2:, 4:].reshape(-1))
    np.testing.assert_array_equal(ops.convert_to_numpy(DepthToSpace(2)(found)), x)
    for layer in (SpaceToDepth(4), DepthToSpace(2)):
        with pytest.raises(ValueError, match="divides. Received"):
            layer(x)
