"""Runs side by side: figures of their samples under the same conditions, and their pictures."""

import os
from typing import NamedTuple

import numpy as np

from kgen import pictures
from kgen.metrics.samples import DEFAULT
from kgen.models.monitors import mode_of
from kgen.runs.best import FOLDER
from kgen.runs.many import conditions
from kgen.runs.quality import evaluation_of
from kgen.runs.run import load
from kgen.warn import warn
from kgen.whole_file import check_can_write, replacing


class _Row(NamedTuple):
    runs: list
    steps: int
    figures: list  # of each run a dict
    images: list


_PICTURES = 10  # of each run
_SPREADS = {"_std": "subsets ±", "_standard_error": "standard error"}  # by the ends of their names
# What is known of the same data, wherever they lie.
_DATA = ("name", "train_images", "test_images", "classes", "files")


def compare(
    *runs: str,
    metrics: tuple = DEFAULT,
    num: int = 10_000,
    features: str | None = None,
    split: str = "test",
    seed: int = 0,
    out: str = "comparison.md",
) -> str:
    """Writes runs of one data set side by side: a table of figures of their samples, and pictures.

    Runs whose settings differ in the seed alone are one row, with the mean and the standard
    deviation over them. All are compared by the same features with the same real images; the best
    by the first metric comes first. A run that has no figures, as its samples are no images, is no
    row: a warning and the text say why, and the others have theirs.

    Args:
        *runs: str. Run folders, or trained models' names.
        metrics: sequence of figures of samples, as `kgen evaluate` takes them.
        num: int. Samples of each run, and as many real images, where there are so many.
        features: str. What they are compared by, as `kgen evaluate` takes it; a classifier is that
            of the first run.
        split: str. The real images: "test" or "train".
        seed: int. The samples'.
        out: str. The table, in Markdown; the pictures lie beside it, as .png.

    Returns:
        The path of the table.

    Raises:
        ValueError: the runs are of different data, or of none there are figures.
    """
    if not runs:
        raise ValueError("Expected at least one run. Received: none")
    picture = os.path.splitext(out)[0] + ".png"
    if out == picture:
        raise ValueError(f"Expected out as a text file, such as comparison.md. Received: {out!r}")
    check_can_write(out)
    pictures.check_path(picture)
    read = [load(run) for run in runs]
    _check_same_data(runs, read)
    data = read[0].data()
    evaluation = evaluation_of(runs[0], data, metrics, num, features, split, seed)
    for run in read:
        evaluation.check(run.model)
    rows, found, failed = _measured(_groups(runs, read), evaluation, seed)
    rows = _best_first(rows, evaluation.names)
    text = _markdown(rows, found, failed, os.path.basename(picture))
    images = [each for row in rows for each in row.images]
    pictures.grid(np.concatenate(images), columns=_PICTURES, path=picture)
    with replacing(out) as temporary, open(temporary, "w") as file:
        file.write(text)
    print(f"{text}\nWrote {out}\n      {picture}")
    return out


def _measured(groups, evaluation, seed):
    """The rows, the last of their `SampleFigures`, and sentences of the runs that have none.

    Each run's figures are printed as they come, as those of many take long.
    """
    rows, last, failed, cause = [], None, [], None
    for names, group in groups:
        row = _Row([], group[0].steps, [], [])
        for name, run in zip(names, group, strict=True):
            try:
                found, images = evaluation(run.model), _images(run.model, seed)
            except Exception as error:  # as of too little memory, and the others took long
                kind = "" if isinstance(error, ValueError) else f"{type(error).__name__} "
                failed.append(f"No figures of {name}: {kind}{error}.")
                warn(failed[-1])
                cause = error
                continue
            last = found
            said = (f"{key} {value:.4g}" for key, value in found.values.items())
            print(f"{name}: {', '.join(said)}", flush=True)
            row.runs.append(name)
            row.figures.append(found.values)
            row.images.append(images)
        if row.runs:
            rows.append(row)
    if not rows:
        raise ValueError(
            f"Expected runs that have figures. Received: {' '.join(failed)}"
        ) from cause
    return rows, last, failed


