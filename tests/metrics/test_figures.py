"""Figures of samples with what they are of, from one extraction."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import kgen
from kgen import metrics
from kgen.metrics.features import Classifier, Extracted, Pixels
from kgen.metrics.samples import real_images
from kgen.models.monitors import mode_of


def test_all_figures(digits, classifier):
    (train, labels), test = digits.train.take(), digits.test.take()[0]
    found = metrics.figures_of(train, test, classifier, [*metrics.FIGURES], other=train[:297])
    names = {"kid", "kid_std", "frechet_distance", "class_score", "class_score_std"}
    names |= {"precision", "recall", "density", "coverage"}
    names |= {"memorization_distance", "sliced_wasserstein"}
    assert found.values.keys() == found.floor.keys() == names
    # Training images are as good as can be, and of ten classes, where those of one are not.
    zeros = metrics.figures_of(train[labels == 0], test, classifier, ["kid"])
    assert abs(found.values["kid"]) < 0.05 * zeros.values["kid"]
    assert 6 < found.values["class_score"] <= 10
    assert found.values["precision"] > 0.8 and found.values["coverage"] > 0.8
    expected = {
        "features": "a classifier of digits",
        "accuracy": classifier.accuracy,
        "sha256": classifier.notes["sha256"],
        "resizing": "none",
        "num_fake": 1500,
        "num_real": 297,
        "num_floor": 297,
        "split": "as given",
    }
    covariance = np.cov(classifier.extract(test).features.T)
    bias = metrics.frechet_bias(covariance, 1500, 297)
    expected |= {"frechet_bias": pytest.approx(bias, rel=1e-4)}
    assert found.protocol == expected | {"kid_subset_size": 148, "class_score_splits": 10}
    assert metrics.figures_of(train, test, classifier, ["kid"]).floor == {}


def test_a_class_score_of_few_images_is_of_all_of_them(digits, classifier):
    fake, real = digits.train.take(10)[0], digits.test.take()[0]
    found = metrics.figures_of(fake, real, classifier, ["class_score"])
    logits = classifier.extract(fake).logits
    assert found.values["class_score"] == metrics.inception_score(logits, splits=1)[0] > 2
    assert found.protocol["class_score_splits"] == 1


@pytest.mark.parametrize("num", [64, 100, 200])
def test_the_bias_is_known_of_fewer_images_than_features_too(num):
    fake, real = np.random.default_rng(0).random((2, num, 8, 8, 1))
    found = metrics.figures_of(fake, real, Pixels(), ["frechet_distance", "frechet_distance"])
    bias = found.protocol["frechet_bias"]  # all that there is, of equal distributions
    assert bias == pytest.approx(found.values["frechet_distance"], rel=0.25)
    few = metrics.figures_of(fake, real[:3], Pixels(), ["frechet_distance"])
    assert "frechet_bias" not in few.protocol


def test_an_error_names_its_metric():
    few = np.random.default_rng(0).random((4, 4, 4, 1))
    with pytest.raises(ValueError, match="density_coverage: Expected fake of at least 6"):
        metrics.figures_of(few, few, Pixels(), ["kid", "density_coverage"])
    with pytest.raises(ValueError, match="features as kgen.metrics.features has them"):
        metrics.figures_of(few, few, None, ["kid"])


def test_batches_have_the_floor_of_their_halves():
    real, fake = np.random.default_rng(0).random((2, 40, 4, 4, 1))
    found = metrics.SampleMetrics(Pixels(), ["frechet_distance"])
    for rows in (slice(0, 25), slice(25, 40)):
        found.update(real[rows], real=True)
        found.update(fake[rows], real=False)
    figures = found.compute()
    order = np.random.default_rng(0).permutation(40)
    one, other = real[order[:20]], real[order[20:]]
    assert figures.values == metrics.figures_of(fake, real, Pixels(), ["frechet_distance"]).values
    assert figures.floor == metrics.figures_of(one, other, Pixels(), ["frechet_distance"]).values
    assert figures.protocol["num_floor"] == 20
    with pytest.raises(ValueError, match=r"one size.* of \(2, 8, 1\) and of \(4, 4, 1\)"):
        found.update(real[:3].reshape(3, 2, 8, 1), real=False)
    assert found.compute() == figures
    found.reset(real=True)
    found.update(real.reshape(40, 2, 8, 1), real=True)


def test_images_of_another_size_are_no_pixels_of_these():
    real, fake = np.random.default_rng(0).random((2, 40, 4, 4, 1))
    for given in ((fake.reshape(40, 2, 8, 1), real), (fake, real.reshape(40, 2, 8, 1))):
        with pytest.raises(ValueError, match="Expected images of one size, to compare"):
            metrics.figures_of(*given, Pixels(), ["kid"])


@pytest.mark.parametrize(
    ("num", "classes", "splits"), [(50_000, 1008, 10), (10_000, 1008, 2), (999, 10, 9), (9, 10, 1)]
)
def test_a_class_score_of_the_papers_number_is_of_ten_parts(num, classes, splits):
    from kgen.metrics.samples import _splits

    logits = np.broadcast_to(np.float32(0.0), (num, classes))
    assert _splits(Extracted(logits, logits)) == splits


DAMAGES = {
    "blur": (lambda x, by: gaussian_filter(x, (0, by, by, 0)), (0, 0.5, 0.8, 1.2)),
    "noise": (
        lambda x, by: x + by * np.random.default_rng(0).standard_normal(x.shape),
        (0, 30, 60),
    ),
    "drop": (lambda x, by: x[: int(len(x) * by)], (1, 0.7, 0.4, 0.1)),  # of classes in their order
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_to_images_is_seen(digits, classifier, kind):
    (images, labels), real = digits.train.take(600), digits.test.take()[0]
    images = images[np.argsort(labels, kind="stable")].astype("float32")
    damage, sizes = DAMAGES[kind]
    fakes = [damage(images, by).clip(0, 255).astype("uint8") for by in sizes]
    distances = ["kid", "frechet_distance", "sliced_wasserstein"]
    for features in (classifier, Pixels()):
        found = [
            metrics.figures_of(fake, real, features, [*distances, "density_coverage"]).values
            for fake in fakes
        ]
        for name in distances:
            values = [each[name] for each in found]
            assert values == sorted(set(values)), (features.name, name)
        values = [each["coverage"] for each in found]
        assert max(np.diff(values)) < 0.01 and values[-1] < 0.9 * values[0]  # 0.003 is an image


def test_logits_are_held_where_a_metric_takes_them(digits, classifier):
    for names, has_logits in ((["kid"], False), (["class_score"], True)):
        evaluation = metrics.Evaluation(digits, [*names, "memorization_distance"], classifier, 20)
        held = [evaluation._real, evaluation._other, evaluation._learned]
        held.append(evaluation._of_samples(kgen.VAE(digits.image_shape)))
        assert {each.logits is not None for each in held} == {has_logits}


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_seeds_are_looked_at_first(digits, seed):
    x = np.random.default_rng(0).random((20, 3))
    for call in (
        lambda: metrics.Evaluation(digits, ["kid"], Pixels(), 20, seed=seed),
        lambda: kgen.callbacks.Evaluate(digits, ["kid"], 20, features=Pixels(), seed=seed),
        lambda: metrics.SampleMetrics(Pixels(), seed=seed),
        lambda: metrics.kernel_distance(x, x, seed=seed),
        lambda: metrics.inception_score(x, seed=seed),
        lambda: metrics.sliced_wasserstein(x, x, seed=seed),
        lambda: metrics.factor_vae_score(None, None, None, seed=seed),
        lambda: metrics.dci(x, x, x, x, seed=seed),
        lambda: metrics.figures_of(None, None, Pixels(), ["frechet_distance"], seed=seed),
        lambda: Classifier.train(digits, seed=seed),
    ):
        with pytest.raises(ValueError, match="Expected seed as a whole number of at least 0"):
            call()


def test_noise_is_worse_and_the_floor_is_of_the_real(digits, classifier):
    test = digits.test.take()[0]
    noise = np.random.default_rng(0).integers(0, 256, test.shape, dtype="uint8")
    for features in (classifier, Pixels()):
        good, bad = (
            metrics.figures_of(fake, test, features, other=digits.train.take(297)[0])
            for fake in (digits.train.take(297)[0], noise)
        )
        assert good.floor == bad.floor == good.values
        for name in ("kid", "frechet_distance"):
            assert bad.values[name] > 3 * max(good.values[name], good.floor[name])
        assert bad.values["coverage"] < 0.5 * good.values["coverage"]


def test_what_is_extracted_once_may_be_given(digits):
    a, b = digits.train.take(50)[0], digits.test.take(60)[0]
    whole = metrics.figures_of(a, b, Pixels())
    given = metrics.figures_of(Pixels().extract(a), Pixels().extract(b), Pixels())
    assert whole == given


def test_images_that_come_in_batches(digits):
    a, b = digits.train.take(50)[0], digits.test.take(60)[0]
    found = metrics.SampleMetrics(Pixels(), ["kid", "precision_recall"], seed=3)
    with pytest.raises(ValueError, match=r"Expected real images: update\(images, real=True\)"):
        found.compute()
    for part in np.array_split(b, 4):
        found.update(part, real=True)
    for _ in range(2):  # the real ones stay
        for part in np.array_split(a, 3):
            found.update(part, real=False)
        whole = metrics.figures_of(a, b, Pixels(), ["kid", "precision_recall"], seed=3)
        assert found.compute().values == whole.values
        found.reset()
    with pytest.raises(ValueError, match="Expected samples"):
        found.compute()
    found.reset(real=True)
    with pytest.raises(ValueError, match="Expected real images"):
        found.compute()
    with pytest.raises(ValueError, match="real"):
        found.update(a, real="yes")


def test_every_figure_has_its_direction():
    lower = {"kid", "frechet_distance", "sliced_wasserstein"}
    higher = {"class_score", "precision", "recall", "coverage", "memorization_distance"}
    assert {mode_of(name) for name in lower} == {"min"}
    assert {mode_of(name) for name in higher} == {"max"}
    assert mode_of("density") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["fid"], "among kid, frechet_distance.*Received: fid"),
        ([], r"metrics of samples, among kid.*Received: \[\]"),
        (["log_likelihood"], "metrics of samples"),
        ("class_score", "features of a classifier for class_score.*Received: pixels"),
    ],
)
def test_metrics_that_there_are_not(given, message):
    images = np.zeros((4, 2, 2, 1))
    with pytest.raises(ValueError, match=message):
        metrics.figures_of(images, images, Pixels(), given)


def test_real_images(digits):
    images, labels = real_images(digits, "test", 100)
    assert len(images) == len(labels) == 100 and len(set(labels)) == 10
    assert len(real_images(digits, "train")[0]) == 1500
    with pytest.raises(ValueError, match="'test' or 'train'"):
        real_images(digits, "validation")
