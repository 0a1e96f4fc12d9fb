"""Metrics of samples: worked numbers, their invariances and directions, and what they refuse."""

import tracemalloc

import numpy as np
import pytest

from kgen import metrics
from kgen.metrics import distances

pytestmark = pytest.mark.anywhere

RNG = np.random.default_rng(0)


def with_moments(mean, covariance, num=8):
    """Points whose mean and unbiased covariance are exactly these."""
    x = np.random.default_rng(0).standard_normal((num, len(mean)))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return x @ np.linalg.cholesky(np.array(covariance)).T + np.array(mean)


A = with_moments([0.0, 0.0], [[2.0, 0.5], [0.5, 1.0]])
B = with_moments([1.0, 0.0], [[1.0, -0.3], [-0.3, 2.0]], num=11)


def test_frechet_distance_of_two_normals():
    assert metrics.frechet_distance(A, B) == pytest.approx(1.575425893, abs=1e-9)
    assert metrics.frechet_distance(B, A) == pytest.approx(1.575425893, abs=1e-9)


def test_frechet_distance_is_0_of_the_same():
    x = RNG.standard_normal((40, 6)) + 1e3
    assert metrics.frechet_distance(x, x) == pytest.approx(0.0, abs=1e-9)


def test_frechet_distance_of_singular_covariances():
    """Each along a line: (a - b)^2 of the deviations on one line, a^2 + b^2 on two."""
    line = np.array([[-1.0, 0.0], [1.0, 0.0]])
    variance = 2.0  # unbiased
    assert metrics.frechet_distance(3 * line, line) == pytest.approx(4 * variance, rel=1e-9)
    assert metrics.frechet_distance(3 * line, line[:, ::-1]) == pytest.approx(
        10 * variance, rel=1e-9
    )
    constant = np.ones((5, 2))
    assert metrics.frechet_distance(constant, constant) == 0.0
    assert metrics.frechet_distance(constant, line) == pytest.approx(2.0 + variance, rel=1e-9)


def test_frechet_distance_of_fewer_images_than_features():
    x, y = RNG.standard_normal((2, 5, 40))
    gram = (x - x.mean(0)) @ (y - y.mean(0)).T / 4  # the root's trace is its nuclear norm
    expected = np.square(x.mean(0) - y.mean(0)).sum()
    expected += x.var(0, ddof=1).sum() + y.var(0, ddof=1).sum()
    expected -= 2 * np.linalg.svd(gram, compute_uv=False).sum()
    assert metrics.frechet_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_moments_in_batches_are_those_of_all():
    x = RNG.standard_normal((101, 3)) * [1.0, 10.0, 0.1] + [0.0, 1e6, -5.0]
    moments = metrics.Moments()
    for start in range(0, 101, 10):
        moments.update(x[start : start + 10].astype("float64"))
    assert moments.num == 101
    np.testing.assert_allclose(moments.mean, x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(x.T), rtol=1e-7, atol=1e-9)
    assert metrics.frechet_distance(moments, x) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("d", "num"), [(16, 200), (40, 400)])
def test_the_bias_is_what_frechet_bias_says(d, num):
    rng = np.random.default_rng(1)
    found = [metrics.frechet_distance(*rng.standard_normal((2, num, d))) for _ in range(60)]
    error = np.std(found) / np.sqrt(len(found))
    # The formula is of the first order in 1 / num.
    assert abs(np.mean(found) - metrics.frechet_bias(d, num)) < 4 * error + 0.05 * np.mean(found)
    half = metrics.frechet_bias(d, num, num_real=10**9)
    assert half == pytest.approx(metrics.frechet_bias(d, num) / 2, rel=1e-5)


@pytest.mark.parametrize("scales", [[0.1] * 8, np.geomspace(0.01, 10, 8)])
def test_the_bias_of_features_of_other_variances(scales):
    rng, num = np.random.default_rng(1), 300
    found = [
        metrics.frechet_distance(*(rng.standard_normal((2, num, 8)) * scales)) for _ in range(80)
    ]
    expected = metrics.frechet_bias(np.diag(np.square(scales)), num)
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 4 * error + 0.05 * np.mean(found)
    assert metrics.frechet_bias(np.eye(5), 70, 90) == pytest.approx(metrics.frechet_bias(5, 70, 90))


@pytest.mark.parametrize(("d", "bias"), [(16, 0.168), (64, 2.208), (84, 3.738)])
def test_the_bias_of_a_thousand_images(d, bias):
    assert metrics.frechet_bias(d, 1000) == pytest.approx(bias, rel=1e-9)


