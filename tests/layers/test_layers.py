import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend


@pytest.mark.parametrize(("size", "kernel", "strides"), [((7, 7), 5, 2), ((4, 6), 4, (2, 1))])
def test_conv2d_transpose_is_keras(size, kernel, strides):
    """Values and gradients, by the kernel and by the input."""
    x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32"))
    theirs = keras.layers.Conv2DTranspose(4, kernel, strides, padding="same")
    ours = kgen.layers.Conv2DTranspose(4, kernel, strides)
    theirs(x), ours(x)
    ours.set_weights(theirs.get_weights())
    results = []
    for layer in (theirs, ours):
        loss, gradients = backend.value_and_grad(
            lambda layer=layer: ops.sum(ops.sin(layer(x))), layer.trainable_variables
        )
        by_input = backend.input_gradient(lambda x, layer=layer: ops.sin(layer(x)), x)
        results.append([loss, *gradients, by_input])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (b, a)), rtol=1e-4, atol=1e-4)


def test_conv2d_transpose_round_trip():
    layer = kgen.layers.Conv2DTranspose(4, 5, strides=2, activation="relu", use_bias=False)
    copy = kgen.layers.Conv2DTranspose.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()


def test_layer_norm():
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 5, 3)).astype("float32")
    layer = kgen.layers.LayerNorm(axis=(1, 2, 3), epsilon=0.0)
    y = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(1, 2, 3)), 1.0, rtol=1e-4)
    layer.gamma.assign([1.0, 2.0, 3.0])
    layer.beta.assign([0.0, 0.0, 1.0])
    expected = y * [1.0, 2.0, 3.0] + [0.0, 0.0, 1.0]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)


def penalty_gradient(normalization):
    """The gradient of a gradient penalty by the first kernel of a critic with a normalization."""
    keras.utils.set_random_seed(0)
    critic = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(5), normalization, keras.layers.Dense(1)]
    )
    rng = np.random.default_rng(1)
    for variable in critic.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    data = [ops.convert_to_tensor(rng.normal(size=(4, 6)).astype("float32")) for _ in range(2)]
    kernel = critic.trainable_variables[0]

    def penalty():
        return ops.mean(kgen.losses.gradient_penalty(critic, *data, ops.full((4,), 0.3)))

    def value(change):
        before = ops.convert_to_numpy(kernel)
        kernel.assign(before + change)
        result = float(ops.convert_to_numpy(penalty()))
        kernel.assign(before)
        return result

    _, (gradient,) = backend.value_and_grad(penalty, [kernel])
    direction = rng.normal(size=kernel.shape).astype("float32")
    difference = (value(1e-2 * direction) - value(-1e-2 * direction)) / 2e-2
    return float(np.sum(ops.convert_to_numpy(gradient) * direction)), difference


def test_second_derivative_of_layer_norm():
    gradient, difference = penalty_gradient(kgen.layers.LayerNorm())
    assert gradient == pytest.approx(difference, rel=5e-3)


def test_spectral_normalization_moves_nothing_in_a_call():
    layer = kgen.layers.SpectralNormalization(keras.layers.Dense(3), power_iterations=50)
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    layer(x)
    before = layer.get_weights()
    layer(x, training=True)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    layer.normalize()
    assert np.linalg.norm(ops.convert_to_numpy(layer.layer.kernel), 2) == pytest.approx(1, rel=1e-4)
