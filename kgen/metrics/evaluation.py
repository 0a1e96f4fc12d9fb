"""How good models of one data set are: what is compared with is taken once."""

import inspect
import os

import numpy as np

from kgen.checks import whole_number
from kgen.fields import Label
from kgen.metrics.features import Classifier, EfficientNetLite0, Pixels
from kgen.metrics.features.cache import extract_once
from kgen.metrics.features.extractor import joined
from kgen.metrics.samples import (
    DEFAULT,
    LIKELIHOOD,
    MEMORIZATION,
    SampleFigures,
    check_metrics,
    check_names,
    check_numbers,
    check_split,
    figures_of,
    names_of,
    real_images,
)
from kgen.seeds import seeds_of
from kgen.warn import warn


class Evaluation:
    """Figures of a model's samples beside a data set's images, and of its likelihood of these.

    A conditional model's samples are conditioned on what comes with the real images.

    Args:
        data: `kgen.data.Dataset`.
        metrics: sequence of names in `kgen.metrics.FIGURES`, and "log_likelihood" of a model that
            has one, in nats an image, with its standard error over the real images. Defaults to
            four that need few images. The "memorization_distance" is to all training images,
            whatever the split.
        features: `kgen.metrics.features.Features`, or None for `default_features(data)`.
        num: int. Samples; and real images, of which there may be fewer. Defaults to 10,000.
        split: "test" or "train". Which real images; the floor is of the other split's.
        seed: int. The samples' and the subsets'.

    Example:
    >>> digits = kgen.data.load("digits")
    >>> evaluation = kgen.metrics.Evaluation(
    ...     digits, ["kid"], kgen.metrics.features.Pixels(), num=100
    ... )
    >>> sorted(evaluation(kgen.VAE(digits.image_shape)).values)
    ['kid', 'kid_std']
    """

    def __init__(self, data, metrics=DEFAULT, features=None, num=10_000, split="test", seed=0):
        if not (hasattr(data, "train") and hasattr(data, "test")):
            raise ValueError(
                "Expected data as kgen.data.load or kgen.data.from_arrays gives them. Received: "
                f"{data!r:.80}"
            )
        names = check_names(metrics)
        check_split(split)
        self.num = whole_number("num", num, at_least=2)
        self.split, self.seed = split, whole_number("seed", seed, at_least=0)
        self._has_likelihood = LIKELIHOOD in names
        self._has_memory = MEMORIZATION in names
        self.metrics = [each for each in names if each not in (LIKELIHOOD, MEMORIZATION)]
        self.names = names_of(names)
        self._images, self._conditions = real_images(data, split, self.num)
        check_numbers(self.metrics, self.num, len(self._images))
        self.features = self._real = self._other = self._learned = None
        self._floors = {}
        if names == [LIKELIHOOD] and features is not None:
            raise ValueError(
                f"Expected no features beside {LIKELIHOOD} alone, which is none of samples. "
                f"Received: {features=!r:.80}"
            )
        if self.metrics or self._has_memory or not names:
            self.features = features or default_features(data)
            check_metrics([each for each in names if each != LIKELIHOOD], self.features)
            self._real = self._needed(extract_once(self.features, lambda: [self._images]))
            others, _ = real_images(data, "train" if split == "test" else "test", self.num)
            self._other = self._needed(extract_once(self.features, lambda: [others]))
        if self._has_memory:
            learned = extract_once(
                self.features, lambda: (batch[0] for batch in data.train.in_order())
            )
            self._learned = self._needed(learned)

    def check(self, model):
        """Raises a ValueError if these figures cannot be computed of a model."""
        check_verbs(self.names, model)
        if tuple(model.image_shape) != self._images.shape[1:]:
            raise ValueError(
                f"Expected a model of the data's images, {self._images.shape[1:]}. Received: one "
                f"of {tuple(model.image_shape)}"
            )
        if model.condition is not None:
            if self._conditions is None:
                raise ValueError(
                    "Expected data with what the model is conditioned on, "
                    f"{model.condition!r:.80}. Received: images alone"
                )
            model.conditions(self._conditions[:2], len(self._conditions[:2]))

    def __call__(self, model):
        """The figures of a model.

        Returns:
            `SampleFigures`.

        Raises:
            ValueError: the model has not what they need, or its samples are no images.
        """
        self.check(model)
        found = SampleFigures({}, {}, {})
        fake = None if self.features is None else self._of_samples(model)
        if self.metrics:
            found = self._compared(fake, self._real, self.metrics, self.split, self._other)
        if self._has_memory:
            test = self._real if self.split == "test" else self._other
            memory = self._compared(fake, self._learned, [MEMORIZATION], "train", test)
            own = ("split", "num_real", "num_floor")  # which are of other figures
            shared = {name: what for name, what in memory.protocol.items() if name not in own}
            num = {"num_train": len(self._learned.features), "num_test": len(test.features)}
            found = SampleFigures(
                found.values | memory.values,
                found.floor | memory.floor,
                shared | found.protocol | num,
            )
        if self._has_likelihood:
            y = None if model.condition is None else self._conditions
            nats = model.log_likelihood(self._images, y, seed=self.seed)
            found.values.update(mean_likelihood(LIKELIHOOD, nats))
            found.protocol.setdefault("split", self.split)
            found.protocol.setdefault("num_real", len(self._images))
            draws = inspect.signature(model.log_likelihood).parameters.get("num_samples")
            if draws is not None:
                found.protocol["log_likelihood_of"] = f"a bound of {draws.default} draws"
        return found

    def _compared(self, fake, real, metrics, split, other):
        """Figures whose floor, of `other`, is computed once."""
        key = tuple(metrics)
        known = self._floors.get(key)
        found = figures_of(
            fake, real, self.features, metrics, split, self.seed, None if known else other
        )
        if known is None:
            known = self._floors[key] = found.floor, {"num_floor": found.protocol["num_floor"]}
        return SampleFigures(found.values, known[0], found.protocol | known[1])

    def _of_samples(self, model):
        """What the features say of samples, of which no more than a thousand are held."""
        return joined(self._of_parts(model), self.num)

    def _of_parts(self, model):
        seeds = seeds_of(self.seed, self.num)
        for start in range(0, self.num, 1000):
            rows = np.arange(start, min(start + 1000, self.num))
            y = None if model.condition is None else self._conditions[rows % len(self._conditions)]
            images = model.sample(len(rows), y, seed=seeds[rows])
            yield self._needed(self.features.extract(images))

    def _needed(self, extracted):
        """What features say, without the logits, as many numbers again, if no metric takes them."""
        return extracted if "class_score" in self.metrics else extracted._replace(logits=None)