def test_the_bias_of_a_covariance_in_single_precision():
    rng = np.random.default_rng(0)
    x = np.abs(rng.standard_normal((50, 300)) + 3.0 * rng.standard_normal((50, 1)))
    x = (x - x.mean(axis=0)).astype("float32")
    single, double = (each.T @ each / 49 for each in (x, x.astype("float64")))
    assert np.linalg.eigvalsh(single.astype("float64"))[0] < -1e-7  # by rounding
    expected = metrics.frechet_bias(double, 100)
    assert metrics.frechet_bias(single, 100) == pytest.approx(expected, rel=1e-3)


def test_kernel_distance_of_two_points_each():
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    assert metrics.polynomial_mmd(x, y) == 9.5
    assert metrics.kernel_distance(x, y) == (9.5, 0.0)  # a subset is at most all of them


def test_kernel_distance_has_no_bias_and_its_value_is_that_of_the_populations():
    """22 between N(0, 1) and N(1, 1) in one dimension, 0 of the same."""
    rng = np.random.default_rng(0)
    for shift, expected in ((0.0, 0.0), (1.0, 22.0)):
        found = [
            metrics.polynomial_mmd(
                rng.standard_normal((50, 1)), rng.standard_normal((50, 1)) + shift
            )
            for _ in range(2000)
        ]
        assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(len(found))


def test_kernel_distance_draws_subsets_without_replacement():
    x = RNG.standard_normal((30, 3))
    mean, std = metrics.kernel_distance(x, x + 1.0, subsets=50, subset_size=20, seed=1)
    again = metrics.kernel_distance(x, x + 1.0, subsets=50, subset_size=20, seed=1)
    assert (mean, std) == again and std > 0.0
    _, std = metrics.kernel_distance(x, x + 1.0, subsets=5, subset_size=30)
    assert std == pytest.approx(0.0, abs=1e-9)


def test_inception_score():
    p = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert metrics.inception_score(np.log(p), splits=1)[0] == pytest.approx(1.444934811, abs=1e-9)
    assert metrics.inception_score(np.log(p) + 500.0, splits=1)[0] == pytest.approx(
        1.444934811, abs=1e-9
    )
    sure = np.where(np.eye(4) > 0, 0.0, -1e30)
    assert metrics.inception_score(sure, splits=1) == (pytest.approx(4.0), 0.0)
    same = np.tile([[1.0, 2.0, 3.0]], (20, 1))
    assert metrics.inception_score(same) == (pytest.approx(1.0), pytest.approx(0.0))


REAL, FAKE = np.arange(4.0)[:, None], np.arange(1.0, 5.0)[:, None]


@pytest.mark.parametrize(
    ("fake", "real", "k", "ties", "expected"),
    [
        ([0.5, 1.5, 10.0, 11.0], [0, 1, 2, 3], 1, False, (0.5, 0.75, 1.0, 0.75)),
        (np.arange(6) + 0.5, range(6), 2, False, (1.0, 1.0, 13 / 12, 1.0)),
        (range(1, 5), range(4), 1, False, (0.75, 0.75, 0.75, 0.75)),
        (range(1, 5), range(4), 1, True, (1.0, 1.0, 2.25, 1.0)),
    ],
)
def test_neighbours(fake, real, k, ties, expected):
    fake, real = (np.array([*each], "float64")[:, None] for each in (fake, real))
    found = metrics.precision_recall(fake, real, k, ties) | metrics.density_coverage(
        fake, real, k, ties
    )
    names = "precision", "recall", "density", "coverage"
    assert [found[name] for name in names] == pytest.approx(expected, rel=1e-12)


def test_neighbours_by_hand():
    rng = np.random.default_rng(2)
    fake, real = rng.standard_normal((60, 3)), rng.standard_normal((70, 3)) + 0.5

    def radius(x):
        return np.sort(np.linalg.norm(x[:, None] - x, axis=-1), axis=1)[:, 3]

    between = np.linalg.norm(fake[:, None] - real, axis=-1)
    found = metrics.precision_recall(fake, real, 3) | metrics.density_coverage(fake, real, 3)
    assert found["precision"] == (between <= radius(real)).any(1).mean()
    assert found["recall"] == (between <= radius(fake)[:, None]).any(0).mean()
    assert found["density"] == pytest.approx((between < radius(real)).sum() / 3 / 60)
    assert found["coverage"] == (between < radius(real)).any(0).mean()


