"""The diffusion transformer and the perceptron: sizes, nothing at first, time and condition."""

import keras
import numpy as np
import pytest
from keras import ops

from kgen import backend
from kgen.layers import PositionEmbedding
from kgen.networks import dense_denoiser, dit
from tests.networks.test_unet import filled

pytestmark = pytest.mark.anywhere  # its layers have tests on each backend

RNG = np.random.default_rng(0)


def small(shape=(8, 6, 2), **kwargs):
    return dit(shape, **{"width": 16, "depth": 2, "heads": 2} | kwargs)


def perceptron(shape=(8, 6, 2), **kwargs):
    return dense_denoiser(shape, width=16, depth=2, **kwargs)


both = pytest.mark.parametrize("make", [small, perceptron])


def test_the_papers_has_as_many_parameters():
    """DiT-S/2 of 32x32x4 to means and variances, layer by layer, without its table of classes."""
    d = 384
    block = d * 3 * d + 3 * d + d * d + d + 2 * 4 * d * d + 5 * d + 6 * d * d + 6 * d
    code, first = 256 * d + d + d * d + d, 16 * d + d
    last = 2 * d * d + 2 * d + d * 4 * 8 + 4 * 8
    assert dit((32, 32, 4), channels=8).count_params() == first + code + 12 * block + last
    assert first + code + 12 * block + last == 32_480_672


@both
def test_nothing_at_first_and_each_image_is_of_its_own_time(make):
    network = make(channels=3)
    x, t = RNG.standard_normal((3, 8, 6, 2)), np.array([0.0, 5.0, 999.0])
    y = ops.convert_to_numpy(network([x, t]))
    assert y.shape == (3, 8, 6, 3)
    np.testing.assert_array_equal(y, 0.0)
    y = ops.convert_to_numpy(filled(network)([x, t]))
    order = [2, 0, 1]
    again = ops.convert_to_numpy(network([x[order], t[order]]))
    np.testing.assert_allclose(again, y[order], rtol=1e-4, atol=1e-5)
    other = ops.convert_to_numpy(network([x, t + 1.0]))
    assert np.abs(other - y).max(axis=(1, 2, 3)).min() > 1e-4


@both
def test_a_gradient_reaches_every_variable(make):
    network = filled(make(condition=3, dropout=0.1))
    x = RNG.standard_normal((4, 8, 6, 2)).astype("float32")
    inputs = [x, np.arange(4.0), np.array([0, 1, 2, 0]), np.array([1.0, 1.0, 1.0, 0.0])]

    def loss():
        return ops.mean(ops.square(network(inputs)))

    _, gradients = backend.value_and_grad(loss, network.trainable_variables)
    for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
        if "self_attention" in variable.path and variable.path.endswith("dense/bias"):
            continue  # of the keys it cancels
        assert np.abs(ops.convert_to_numpy(gradient)).max() > 0, variable.path


def test_each_part_of_what_the_time_says_counts():
    """Shifts, scales and gates of attention and perceptron, in one kernel side by side."""
    network = filled(small())
    x = RNG.standard_normal((4, 8, 6, 2)).astype("float32")
    kernels = [v for v in network.trainable_variables if v.shape == (16, 6 * 16)]
    assert len(kernels) == 2
    _, gradients = backend.value_and_grad(
        lambda: ops.mean(ops.square(network([x, np.arange(4.0)]))), kernels
    )
    for gradient in gradients:
        parts = ops.convert_to_numpy(gradient).reshape(16, 6, 16)
        assert np.abs(parts).max(axis=(0, 2)).min() > 0.0


@both
def test_a_condition_that_is_left_out_does_not_count(make):
    network = filled(make(condition=3))
    x, t = RNG.standard_normal((2, 8, 6, 2)), np.zeros(2)
    of = {
        given: ops.convert_to_numpy(network([x, t, np.array([0, 2]), np.full(2, given)]))
        for given in (0.0, 1.0)
    }
    swapped = ops.convert_to_numpy(network([x, t, np.array([1, 1]), np.zeros(2)]))
    np.testing.assert_allclose(swapped, of[0.0], atol=1e-6)
    assert np.abs(of[1.0] - of[0.0]).max() > 1e-3


def test_a_block_is_the_identity_at_first():
    """So that, whatever the last layer is, more blocks change nothing."""
    outputs = []
    for depth in (1, 3):
        network = small(depth=depth)
        layers = [each for each in network.layers if isinstance(each, keras.layers.Dense)]
        (first,) = (each for each in layers if each.kernel.shape[0] == 8)  # of patches
        for layer in (first, layers[-1]):
            ramp = np.linspace(-1.0, 1.0, int(np.prod(layer.kernel.shape)))
            layer.kernel.assign(ramp.reshape(layer.kernel.shape))
        x = np.random.default_rng(0).standard_normal((2, 8, 6, 2))
        outputs.append(ops.convert_to_numpy(network([x, np.array([3.0, 9.0])])))
    np.testing.assert_allclose(*outputs, atol=1e-5)
    assert np.abs(outputs[0]).max() > 0.1


def test_places():
    table = ops.convert_to_numpy(PositionEmbedding()(np.zeros((1, 3, 4, 8))))[0]
    row, column = 2, 3
    expected = [np.sin(2), np.sin(0.02), np.cos(2), np.cos(0.02)]
    expected += [np.sin(3), np.sin(0.03), np.cos(3), np.cos(0.03)]
    np.testing.assert_allclose(table[row, column], expected, atol=1e-6)
    with pytest.raises(ValueError, match="multiple of 4"):
        PositionEmbedding()(np.zeros((1, 3, 4, 6)))


@pytest.mark.parametrize(
    ("given", "message"),
    [({"patch": 4}, "patch=4 divides"), ({"width": 12}, "multiple of 4 \\* heads")],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        small(**given)


def test_a_file_of_it(tmp_path):
    network = filled(small(condition=3))
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    inputs = [RNG.standard_normal((2, 8, 6, 2)), np.zeros(2), np.array([0, 2]), np.ones(2)]
    np.testing.assert_allclose(
        *(ops.convert_to_numpy(each(inputs)) for each in (network, again)), atol=1e-6
    )
