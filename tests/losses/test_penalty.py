import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, losses

BACKEND = keras.backend.backend()
GOLDEN = [
    1.706733798136581,
    4.920143589059992,
    2.37456058679865,
    11.97768293010756,
    0.9553372000168101,
    3.078748386428159,
    0.21026851441281108,
    3.582527164840773,
    0.0,
]


def linear(kernel):
    layer = keras.layers.Dense(1)
    layer.build((None, 3))
    layer.kernel.assign(np.reshape(kernel, (3, 1)))
    return layer


def penalty_of(layer, eps, x, x_fake):
    tensors = [ops.convert_to_tensor(np.asarray(a, "float32")) for a in (x, x_fake, eps)]
    return losses.gradient_penalty(layer, *tensors)


def test_penalty_of_a_linear_critic():
    rng = np.random.default_rng(0)
    w = np.array([1.0, -2.0, 2.0], "float32")
    layer = linear(w)
    data = rng.normal(size=(2, 5, 3))
    eps = rng.random(5)
    loss, (gradient, _) = backend.value_and_grad(
        lambda: ops.mean(penalty_of(layer, eps, *data)), [layer.kernel, layer.bias]
    )
    assert float(loss) == pytest.approx(4.0, rel=1e-5)  # (||w|| - 1)^2, ||w|| = 3
    expected = 2.0 * (3.0 - 1.0) * w / 3.0
    np.testing.assert_allclose(ops.convert_to_numpy(gradient)[:, 0], expected, rtol=1e-5)


def test_penalty_is_finite_where_the_critic_is_flat():
    layer = linear(np.zeros(3))
    loss, gradients = backend.value_and_grad(
        lambda: ops.mean(penalty_of(layer, np.ones(2), np.ones((2, 3)), np.ones((2, 3)))),
        [layer.kernel],
    )
    assert float(loss) == pytest.approx(1.0, rel=1e-4)
    assert np.isfinite(ops.convert_to_numpy(gradients[0])).all()


def test_each_image_has_an_epsilon_of_its_own():
    """Of a quadratic critic 1/2 ||x||^2 the gradient is x_hat it"""
    x, x_fake, eps = np.eye(3) * 5.0, np.ones((3, 3)), np.array([0.0, 0.25, 1.0])
    x_hat = eps[:, None] * x + (1.0 - eps[:, None]) * x_fake
    expected = (np.linalg.norm(x_hat, axis=1) - 1.0) ** 2
    penalty = penalty_of(
        lambda x: 0.5 * ops.sum(ops.square(x), axis=-1, keepdims=True), eps, x, x_fake
    )
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), expected, rtol=1e-5)


def test_r1():
    layer = linear([1.0, -2.0, 2.0])
    penalty = losses.r1_penalty(layer, ops.ones((2, 3)))
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), 4.5, rtol=1e-5)


def critic(dropout):
    """A convolution, `kgen.layers.LayerNorm` and dropout, of the same float64 weights anywhere."""
    network = keras.Sequential(
        [
            keras.Input((4, 4, 2), dtype="float64"),
            kgen.layers.Conv2D(3, 3, 2, padding="same", activation="tanh"),
            kgen.layers.LayerNorm(axis=(1, 2, 3)),
            dropout,
            kgen.layers.Conv2D(2, 2, padding="same", activation="softplus"),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(0.2, 0.6, variable.shape))
    return network


def penalty_and_gradients(network, seed):
    """Of 5 images, with the dropout of this seed generator, or of none."""
    x, x_fake = (
        ops.convert_to_tensor(a, "float64")
        for a in np.random.default_rng(1).normal(size=(2, 5, 4, 4, 2))
    )
    eps = ops.convert_to_tensor(np.linspace(0.1, 0.9, 5), "float64")

    def loss():
        if seed is not None:
            seed.state.assign([3, 4])
        return ops.mean(
            losses.gradient_penalty(lambda x: network(x, training=True), x, x_fake, eps)
        )

    value, gradients = backend.value_and_grad(loss, network.trainable_variables)
    return float(value), [ops.convert_to_numpy(gradient) for gradient in gradients]


@pytest.mark.skipif(
    BACKEND != "tensorflow", reason="Keras keeps float64 in all of its operations there alone"
)
def test_second_order_gradients_equal_finite_differences():
    keras.config.set_dtype_policy("float64")
    dropout = keras.layers.Dropout(0.4, seed=1)
    network = critic(dropout)
    _, gradients = penalty_and_gradients(network, dropout.seed_generator)
    rng = np.random.default_rng(2)
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        value = ops.convert_to_numpy(variable)
        direction = rng.normal(size=value.shape)
        ends = []
        for step in (1e-5, -1e-5):
            variable.assign(value + step * direction)
            ends.append(penalty_and_gradients(network, dropout.seed_generator)[0])
        variable.assign(value)
        numeric = (ends[0] - ends[1]) / 2e-5
        assert np.sum(gradient * direction) == pytest.approx(numeric, rel=1e-6, abs=1e-8)


class FixedDropout(keras.layers.Dropout):
    """Drops the same numbers on every backend."""

    def call(self, inputs, training=False):
        kept = np.arange(12).reshape(2, 2, 3) % 3 > 0
        return inputs * ops.convert_to_tensor(kept / (1.0 - self.rate), inputs.dtype)


def test_second_order_gradients_agree_over_the_backends():
    """With those of TensorFlow, which equal finite differences: the penalty, and norms."""
    keras.config.set_dtype_policy("float64")
    value, gradients = penalty_and_gradients(critic(FixedDropout(1 / 3)), None)
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    np.testing.assert_allclose([value, *norms], GOLDEN, rtol=1e-5)
