"""Metrics of codes: worked numbers, and codes that are as good and as bad as can be."""

import numpy as np
import pytest

from kgen import metrics

pytestmark = pytest.mark.anywhere

RNG = np.random.default_rng(0)
FACTORS = np.stack(np.meshgrid(range(4), range(5), range(6)), -1).reshape(-1, 3).repeat(3, axis=0)
MIXED = FACTORS @ np.array([[1.0, 0.5, 0.2], [0.3, 1.0, 0.5], [0.6, 0.2, 1.0]])
COPIED = np.concatenate([FACTORS, FACTORS[:, :1]], axis=1).astype("float64")


def test_mutual_information_gap_of_a_noisy_bit():
    """A fair bit that is flipped with p = 0.1 tells 1 - H(0.1) / H(0.5) of it."""
    factor = np.repeat([0, 1], 1000)[:, None]
    code = np.where(np.tile(np.arange(1000) < 100, 2)[:, None], 1 - factor, factor)
    codes = np.concatenate([code, np.tile([[0.0], [1.0]], (1000, 1))], axis=1)
    assert metrics.mutual_information_gap(codes, factor) == pytest.approx(0.5310044064, abs=1e-9)


def test_mutual_information_gap_of_one_to_one_and_of_copies():
    assert metrics.mutual_information_gap(FACTORS * [1.0, -2.0, 9.0], FACTORS) == pytest.approx(1.0)
    assert metrics.mutual_information_gap(COPIED, FACTORS) == pytest.approx(2 / 3)
    assert metrics.mutual_information_gap(MIXED, FACTORS) < 0.5
    still = np.concatenate([FACTORS, np.ones_like(FACTORS[:, :1])], axis=1)
    assert metrics.mutual_information_gap(FACTORS, still) == pytest.approx(1.0)


def test_importance_scores():
    found = metrics.importance_scores([[0.9, 0.1], [0.2, 0.8], [0.05, 0.05]])
    assert found["disentanglement"] == pytest.approx(0.3852744341, abs=1e-9)
    assert found["completeness"] == pytest.approx(0.4638013788, abs=1e-9)
    np.testing.assert_allclose(
        found["disentanglement_of_codes"], [0.5310044064, 0.2780719051, 0.0], atol=1e-9
    )
    np.testing.assert_allclose(
        found["completeness_of_factors"], [0.4243924999, 0.5115068637], atol=1e-9
    )


def test_dci():
    codes = FACTORS.astype("float64")
    found = metrics.dci(codes, FACTORS, codes, FACTORS)
    for name in ("disentanglement", "completeness", "informativeness"):
        assert found[name] == pytest.approx(1.0, abs=1e-3)
    copied = metrics.dci(COPIED, FACTORS, COPIED, FACTORS)
    assert copied["disentanglement"] == pytest.approx(1.0, abs=1e-3)
    assert copied["completeness"] < 0.95
    one = metrics.dci(codes, FACTORS[:, :1], codes, FACTORS[:, :1])
    assert one["disentanglement"] == 1.0 and one["completeness"] == pytest.approx(1.0, abs=1e-3)
    assert metrics.dci(MIXED, FACTORS, MIXED, FACTORS)["disentanglement"] < 0.6


def test_sap_score():
    bits = (FACTORS > FACTORS.mean(axis=0)).astype("int64")
    codes = bits + 0.01 * RNG.standard_normal(bits.shape)
    assert metrics.sap_score(codes, bits, codes, bits) > 0.3
    copied = np.concatenate([codes, codes], axis=1)
    assert metrics.sap_score(copied, bits, copied, bits) == pytest.approx(0.0, abs=1e-12)


def factor_score(encode):
    def draw(num, rng):
        return rng.integers(0, [4, 5, 6, 1], (num, 4))  # of which the last does not vary

    def images(factors, rng):
        return factors[:, None, None] / 6.0

    given = {"num_train": 200, "num_test": 100, "num_var": 500}
    return metrics.factor_vae_score(lambda x: encode(6.0 * x[:, 0, 0, :3]), draw, images, **given)


def test_factor_vae_score():
    assert factor_score(lambda f: f * [1.0, 100.0, 0.01]) == 1.0
    assert factor_score(lambda f: f @ np.ones((3, 3))) < 0.7
    assert factor_score(lambda f: 0.0 * f) == 0.0
    # A number that does not vary has no vote, or it would have all of them.
    assert factor_score(lambda f: np.concatenate([f, 0.0 * f[:, :1]], axis=1)) == 1.0
    # Of this one rounding makes a variance, beside which its own of a batch is smaller still.
    noise = 0.3 * RNG.standard_normal((500, 3))
    assert factor_score(lambda f: np.insert(f + noise[: len(f)], 0, 0.1, axis=1)) == 1.0