def mean_likelihood(name, nats):
    """A likelihood's mean over images as a figure of this name, and its standard error, 0 of one.

    Raises:
        ValueError: one of them is no number.
    """
    is_finite = np.isfinite(nats)
    if not is_finite.all():
        raise ValueError(
            f"Expected finite likelihoods. Received: NaN or infinity of {np.sum(~is_finite)} of "
            f"{len(nats)} images"
        )
    error = np.std(nats, ddof=1) / len(nats) ** 0.5 if len(nats) > 1 else 0.0
    return {name: float(np.mean(nats)), f"{name}_standard_error": float(error)}


def check_verbs(names, model):
    """Raises a ValueError if a model has not what figures of these names need."""
    wanted = {LIKELIHOOD if name.startswith(LIKELIHOOD) else "sample" for name in names}
    for verb in sorted(wanted):
        if not hasattr(model, verb):
            raise ValueError(
                f"Expected a model that can {verb}, for the metrics asked for. Received: "
                f"{type(model).__name__}"
            )
    if LIKELIHOOD in wanted and not getattr(model, "has_likelihood", True):
        raise ValueError(
            "Expected a model whose prior has a density above 0 everywhere, for a likelihood. "
            f"Received: {type(model).__name__} with a prior {type(model.prior).__name__}"
        )


def default_features(data, path=None):
    """The features that tell most of a data set without a download.

    Of data with labels a `Classifier` of them; of others EfficientNet-Lite0, or where its weights
    are not installed the pixels, with a warning.

    Args:
        data: `kgen.data.Dataset`.
        path: str or None. Where the classifier is kept: read if it is there and of these data, else
            trained and written.
    """
    if isinstance(data.condition, Label) and data.num_classes > 1:
        kept = _kept(path, data)
        if kept is not None:
            return kept
        print(f"Training a classifier of {data.name}, by which samples are judged", flush=True)
        classifier = Classifier.train(data)
        if path is not None:
            try:
                classifier.save(path)
            except OSError as error:
                warn(f"The classifier is not kept, and is trained again another time: {error}")
        return classifier
    try:
        return EfficientNetLite0()
    except ImportError as error:
        warn(f"Samples are compared by their pixels, which tell little: {error}")
        return Pixels()


def _kept(path, data):
    if path is None or not os.path.exists(path):
        return None
    try:
        kept = Classifier.load(path)
    except ValueError as error:
        warn(f"Another classifier takes the place of one that is damaged: {error}")
        return None
    return kept if kept.is_of(data) else None
