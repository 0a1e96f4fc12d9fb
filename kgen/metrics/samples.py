"""How good samples are: figures of their features beside those of real images."""

import contextlib
import dataclasses

import numpy as np

from kgen.checks import whole_number
from kgen.metrics.classes import inception_score
from kgen.metrics.features.extractor import Extracted, Features
from kgen.metrics.frechet import Moments, frechet_bias, frechet_distance
from kgen.metrics.kernel import kernel_distance
from kgen.metrics.neighbours import density_coverage, memorization_distance, precision_recall
from kgen.metrics.real import evenly
from kgen.metrics.sliced import sliced_wasserstein

MEMORIZATION = "memorization_distance"


def _subset_size(fake, real):
    """Of half of them at most, so that the subsets differ."""
    return min(1000, max(2, min(len(fake.features), len(real.features)) // 2))


def _kid(fake, real, seed):
    size = _subset_size(fake, real)
    mean, std = kernel_distance(fake.features, real.features, subset_size=size, seed=seed)
    return {"kid": mean, "kid_std": std}


def _frechet_bias(real, num_fake):
    """By the real images' covariance, or of few images, whose is too small, by their halves.

    The distance of these, which without bias were 0, goes with the sum of both sides' 1 / num.
    """
    num, d = real.shape
    if num >= 2 * d:
        return frechet_bias(Moments(real).covariance, num_fake, num)
    halves = real[::2], real[1::2]
    of_one = frechet_distance(*halves) / sum(1.0 / len(half) for half in halves)
    return of_one * (1.0 / num_fake + 1.0 / num)


def _splits(fake):
    """Ten, or as many as have ten images of each class, or 5,000 images if that is fewer."""
    num, classes = fake.logits.shape
    return min(10, max(1, num // min(10 * classes, 5000)))


def _class_score(fake, real, seed):
    mean, std = inception_score(fake.logits, splits=_splits(fake), seed=seed)
    return {"class_score": mean, "class_score_std": std}


FIGURES = {
    "kid": _kid,
    "frechet_distance": lambda fake, real, seed: {
        "frechet_distance": frechet_distance(fake.features, real.features)
    },
    "class_score": _class_score,
    "precision_recall": lambda fake, real, seed: precision_recall(fake.features, real.features),
    "density_coverage": lambda fake, real, seed: density_coverage(fake.features, real.features),
    MEMORIZATION: lambda fake, real, seed: {
        MEMORIZATION: memorization_distance(fake.features, real.features)
    },
    "sliced_wasserstein": lambda fake, real, seed: {
        "sliced_wasserstein": sliced_wasserstein(fake.features, real.features, seed=seed)
    },
}
"""What is known of samples, by name: each a function of what features say of fakes and of real
images, and of a seed."""

DEFAULT = ("kid", "frechet_distance", "precision_recall", "density_coverage")


@dataclasses.dataclass(frozen=True)
class SampleFigures:
    """Figures, and what they are of: without that they say nothing.

    Attributes:
        values: dict of float by name. A kernel distance's `kid_std` is the deviation over subsets.
        floor: dict of the same names, of other real images in the place of the samples: what a
            model that draws as the data are would have. Empty where there are no others.
        protocol: dict: `features`, what they say of themselves (an accuracy, a hash), `resizing`,
            `num_fake`, `num_real`, `num_floor`, `split`, or of a memorization distance `num_train`
            and `num_test`; with a Frechet distance `frechet_bias`, about what it is too high by, or
            of fewer images than features at least; with a kernel distance `kid_subset_size`, with a
            class score `class_score_splits`, of one of which the deviation 0 says nothing. Other
            arguments are the defaults of each metric's function.
    """

    values: dict
    floor: dict
    protocol: dict


def figures_of(fake, real, features, metrics=DEFAULT, split="as given", seed=0, other=None):
    """Figures of generated images beside real ones.

    Args:
        fake: array (num, height, width, channels), floats in [0, 1] or integers in 0..255; or what
            `features.extract` gave of it.
        real: the same of real images, of any number; for "memorization_distance" those that the
            model was trained on.
        features: `kgen.metrics.features.Features`.
        metrics: sequence of names in `kgen.metrics.FIGURES`. Defaults to four that need few images.
        split: str. Which real images they are, for the record.
        seed: int. Draws subsets and directions.
        other: the same of other real images, best as many as samples, for the floor; or None.

    Returns:
        `SampleFigures`.

    Raises:
        ValueError: a metric that is not known, or that these images or features do not allow.

    Example:
    >>> rng = np.random.default_rng(0)
    >>> real, fake = rng.random((2, 40, 4, 4, 1))
    >>> features = kgen.metrics.features.Pixels()
    >>> found = kgen.metrics.figures_of(fake, real, features, metrics=["kid"])
    >>> sorted(found.values), found.protocol["num_fake"], abs(found.values["kid"]) < 0.1
    (['kid', 'kid_std'], 40, True)
    """
    metrics, seed = check_metrics(metrics, features), whole_number("seed", seed, at_least=0)
    images = [each for each in (fake, real, other) if not isinstance(each, Extracted | None)]
    features.check_alike(*map(np.shape, images))
    fake, real, other = (
        each if each is None or isinstance(each, Extracted) else features.extract(each)
        for each in (fake, real, other)
    )
    values, floor = {}, {}
    for metric in metrics:
        try:
            values |= FIGURES[metric](fake, real, seed)
        except ValueError as error:
            raise ValueError(f"{metric}: {error}") from error
        if other is not None:
            with contextlib.suppress(ValueError):  # of too few others
                floor |= FIGURES[metric](other, real, seed)
    num_fake, num_real = len(fake.features), len(real.features)
    protocol = {
        "features": features.name,
        **features.notes,
        "resizing": features.resizing,
        "num_fake": num_fake,
        "num_real": num_real,
        "num_floor": 0 if other is None else len(other.features),
        "split": split,
    }
    if "frechet_distance" in metrics and num_real >= 4:
        protocol["frechet_bias"] = _frechet_bias(real.features, num_fake)
    if "kid" in metrics:
        protocol["kid_subset_size"] = _subset_size(fake, real)
    if "class_score" in metrics:
        protocol["class_score_splits"] = _splits(fake)
    return SampleFigures(values, floor, protocol)


LIKELIHOOD = "log_likelihood"
"""Of a model's likelihood of real images, not of its samples."""

LEAST = {"precision_recall": 4, "density_coverage": 6}
"""Images of either kind without which a metric is not defined, where that is more than two."""


def check_names(metrics):
    """The names of metrics as a list.

    Raises:
        ValueError: one is neither in `FIGURES` nor "log_likelihood".
    """
    metrics = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    unknown = [each for each in metrics if each not in (*FIGURES, LIKELIHOOD)]
    if unknown:
        raise ValueError(
            f"Expected metrics among {', '.join((*FIGURES, LIKELIHOOD))}. Received: "
            f"{', '.join(map(str, unknown))}"
        )
    return metrics


def check_metrics(metrics, features):
    """The names of metrics of samples as a list, each known and possible with these features.

    Raises:
        ValueError: one is not, or there is none.
    """
    metrics = check_names(metrics)
    if not metrics or LIKELIHOOD in metrics:
        raise ValueError(
            f"Expected metrics of samples, among {', '.join(FIGURES)}. Received: {metrics}"
        )
    if not isinstance(features, Features):
        raise ValueError(
            f"Expected features as kgen.metrics.features has them. Received: {features!r:.80}"
        )
    if "class_score" in metrics and not features.has_classes:
        raise ValueError(
            "Expected features of a classifier for class_score, such as "
            f"kgen.metrics.features.Classifier. Received: {features.name}"
        )
    return metrics


NAMES = {
    "kid": ("kid", "kid_std"),
    LIKELIHOOD: (LIKELIHOOD, "log_likelihood_standard_error"),
    "class_score": ("class_score", "class_score_std"),
    "precision_recall": ("precision", "recall"),
    "density_coverage": ("coverage", "density"),
}
"""The figures of the metrics that are not one of their own name."""


def check_numbers(metrics, num_fake, num_real):
    """Raises a ValueError if one of these metrics needs more images."""
    for metric in metrics:
        least = LEAST.get(metric, 2)
        if min(num_fake, num_real) < least:
            raise ValueError(
                f"Expected at least {least} samples and real images, without which {metric} is not "
                f"defined. Received: {num_fake} samples and {num_real} real images"
            )


def names_of(metrics):
    """The names of the figures that metrics give."""
    return [name for metric in metrics for name in NAMES.get(metric, (metric,))]


def check_split(split):
    """Raises a ValueError unless it is one of a data set's two."""
    if split not in ("test", "train"):
        raise ValueError(f"Expected split of 'test' or 'train'. Received: {split=}")


def real_images(data, split="test", num=10_000):
    """The real images that samples are compared with, and the conditions of as many samples.

    Args:
        data: `kgen.data.Dataset`.
        split: "test" or "train".
        num: int. At most so many, from all parts of the split.

    Returns:
        Images, and what comes with them or None.
    """
    check_split(split)
    images, *rest = evenly(getattr(data, split), whole_number("num", num, at_least=2))
    return images, rest[0] if rest else None
