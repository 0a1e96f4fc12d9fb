"""How good a run is: figures of its samples beside its data, each with what it is of."""

import os

from kgen.checks import whole_number
from kgen.metrics.evaluation import Evaluation, default_features
from kgen.metrics.features import (
    Classifier,
    EfficientNetLite0,
    FIDInception,
    KerasInception,
    Pixels,
)
from kgen.metrics.samples import LIKELIHOOD, check_names, check_split
from kgen.runs import named
from kgen.runs.best import FOLDER

_NAMED = {"efficientnet_lite0": EfficientNetLite0, "pixels": Pixels}
_FILES = {".npz": Classifier.load, ".pth": FIDInception, ".h5": KerasInception}
_FILE = "classifier.npz"


def features_of(data, name=None, path=None):
    """The features by which samples are judged.

    Args:
        data: `kgen.data.Dataset`.
        name: str or None. "classifier", "efficientnet_lite0", "pixels"; or a file: an .npz, of a
            classifier that another run keeps, a .pth, of FID's Inception, or an .h5, of Keras'
            InceptionV3. None is the best for the data.
        path: str or None. Where a classifier is kept.

    Returns:
        `kgen.metrics.features.Features`.
    """
    if name in _NAMED:
        return _NAMED[name]()
    if name in (None, "classifier"):
        features = default_features(data, path)
        if name == "classifier" and not isinstance(features, Classifier):
            return Classifier.train(data)  # says why there is none
        return features
    kind = os.path.splitext(name)[1].lower()
    if kind in _FILES and os.path.isfile(name):
        return _FILES[kind](name)
    raise ValueError(
        f"Expected features of classifier, {', '.join(_NAMED)}, or an existing file: a "
        "classifier's .npz, the .pth of FID's Inception or the .h5 of Keras' InceptionV3. "
        f"Received: features={name!r}"
    )


def classifier_file(run):
    """Where the classifier is kept by which a run's samples are judged.

    Args:
        run: str. A run folder, whose best model has the same; or a trained model's name, of which
            it is in the current folder.
    """
    folder, name = os.path.split(os.path.abspath(run))
    is_best = name == FOLDER and os.path.exists(os.path.join(folder, "config.json"))
    return named.written(folder if is_best else run, _FILE)


def evaluation_of(run, data, metrics, num=10_000, features=None, split="test", seed=0):
    """What computes the figures of a run's samples.

    Args:
        run: str. The run folder, or a trained model's name.
        data: `kgen.data.Dataset`, the run's.
        metrics: sequence of names.
        num: int.
        features: str or None, as `features_of` takes it.
        split: str.
        seed: int.

    Returns:
        `kgen.metrics.Evaluation`.
    """
    check_split(split)
    num = whole_number("num", num, at_least=2)
    of_samples = [each for each in check_names(metrics) if each != LIKELIHOOD]
    chosen = features_of(data, features, classifier_file(run)) if of_samples else features
    return Evaluation(data, metrics, chosen, num, split, seed)


def table(figures):
    """Figures as lines of text: values with their floor, and what they are of."""
    lines = [f"{'':>22}  {'samples':>12}  {'real images':>12}"]
    for name, value in figures.values.items():
        floor = figures.floor.get(name)
        beside = "" if floor is None else f"{floor:12.6g}"
        lines.append(f"{name:>22}  {value:12.6g}  {beside}")
    said = {k: v for k, v in figures.protocol.items() if k != "sha256"}
    lines.append("of " + ", ".join(f"{k} {_short(v)}" for k, v in said.items()))
    return "\n".join(line.rstrip() for line in lines)


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else value
