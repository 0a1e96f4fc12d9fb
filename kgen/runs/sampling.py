"""What a trained run makes up: as a grid, image by image, and beside what it was trained on."""

import random

import numpy as np

from kgen import pictures
from kgen.runs import many, named
from kgen.runs.run import load


def sample(
    run: str,
    num: int = 64,
    labels: tuple | None = None,
    seed: int | None = None,
    out: str | None = None,
    **arguments,
) -> str:
    """Writes samples of a trained run: a grid of them, or each for itself.

    Args:
        run: str. The run folder, or a trained model's name.
        num: int. How many images; in a grid of a conditional model about so many, as rows are
            whole.
        labels: sequence of classes of a conditional model, in turn, by number or by name; by
            default all.
        seed: int. The same seed gives the same images; by default one is drawn. In a folder or an
            .npz image i of a seed is the same, however many there are.
        out: str. A picture, for a grid; an .npz, for `images` as uint8 and what they are of, such
            as `labels`; or a folder, for a PNG an image, to which the same command adds what is
            missing. Defaults to samples-seed-SEED.png in the run folder; of a trained
            model's name, NAME-... in the current folder.
        **arguments: further ones of the model's `sample`, such as `batch_size`.

    Returns:
        The path of what was written.
    """
    if out is not None and many.is_folder(out):
        seed = many.seed_of(out) if seed is None else seed
    seed = drawn(seed)
    path = out or named.written(run, f"samples-seed-{seed}.png")
    is_grid = not (many.is_folder(path) or many.is_archive(path))
    (pictures.check_path if is_grid else many.check_path)(path)
    this = load(run)
    this.verb("sample", *arguments)
    labels = numbers(labels, this.model.condition)
    if is_grid:
        labels = _shown(this, 8) if labels is None else labels
        pictures.samples(this.model, num, labels, seed=seed, path=path, **arguments)
    else:
        labels = _shown(this, num) if labels is None else labels
        many.write(this, num, labels, seed, path, **arguments)
    print(f"Wrote {path}")
    return path


def nearest(
    run: str,
    num: int = 8,
    neighbours: int = 8,
    labels: tuple | None = None,
    seed: int | None = None,
    out: str | None = None,
    **arguments,
) -> str:
    """Writes samples of a trained run, each with the training images that are nearest to it.

    Args:
        run: str. The run folder, or a trained model's name.
        num: int. How many samples, a row each.
        neighbours: int. Training images of each, the nearest first.
        labels: sequence of classes of a conditional model, in turn, by number or by name; by
            default all.
        seed: int. The same seed gives the same samples; by default one is drawn.
        out: str. The picture. Defaults to nearest-seed-SEED.png in the run folder; of a trained
            model's name, NAME-... in the current folder.
        **arguments: further ones of the model's `sample`, such as `batch_size`.

    Returns:
        The path of the file.
    """
    seed = drawn(seed)
    path = out or named.written(run, f"nearest-seed-{seed}.png")
    pictures.check_path(path)
    this = load(run)
    draw = this.verb("sample", *arguments)
    labels = numbers(labels, this.model.condition)
    labels = many.conditions(this.model, _shown(this, num) if labels is None else labels, num)
    images = draw(num, labels, seed=seed, **arguments)
    pictures.nearest(images, this.data().train.in_order(), neighbours, path)
    print(f"Wrote {path}")
    return path


def drawn(seed):
    """A seed, or another each time."""
    return random.SystemRandom().getrandbits(31) if seed is None else seed


def numbers(labels, condition):
    """Labels of a command line, as numbers if they are, and are no classes' names."""
    if labels is not None and not len(labels):
        raise ValueError(f"Expected labels, or none given for all. Received: labels={labels}")
    if labels is None or not all(str(label).lstrip("-").isdecimal() for label in labels):
        return labels
    names = getattr(condition, "names", None) or ()
    if all(label in names for label in labels):
        return labels
    return [int(label) for label in labels]


def _shown(run, num):
    """What samples are conditioned on where nothing is said: all classes, or as test images are."""
    model = run.model
    if model.condition is None or model.num_classes is not None:
        return None if model.condition is None else np.arange(model.num_classes)
    data = run.data()
    return model.examples(data, min(num, data.num_test))[1]
