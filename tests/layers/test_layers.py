import functools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend
from tests.tiers import in_tiers

LAYERS = ["Conv2D", "Conv2DTranspose"]
PLAIN = {"padding": "same", "data_format": "channels_last"}


CONVOLUTIONS = [
    ((7, 7), 5, {"strides": 2}),
    ((4, 6), 4, {"strides": (2, 1), "use_bias": False}),
    ((5, 8), 3, {"strides": 3, "activation": "tanh"}),
    ((3, 4), 5, {}),
    ((4, 5), 1, {}),
    ((4, 5), 1, {"strides": 2}),
    ((5, 5), 3, {"padding": "valid"}),
    ((5, 5), 3, {"dilation_rate": 2}),
]


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    ("size", "kernel", "arguments"), in_tiers(CONVOLUTIONS, quick=CONVOLUTIONS[1:3])
)
def test_convolutions_are_keras(name, size, kernel, arguments):
    """Values, gradients by kernel and input, and second derivatives."""
    x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32"))
    layers = [
        getattr(module, name)(4, kernel, **(PLAIN | arguments))
        for module in (keras.layers, kgen.layers)
    ]
    for layer in layers:
        layer.build((None, *size, 3))
    layers[1].set_weights(layers[0].get_weights())
    results = []
    for layer in layers:

        def wave(x, layer=layer):
            return ops.sin(layer(x))

        def slope(x, wave=wave):
            return ops.sum(ops.square(backend.input_gradient(wave, x)))

        variables = layer.trainable_variables
        found = [wave(x), backend.input_gradient(wave, x), backend.input_gradient(slope, x)]
        for loss in (wave, slope):
            loss = functools.partial(lambda loss: ops.sum(loss(x)), loss)
            found += backend.value_and_grad(loss, variables)[1]
        results.append([ops.convert_to_numpy(each) for each in found])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "size"),
    in_tiers([(3, (8, 8)), (5, (7, 6)), (5, (3, 2)), (4, (6, 9))], quick=[(4, (6, 9))]),
)
def test_channels_by_themselves_are_keras(kernel, size, stride):
    rng = np.random.default_rng(0)
    x, weights = (
        ops.convert_to_tensor(rng.normal(size=shape).astype("float32"))
        for shape in ((2, *size, 3), (kernel, kernel, 3, 1))
    )
    expected = ops.depthwise_conv(x, weights, (stride, stride), **PLAIN)
    found = backend.depthwise_conv2d(x, weights, (stride, stride))
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (found, expected)), atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_convolutions_round_trip(name):
    layer = getattr(kgen.layers, name)(4, 5, 2, **PLAIN, activation="relu", use_bias=False)
    copy = type(layer).from_config(layer.get_config())
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


@pytest.mark.parametrize("arguments", [{}, {"momentum": 0.5, "center": False}, {"axis": 1}])
def test_batch_norm_is_keras(arguments):
    x = np.random.default_rng(0).normal(3.0, 2.0, (4, 3, 5, 2)).astype("float32")
    layers = [keras.layers.BatchNormalization(**arguments), kgen.layers.BatchNorm(**arguments)]
    outputs = [
        [ops.convert_to_numpy(layer(x, training=training)) for training in (True, False)]
        for layer in layers
    ]
    for theirs, ours in zip(*outputs, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def penalty_gradient(normalization):
    """The gradient of a gradient penalty by the first kernel of a critic with a normalization."""
    keras.utils.set_random_seed(0)
    critic = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5),
            normalization,
            keras.layers.Activation("tanh"),
            keras.layers.Dense(1),
        ]
    )
    rng = np.random.default_rng(1)
    for variable in critic.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    data = [ops.convert_to_tensor(rng.normal(size=(4, 6)).astype("float32")) for _ in range(2)]
    kernel = critic.trainable_variables[0]
    train = functools.partial(critic, training=True)

    def penalty():
        return ops.mean(kgen.losses.gradient_penalty(train, *data, ops.full((4,), 0.3)))

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


@pytest.mark.parametrize("name", ["LayerNorm", "BatchNorm"])
def test_second_derivative_of_a_normalization(name):
    gradient, difference = penalty_gradient(getattr(kgen.layers, name)())
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


def test_maxout_by_hand():
    x = keras.Variable([[1.0, 2.0, 3.0, 0.0, 2.0, 1.0]])
    weights = ops.convert_to_tensor([[10.0, 1.0]])
    y, (gradient,) = backend.value_and_grad(
        lambda: ops.sum(weights * kgen.layers.Maxout(3)(x.value)), [x]
    )
    assert float(y) == 3.0 * 10.0 + 2.0
    np.testing.assert_array_equal(gradient, [[0.0, 1.0, 10.0, 0.0, 0.0, 0.0]])


def test_maxout_units_have_a_gradient_however_they_are_compiled():
    """Of one unit XLA computes the inputs and their maximum apart, with another rounding each."""
    options = {"projection": True, "spectral_normalization": True, "r1_weight": 0.1}
    gan = kgen.GAN((8, 8, 1), 2, width=4, num_classes=3, seed=0, **options)
    gan.compile()
    images = np.random.default_rng(1).random((4, 8, 8, 1), dtype="float32")
    history = gan.fit(images, np.arange(4) % 3, batch_size=4, epochs=4, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert all(np.isfinite(ops.convert_to_numpy(v)).all() for v in gan.trainable_variables)


def test_leaky_relu_is_keras():
    """Values and the first two derivatives, at 0 as well, and inside of a square of a slope."""
    x = ops.convert_to_tensor(np.array([[-2.0, -0.5, 0.0, 0.5, 3.0]], "float32"))
    results = []
    for layer in (keras.layers.LeakyReLU(0.2), kgen.layers.LeakyReLU(0.2)):

        def wave(x, layer=layer):
            return ops.sin(layer(ops.sin(x)))

        def slope(x, wave=wave):
            return ops.sum(ops.square(backend.input_gradient(wave, x)))

        found = wave(x), backend.input_gradient(wave, x), backend.input_gradient(slope, x)
        results.append([ops.convert_to_numpy(each) for each in found])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.full
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's optimizer")
def test_tensorflow_optimizes_the_steps_of_gans_without_complaint():
    script = (
        "import kgen, numpy as np\n"
        "for kind in (kgen.DCGAN, kgen.WGANGP, kgen.InfoGAN):\n"
        "    gan = kind((16, 16, 1), width=4)\n"
        "    gan.compile()\n"
        "    gan.fit(np.zeros((10, 16, 16, 1)), batch_size=10, verbose=0)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "0"},
        check=True,
    )
    assert "failed: INVALID_ARGUMENT" not in ran.stderr