def test_neighbours_of_duplicates_and_constants():
    """Equal rows are at distance 0, however large their numbers."""
    x = np.repeat(RNG.standard_normal((5, 4)) * 1e4 + 1e5, 3, axis=0)
    found = metrics.precision_recall(x, x, k=2)
    assert found == {"precision": 1.0, "recall": 1.0}
    assert metrics.precision_recall(x, x, k=2, ties=False) == {"precision": 0.0, "recall": 0.0}
    constant = np.full((8, 3), 0.1)
    assert metrics.precision_recall(constant, constant) == {"precision": 1.0, "recall": 1.0}
    assert metrics.density_coverage(constant, constant) == {"density": 0.0, "coverage": 0.0}


def test_equal_rows_are_at_distance_0_and_others_where_they_are():
    x = 1e3 * np.random.default_rng(6).standard_normal((40, 50)) + 7.1
    x[3], x[5] = x[8], 0.0
    y = np.where(x[[5, 8, 9]] == 0.0, -0.0, x[[5, 8, 9]])
    ((*_, found),) = distances.squared_distances(*distances.points(x, y))
    direct = np.square(x[:, None] - y).sum(axis=-1)
    np.testing.assert_allclose(found, direct, rtol=1e-9)
    assert ((found == 0.0) == (direct == 0.0)).all() and (found == 0.0).sum() == 4
    (own,) = distances.points(x)
    ((*_, found),) = distances.squared_distances(own, own)
    assert (np.diag(found) == 0.0).all()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    fake, real = rng.standard_normal((2, 50, 3))

    def all_of_them():
        numbers = [
            *metrics.precision_recall(fake, real).values(),
            *metrics.density_coverage(fake, real).values(),
            metrics.memorization_distance(fake, real),
            metrics.polynomial_mmd(fake, real),
        ]
        return np.concatenate([numbers, *map(np.ravel, metrics.nearest(fake, real, 3))])

    whole = all_of_them()
    monkeypatch.setattr("kgen.metrics.distances.SIDE", 7)
    np.testing.assert_allclose(all_of_them(), whole, rtol=1e-12)


@pytest.mark.parametrize(
    "metric",
    [
        "precision_recall",
        "density_coverage",
        "nearest",
        "memorization_distance",
        "polynomial_mmd",
    ],
)
def test_only_a_block_is_held_in_double_precision(metric, monkeypatch):
    fake, real = np.random.default_rng(2).standard_normal((2, 2000, 200), dtype="float32")
    monkeypatch.setattr("kgen.metrics.distances.SIDE", 100)
    tracemalloc.start()
    getattr(metrics, metric)(fake, real)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Of either kind double precision would be 3.2 MB, of all distances 32 MB.
    assert peak < 2.5e6


def binary_digits():
    """Digits in black and white, of which most distances are ties: 400 and 400 others."""
    from sklearn.datasets import load_digits

    pixels = (load_digits().data > 7).astype("float32")
    return np.split(pixels[np.random.default_rng(0).permutation(len(pixels))][:800], 2)


def test_ties_are_told_of_features_of_few_values():
    """As torch-fidelity 0.4.0 and prdc 0.2 have them, whatever the features' unit and order."""
    real, fake = binary_digits()
    order = np.random.default_rng(1).permutation(64)
    for a, b in (
        (fake, real),
        (fake[:, order], real[:, order]),
        (fake / 3.0 + 7.1, real / 3.0 + 7.1),
    ):
        assert metrics.precision_recall(a, b) == {"precision": 0.96, "recall": 0.94}
        found = metrics.density_coverage(a, b)
        assert found == {"density": pytest.approx(0.767), "coverage": 0.955}


@pytest.mark.parametrize("levels", [2, 4, 256])
@pytest.mark.parametrize("ties", [True, False])
def test_neighbours_are_those_of_whole_numbers(levels, ties):
    rng = np.random.default_rng(levels)
    is_within = np.less_equal if ties else np.less
    for d in (1, 3, 20):
        fake, real = rng.integers(0, levels, (2, 40, d))
        apart = np.square(fake[:, None] - real).sum(axis=-1)
        of_fake, of_real = (
            np.sort(np.square(x[:, None] - x).sum(axis=-1), axis=1)[:, 3] for x in (fake, real)
        )
        is_among = is_within(apart, of_real)
        found = metrics.precision_recall(fake, real, k=3, ties=ties)
        found |= metrics.density_coverage(fake, real, k=3, ties=ties)
        assert found == {
            "precision": is_among.any(axis=1).mean(),
            "recall": is_within(apart, of_fake[:, None]).any(axis=0).mean(),
            "density": pytest.approx(is_among.sum(axis=1).mean() / 3),
            "coverage": is_among.any(axis=0).mean(),
        }