def test_numbers_whose_range_is_a_rounding_have_bins():
    codes = np.concatenate([MIXED, 1.0 + 2e-16 * (np.arange(len(MIXED)) % 2)[:, None]], axis=1)
    expected = metrics.mutual_information_gap(np.insert(MIXED, 1, 1e17, axis=1), FACTORS)
    assert metrics.mutual_information_gap(codes, FACTORS) == pytest.approx(expected)
    assert metrics.mutual_information_gap(MIXED, FACTORS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("encode", "draw", "message"),
    [
        (lambda x: x[:5], (64, 3), r"a code for each of 64 images.*\(5, 3\)"),
        (lambda x: x, (64,), r"whole numbers \(64, num_factors\).*\(64,\)"),
        (lambda x: x, (9, 3), r"whole numbers \(64, num_factors\).*\(9, 3\)"),
    ],
)
def test_what_the_factor_vae_score_is_given(encode, draw, message):
    with pytest.raises(ValueError, match=message):
        metrics.factor_vae_score(
            encode,
            lambda num, rng: rng.integers(0, 4, draw),
            lambda factors, rng: factors / 4.0,
            num_var=64,
        )


def test_active_units():
    means = np.concatenate([RNG.standard_normal((500, 3)), 0.05 * RNG.standard_normal((500, 2))], 1)
    assert metrics.active_units(means) == 3
    assert metrics.active_units(means, threshold=1e-3) == 5


def test_linear_probe():
    labels = np.arange(90) % 3
    codes = np.eye(3)[labels] * 1e3 + RNG.standard_normal((90, 3))
    assert metrics.linear_probe(codes[:60], labels[:60], codes[60:], labels[60:]) == 1.0
    noise = RNG.standard_normal((90, 3))
    assert metrics.linear_probe(noise[:60], labels[:60], noise[60:], labels[60:]) < 0.7


def test_importance_bound():
    log_weights = np.log([[1.0, 3.0], [2.0, 2.0], [4.0, 4.0]])
    found = metrics.importance_bound(log_weights)
    np.testing.assert_allclose(found["log_likelihood"], np.log([2.0, 2.0, 4.0]))
    assert found["mean"] == pytest.approx(np.log([2.0, 2.0, 4.0]).mean())
    error = np.log([2.0, 2.0, 4.0]).std(ddof=1) / np.sqrt(3)
    assert found["standard_error"] == pytest.approx(error)
    assert found["effective_samples"] == pytest.approx((1.6 + 2.0 + 2.0) / 3)
    far = metrics.importance_bound(log_weights - 5000.0)
    assert far["mean"] == pytest.approx(found["mean"] - 5000.0)


def test_bits_per_dim():
    found = metrics.bits_per_dim(np.array([8 * 12 * np.log(2.0), 1e-30]), (2, 2, 3))
    assert found.dtype == "float64" and found[0] == pytest.approx(8.0, rel=1e-15)
    assert found[1] == pytest.approx(1e-30 / (12 * np.log(2.0)), rel=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.mutual_information_gap(MIXED, MIXED), "factors as whole numbers"),
        (lambda: metrics.dci(MIXED, FACTORS[:5], MIXED, FACTORS), "a row for each code"),
        (lambda: metrics.mutual_information_gap(MIXED, 0 * FACTORS), "a factor that varies"),
        (lambda: metrics.active_units(MIXED, np.nan), "threshold as a finite number"),
        (lambda: metrics.sap_score(MIXED, FACTORS, MIXED, FACTORS[:, :2]), "as codes and factors"),
        (lambda: metrics.dci(MIXED, FACTORS, MIXED[:, :2], FACTORS), "as codes and factors"),
        (
            lambda: metrics.linear_probe(MIXED, FACTORS[:, 0] / 2, MIXED, FACTORS[:, 0]),
            r"labels as whole numbers \(360,\), .* \(360,\) and float64",
        ),
        (lambda: metrics.linear_probe(MIXED, 0 * FACTORS[:, 0], MIXED, FACTORS[:, 0]), "a label"),
        (lambda: metrics.factor_vae_score(None, None, None, batch=1), "batch as .* at least 2"),
        (lambda: metrics.active_units(MIXED[:1]), "at least 2"),
        (
            lambda: metrics.importance_scores([[-1.0, 1.0]]),
            r"at least 0.0. .*\[-1.0, 1.0\]",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