def _check_same_data(names, runs):
    first, *others = (_source(run) for run in runs)
    for name, source in zip(names[1:], others, strict=True):
        if source != first:
            raise ValueError(
                f"Expected runs of one data set, as {names[0]} of {first}. Received: {name} of "
                f"{source}"
            )


def _source(run):
    """What a run's data are, wherever they lie."""
    data, known = run.config["data"], run.config["data_set"]
    return {"image_size": data.get("image_size")} | {key: known.get(key) for key in _DATA}


def _groups(names, runs):
    """Runs that differ in their seeds alone, together, in the order of the first of each."""
    found = {}
    for name, run in zip(names, runs, strict=True):
        settings, seed, number = _settings(run), run.config["seed"], 0
        while seed in [other.config["seed"] for _, other in found.get((settings, number), ())]:
            number += 1  # the same seed again is no other
        found.setdefault((settings, number), []).append((name, run))
    return [tuple(map(list, zip(*group, strict=True))) for group in found.values()]


def _settings(run):
    """What makes a run another than by chance, as something that can be compared."""
    data = {key: value for key, value in run.config["data"].items() if key != "seed"}
    chance = ("seed", "data_set", "versions", "backend", "deterministic", "evaluate")
    kept = {key: value for key, value in run.config.items() if key not in chance}
    kept |= {"data": sorted(data.items()), "steps": run.steps}
    return repr(sorted(kept.items()))


def _best_first(rows, names):
    """By the first figure that is better higher or lower; what is none comes last."""
    name = next(filter(mode_of, names), names[0])
    sign = 1.0 if mode_of(name) == "min" else -1.0
    means = [sign * np.mean([each[name] for each in row.figures]) for row in rows]
    return [rows[i] for i in np.argsort(means, kind="stable")]


def _images(model, seed):
    """Samples in a row, of all classes in turn where the model is of classes.

    Raises:
        ValueError: they are no images.
    """
    labels = None if model.num_classes is None else np.arange(model.num_classes)
    if model.condition is not None and labels is None:
        labels = [model.condition.example()[0]]
    samples = model.sample(_PICTURES, conditions(model, labels, _PICTURES), seed=seed)
    return model.image.check(samples)


def _markdown(rows, found, failed, picture):
    """The table, what it is of, and the pictures."""
    names = [name for name in found.values if not name.endswith(tuple(_SPREADS))]
    lines = ["| | steps | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row in rows:
        cells = [_label(row, rows), f"{row.steps:,}", *(_cell(name, row.figures) for name in names)]
        lines.append(f"| {' | '.join(cells)} |")
    floor = (f"{found.floor[name]:.4g}" if name in found.floor else "" for name in names)
    lines.append("| real images in the samples' place | | " + " | ".join(floor) + " |")
    said = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in found.protocol.items()
    )
    order = "; ".join(_short([run]) for row in rows for run in row.runs)
    return (
        "\n".join(lines)
        + f"\n\nOf {said}. Of several seeds the mean and the standard deviation.\n\n"
        + "".join(f"{sentence}\n\n" for sentence in failed)
        + f"![Samples, a row a run: {order}]({picture})\n"
    )


def _label(row, rows):
    """The last of a path's names, or all of them where that is another row's too."""
    label = _short(row.runs)
    named = {other.runs[0] for other in rows if _short(other.runs) == label}
    return label if len(named) == 1 else label.replace(_short(row.runs[:1]), row.runs[0], 1)


def _short(runs):
    """The last of the first path's names, and of a run's best model the run's too."""
    parts = os.path.normpath(runs[0]).split(os.sep)
    first = "/".join(parts[-2:] if parts[-1] == FOLDER else parts[-1:])
    return first if len(runs) == 1 else f"{first} ({len(runs)} seeds)"


def _cell(name, figures):
    values = [each[name] for each in figures]
    if len(values) == 1:
        spreads = {said: figures[0].get(name + ending) for ending, said in _SPREADS.items()}
        known = (f" ({said} {each:.2g})" for said, each in spreads.items() if each is not None)
        return f"{values[0]:.4g}" + "".join(known)
    return f"{np.mean(values):.4g} ± {np.std(values, ddof=1):.2g}"