def test_the_nearest_of_large_numbers():
    rng = np.random.default_rng(3)
    fake, real = 1e4 + 1e-3 * rng.standard_normal((2, 60, 100))
    found, order = metrics.nearest(fake, real, k=3)
    direct = np.linalg.norm(fake[:, None] - real, axis=-1)
    assert (order == np.argsort(direct, axis=1)[:, :3]).all()
    np.testing.assert_allclose(found, np.sort(direct, axis=1)[:, :3], rtol=1e-9)


def test_what_is_learned_by_heart():
    real = RNG.standard_normal((20, 8))
    assert metrics.memorization_distance(-3.0 * real[:5], real) == pytest.approx(0.0, abs=1e-12)
    assert metrics.memorization_distance(np.eye(3)[:1], np.eye(3)[1:]) == 1.0
    black = np.zeros((1, 3))
    assert metrics.memorization_distance(black, np.eye(3)) == 1.0
    assert metrics.memorization_distance(black, np.concatenate([np.eye(3), black])) == 0.0
    distances, order = metrics.nearest(real[[4, 2]] + 1e-3, real, k=2)
    assert order[:, 0].tolist() == [4, 2]
    np.testing.assert_allclose(distances[:, 0], 1e-3 * np.sqrt(8), rtol=1e-6)
    by_hand = np.sort(np.linalg.norm(real[[4, 2], None] + 1e-3 - real, axis=-1), axis=1)[:, :2]
    np.testing.assert_allclose(distances, by_hand, rtol=1e-6)


def test_sliced_wasserstein_of_a_shift():
    """||shift||^2 / d on average over the directions."""
    x = RNG.standard_normal((100, 4))
    shift = np.array([1.0, -2.0, 0.0, 2.0])
    found = metrics.sliced_wasserstein(x + shift, x, projections=20_000)
    assert found == pytest.approx(9.0 / 4.0, rel=0.03)
    assert metrics.sliced_wasserstein(x, x) == 0.0
    # Some processors multiply rows in another order by other roundings; this is the square of one.
    assert metrics.sliced_wasserstein(x[::-1], x) == pytest.approx(0.0, abs=1e-30)


def test_sliced_wasserstein_of_unequal_numbers():
    """In one dimension all directions are the line: that of {0, 1} and {0, 0, 1} is 1 / 6."""
    found = metrics.sliced_wasserstein([[0.0], [1.0]], [[0.0], [0.0], [1.0]], projections=3)
    assert found == pytest.approx(1 / 6, rel=1e-12)
    x = RNG.standard_normal((10, 1))
    assert metrics.sliced_wasserstein(np.tile(x, (3, 1)), x) == pytest.approx(0.0, abs=1e-12)


def test_mode_counts():
    modes = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    points = np.array([[0.0, 0.02], [0.01, 0.0], [1.0, 0.0], [0.5, 0.5]])
    found = metrics.mode_counts(points, modes, 0.01)
    divergence = 2 / 3 * np.log(4 * 2 / 3) + 1 / 3 * np.log(4 / 3)
    assert found == {
        "modes": 2,
        "high_quality": 0.75,
        "reverse_kl": pytest.approx(divergence, rel=1e-12),
    }
    assert metrics.mode_counts(points + 9.0, modes, 0.01)["reverse_kl"] == np.inf


def worse(x, kind, by):
    rng = np.random.default_rng(3)
    if kind == "noise":
        return x + 3.0 * by * rng.standard_normal(x.shape)
    if kind == "blur":
        return x * (1 - by) + by * x.mean(axis=1, keepdims=True)
    return x[x[:, 0] < np.quantile(x[:, 0], 1 - by)]  # modes are missing


def mixture(*nums):
    """So many points of six modes, for each number, and the modes."""
    rng = np.random.default_rng(4)
    modes = 3.0 * rng.standard_normal((6, 5))
    return [modes[rng.integers(6, size=n)] + rng.standard_normal((n, 5)) for n in nums], modes


FIGURES = {
    "frechet": lambda fake, real: metrics.frechet_distance(fake, real),
    "kernel": lambda fake, real: metrics.kernel_distance(fake, real, subsets=3)[0],
    "sliced": lambda fake, real: metrics.sliced_wasserstein(fake, real, 200),
    "coverage": lambda fake, real: -metrics.density_coverage(fake, real)["coverage"],
}


