import keras
import numpy as np
import pytest
from keras import ops

from kgen import backend, losses


def numpy(loss, *arrays, **kwargs):
    """A loss of NumPy arrays, as one."""
    tensors = [ops.convert_to_tensor(np.asarray(array, "float32")) for array in arrays]
    return ops.convert_to_numpy(loss(*tensors, **kwargs))


def test_gaussian_kl_by_hand():
    kl = numpy(losses.gaussian_kl, [[1.0, -2.0], [0.0, 0.0]], np.log([[4.0, 1.0], [1.0, 1.0]]))
    # 1/2 (1 + 4 - 1 - ln 4) + 1/2 (4)
    np.testing.assert_allclose(kl, [0.5 * (4.0 - np.log(4.0)) + 2.0, 0.0], rtol=1e-6)


@pytest.mark.parametrize(("mean", "var"), [(0.0, 1.0), (1.5, 0.3), (-2.0, 3.0)])
def test_gaussian_kl_equals_quadrature(mean, var):
    z = np.linspace(-30.0, 30.0, 200_001)
    log_q = -0.5 * (z - mean) ** 2 / var - 0.5 * np.log(2 * np.pi * var)
    log_p = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    expected = np.sum(np.exp(log_q) * (log_q - log_p)) * (z[1] - z[0])
    kl = numpy(losses.gaussian_kl, [[mean]], np.log([[var]]))
    assert kl[0] == pytest.approx(expected, abs=1e-6, rel=1e-6)


def test_gaussian_kl_equals_monte_carlo():
    mean, var, n = 0.7, 0.5, 200_000
    z = mean + np.sqrt(var) * np.random.default_rng(0).standard_normal(n)
    terms = 0.5 * (z**2 - (z - mean) ** 2 / var - np.log(var))
    kl = numpy(losses.gaussian_kl, [[mean]], np.log([[var]]))
    assert abs(kl[0] - terms.mean()) < 4 * terms.std() / np.sqrt(n)


def test_gradient_of_gaussian_kl_in_the_mean_is_the_mean():
    mean = keras.Variable([[0.3, -2.0]])
    _, (gradient,) = backend.value_and_grad(
        lambda: ops.sum(losses.gaussian_kl(mean.value, ops.ones((1, 2)))), [mean]
    )
    np.testing.assert_allclose(ops.convert_to_numpy(gradient), [[0.3, -2.0]], rtol=1e-6)


def test_bernoulli_nll_by_hand():
    p = np.array([[0.5, 0.25, 0.75, 0.9]])
    nll = numpy(losses.bernoulli_nll, [[1.0, 0.0, 1.0, 0.0]], np.log(p / (1 - p)))
    expected = -(np.log(0.5) + np.log(0.75) + np.log(0.75) + np.log(0.1))
    np.testing.assert_allclose(nll, [expected], rtol=1e-5)


def test_levels_nll_by_hand():
    p = np.array([[0.2, 0.3, 0.5], [0.1, 0.6, 0.3]])
    logits = ops.convert_to_tensor(np.log(p)[None] + 3.0, "float32")
    nll = losses.levels_nll(ops.convert_to_tensor([[2, 1]]), logits)
    np.testing.assert_allclose(ops.convert_to_numpy(nll), [-np.log(0.5 * 0.6)], rtol=1e-6)


def test_bernoulli_nll_of_extreme_logits():
    nll = numpy(losses.bernoulli_nll, [[1.0, 1.0]], [[200.0, -200.0]])
    np.testing.assert_allclose(nll, [200.0])


def test_normal_nll_by_hand():
    nll = numpy(losses.normal_nll, [[1.0, 3.0]], [[1.0, 1.0]], np.log([[1.0, 4.0]]))
    expected = np.log(2 * np.pi) + 0.5 * np.log(4.0) + 0.5
    np.testing.assert_allclose(nll, [expected], rtol=1e-6)


@pytest.mark.parametrize("levels", [2, 8, 256])
def test_discretized_logistic_sums_to_one(levels):
    x = np.linspace(-1.0, 1.0, levels)[:, None]
    for mean in (-1.3, 0.0, 0.37, 1.3):
        for log_scale in (-7.0, -3.0, 0.0, 3.0):
            nll = numpy(
                losses.discretized_logistic_nll, x, 0 * x + mean, 0 * x + log_scale, levels=levels
            )
            total = np.exp(-nll.astype("float64")).sum()
            assert total == pytest.approx(1.0, abs=2e-5), (mean, log_scale)


def test_discretized_logistic_by_hand():
    x = np.array([[-1.0], [0.0], [1.0]])
    nll = numpy(losses.discretized_logistic_nll, x, 0 * x, 0 * x, levels=3)
    tail = 1.0 / (1.0 + np.exp(0.5))  # sigmoid(-1 + 1/2)
    np.testing.assert_allclose(nll, -np.log([tail, 1.0 - 2.0 * tail, tail]), rtol=1e-5)


@pytest.mark.parametrize("log_scale", [-7.0, 7.0])
def test_discretized_logistic_far_from_the_mean_is_finite(log_scale):
    mean = keras.Variable([[-1.0, -1.0, 0.5]])
    log_scale = keras.Variable([[log_scale] * 3])
    x = ops.convert_to_tensor([[1.0, 0.0, -1.0]])
    value, gradients = backend.value_and_grad(
        lambda: ops.sum(losses.discretized_logistic_nll(x, mean.value, log_scale.value)),
        [mean, log_scale],
    )
    for tensor in (value, *gradients):
        assert np.isfinite(ops.convert_to_numpy(tensor)).all()


def test_bits_per_dim():
    uniform = 32 * 32 * 3 * np.log(256.0)
    assert losses.bits_per_dim(uniform, (32, 32, 3)) == pytest.approx(8.0)
    assert losses.bits_per_dim(81.3, (28, 28, 1)) == pytest.approx(0.1496, abs=5e-5)
