"""Losses and penalties of two players: by hand, and against what they are known to reach."""

import numpy as np
import pytest
from keras import ops

from kgen import backend, losses

REAL = np.array([[2.0], [0.0], [-1.0], [0.5]], "float32")
FAKE = np.array([[-3.0], [1.0], [0.0], [-0.5]], "float32")


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def values(loss, *args, **kwargs):
    return ops.convert_to_numpy(loss(*map(ops.convert_to_tensor, args), **kwargs))


@pytest.mark.parametrize(
    ("loss", "arguments", "expected"),
    [
        (losses.non_saturating_generator_loss, [FAKE], -np.log(sigmoid(FAKE))),
        (losses.minimax_generator_loss, [FAKE], np.log(1 - sigmoid(FAKE))),
        (
            losses.minimax_discriminator_loss,
            [REAL, FAKE],
            -np.log(sigmoid(REAL)) - np.log(1 - sigmoid(FAKE)),
        ),
        (losses.least_squares_generator_loss, [FAKE], [[8.0], [0.0], [0.5], [1.125]]),
        (
            losses.least_squares_discriminator_loss,
            [REAL, FAKE],
            [[0.5 + 4.5], [0.5 + 0.5], [2.0], [0.125 + 0.125]],
        ),
        (losses.wasserstein_generator_loss, [FAKE], -FAKE),
        (losses.wasserstein_critic_loss, [REAL, FAKE], FAKE - REAL),
    ],
)
def test_losses_by_hand(loss, arguments, expected):
    np.testing.assert_allclose(values(loss, *arguments), np.ravel(expected), rtol=1e-5, atol=1e-6)


def test_smoothing_is_of_real_labels_alone():
    smooth = values(losses.minimax_discriminator_loss, REAL, FAKE, label_smoothing=0.1)
    real = -0.9 * np.log(sigmoid(REAL)) - 0.1 * np.log(1 - sigmoid(REAL))
    expected = real - np.log(1 - sigmoid(FAKE))
    np.testing.assert_allclose(smooth, expected.ravel(), rtol=1e-5)


def test_the_best_discriminator_of_two_gaussians():
    """p = N(0, 1), q = N(2, 1): V(D*) = 2 JS - 2 ln 2 = -0.7126327204, by quadrature."""
    x = np.linspace(-12.0, 14.0, 20001)
    p, q = (np.exp(-0.5 * (x - mean) ** 2) / np.sqrt(2 * np.pi) for mean in (0.0, 2.0))
    logits = (2.0 - 2.0 * x).astype("float32")[:, None]
    zeros = np.zeros_like(logits)
    of_real = values(losses.minimax_discriminator_loss, logits, zeros) - np.log(2.0)
    of_fake = values(losses.minimax_discriminator_loss, zeros, logits) - np.log(2.0)
    value = -np.sum(p * of_real + q * of_fake) * (x[1] - x[0])
    assert value == pytest.approx(-0.7126327204, abs=1e-5)


def test_equal_distributions():
    zeros = np.zeros((4, 1), "float32")
    np.testing.assert_allclose(
        values(losses.minimax_discriminator_loss, zeros, zeros), 2 * np.log(2.0), rtol=1e-6
    )
    np.testing.assert_allclose(
        values(losses.non_saturating_generator_loss, zeros), np.log(2.0), rtol=1e-6
    )


def test_the_least_squares_game_is_pearsons_divergence():
    """a = -1, b = 1, c = 0 and the best D: twice the generator's value is chi^2(p + q || 2 q)."""
    x = np.linspace(-12.0, 14.0, 20001)
    p, q = (np.exp(-0.5 * (x - mean) ** 2) / np.sqrt(2 * np.pi) for mean in (0.0, 2.0))
    best = ((p - q) / (p + q)).astype("float32")[:, None]
    # Of real images, too, as in the paper's eq. 7.
    loss = values(losses.least_squares_generator_loss, best, c=0.0)
    assert 2 * np.sum((p + q) * loss) * (x[1] - x[0]) == pytest.approx(1.1008009816, abs=1e-5)


def test_where_the_discriminator_rejects_only_one_gradient_vanishes():
    def slope(loss):
        x = ops.convert_to_tensor(np.full((1, 1), -12.0, "float32"))
        return float(ops.convert_to_numpy(backend.input_gradient(loss, x))[0, 0])

    assert slope(losses.non_saturating_generator_loss) == pytest.approx(-1.0, abs=1e-4)
    assert abs(slope(losses.minimax_generator_loss)) < 1e-5


def test_categorical_takes_the_softmax_once():
    logits = np.log(np.array([[0.7, 0.2, 0.1]], "float32")) + 3.0
    nll = values(losses.categorical_nll, np.array([[0.0, 1.0, 0.0]], "float32"), logits)
    np.testing.assert_allclose(nll, -np.log([0.2]), rtol=1e-5)