@pytest.mark.parametrize("kind", ["noise", "blur", "drop"])
@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_grows_with_the_damage(name, kind):
    (fake, real), _ = mixture(800, 900)
    found = [FIGURES[name](worse(fake, kind, by), real) for by in (0.0, 0.3, 0.6, 0.9)]
    assert found == sorted(found) and found[-1] > found[0]


SHARES = {
    "precision": lambda fake, real: metrics.precision_recall(fake, real)["precision"],
    "recall": lambda fake, real: metrics.precision_recall(fake, real)["recall"],
    "density": lambda fake, real: metrics.density_coverage(fake, real)["density"],
    # By a classifier that knows the modes.
    "class score": lambda fake, real: metrics.inception_score(-distances_to_modes(fake))[0],
}


def distances_to_modes(x):
    return np.square(x[:, None] - mixture()[1]).sum(axis=-1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("precision", "noise"),
        ("density", "noise"),
        ("recall", "drop"),
        ("recall", "blur"),
        ("class score", "drop"),
        ("class score", "blur"),
    ],
)
def test_each_share_falls_with_the_damage(name, kind):
    (fake, real), _ = mixture(800, 900)
    found = [SHARES[name](worse(fake, kind, by), real) for by in (0.0, 0.3, 0.6, 0.9)]
    assert found == sorted(found, reverse=True) and found[-1] < found[0]


def test_memorization_distance_falls_as_samples_near_the_training_images():
    fake, real = np.random.default_rng(4).standard_normal((2, 200, 5))
    found = [metrics.memorization_distance(fake + by * (real - fake), real) for by in (0, 0.5, 1)]
    assert found == sorted(found, reverse=True)
    assert found[-1] == pytest.approx(0.0, abs=1e-9)


def test_two_halves_of_the_same_are_at_no_kernel_distance():
    x = np.random.default_rng(5).standard_normal((600, 12))
    halves = np.array(
        [
            metrics.polynomial_mmd(*np.split(x[np.random.default_rng(i).permutation(600)], 2))
            for i in range(20)
        ]
    )
    one = halves[0]
    assert abs(one) < 3 * halves.std(ddof=1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.frechet_distance(A[:1], B), "at least 2 images. Received: 1"),
        (
            lambda: metrics.frechet_distance(A, np.ones((4, 3))),
            "of one length. .* 2 and real with 3",
        ),
        (lambda: metrics.frechet_bias(np.ones((2, 3)), 5), r"covariance \(d, d\)"),
        (lambda: metrics.frechet_bias([[1, 0.5], [0.4, 1]], 5), "covariance that is symmetric"),
        (lambda: metrics.frechet_bias(-np.eye(2), 5), "eigenvalues below 0.*lowest is -1"),
        (lambda: metrics.frechet_distance(A * 1e155, B), r"within 1e\+40 of 0.*among them"),
        (lambda: metrics.kernel_distance(A, -B * 1e60), r"real within 1e\+40 of 0"),
        (lambda: metrics.nearest(A, B * 1e200), r"real within 1e\+40 of 0"),
        (lambda: metrics.memorization_distance(A * 1e200, B), r"fake within 1e\+40 of 0"),
        (lambda: metrics.kernel_distance(A[:1], B), "fake of at least 2"),
        (lambda: metrics.kernel_distance(A, B * np.nan), "real to be finite"),
        (lambda: metrics.precision_recall(A[:3], B, k=3), "fake of at least 4"),
        (lambda: metrics.precision_recall(A, B, k=0), "k as a whole number of at least 1"),
        (lambda: metrics.frechet_distance(A[None], B), r"features .* of shape \(1, 8, 2\)"),
        (lambda: metrics.kernel_distance(A, [["a"]]), "real as numbers"),
        (lambda: metrics.inception_score(A[:5], splits=3), "logits of at least 6"),
        (lambda: metrics.mode_counts(A, B[:, :1], 0.1), r"one length. .*\(8, 2\) and modes"),
        (lambda: metrics.mode_counts(A, B, 0.0), "std as a finite number above 0"),
        (lambda: metrics.kernel_distance(A[:, :0], B[:, :0]), r"numbers. .* of shape \(8, 0\)"),
        (lambda: metrics.nearest(A, B, k=12), "k as a whole number in 1..11"),
        (lambda: metrics.Moments(A).update(np.ones((2, 3))), "length 2, as those before"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
