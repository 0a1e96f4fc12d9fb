"""What a run reached: its pictures and its figures."""

import inspect

import numpy as np

from kgen import pictures
from kgen.data.images import decode, read_header
from kgen.runs.folder import save_model, write_json
from kgen.runs.run import load


def sample(
    run: str,
    num: int = 64,
    labels: tuple | None = None,
    seed: int | None = None,
    out: str | None = None,
    **arguments,
) -> str:
    """Writes a grid of samples of a trained run.

    Args:
        run: str. The run folder.
        num: int. How many images.
        labels: sequence of classes of a conditional model, in turn, by number or by name; by
            default all.
        seed: int. The same seed gives the same images.
        out: str. The PNG file. Defaults to samples.png in the run folder.
        **arguments: further ones of the model's `sample`, such as `batch_size`.

    Returns:
        The path of the file.
    """
    this = load(run)
    require_verb(this.model, "sample")
    path = out or this.path("samples.png")
    pictures.samples(this.model, num, _numbers(labels), seed=seed, path=path, **arguments)
    print(f"Wrote {path}")
    return path


def reconstruct(run: str, num: int = 32, out: str | None = None) -> str:
    """Writes test images with their reconstructions below them.

    Args:
        run: str. The run folder.
        num: int. How many images.
        out: str. The PNG file. Defaults to reconstructions.png in the run folder.

    Returns:
        The path of the file.
    """
    this = load(run)
    path = out or this.path("reconstructions.png")
    require_verb(this.model, "reconstruct")
    images, labels = this.model.examples(this.data(), num)
    pictures.reconstructions(this.model, images, labels, path=path)
    print(f"Wrote {path}")
    return path


def complete(
    run: str,
    image: str | None = None,
    mask: str | None = None,
    labels: tuple | None = None,
    num: int = 8,
    copies: int = 4,
    seed: int | None = None,
    out: str | None = None,
    **arguments,
) -> str:
    """Writes images of which a part is hidden, their completions, and the originals.

    Args:
        run: str. The run folder.
        image: str. An image file, resized and cropped as in training; by default test images.
        mask: str. An image file of the size of `image` or of the model's, light where pixels are
            hidden; by default the lower half.
        labels: sequence of classes, by number or by name. The image's, for a conditional model;
            test images have their own.
        num: int. How many test images.
        copies: int. Completions of each image.
        seed: int. The same seed gives the same completions.
        out: str. The PNG file. Defaults to completions.png in the run folder.
        **arguments: further ones of the model's `complete`, such as `temperature`.

    Returns:
        The path of the file.
    """
    this = load(run)
    require_verb(this.model, "complete")
    height, width, channels = this.model.image_shape
    labels = _numbers(labels)
    if image is None:
        images, own = this.model.examples(this.data(), num)
        labels = own if labels is None else labels
    else:
        images = decode(image, channels, (height, width))[None]
    hidden = this.model.lower_half()
    if mask is not None:
        sizes = [(height, width)] + ([] if image is None else [read_header(image)[:2]])
        size = read_header(mask)[:2]
        if size not in sizes:
            raise ValueError(
                "Expected a mask of the model's height and width or of the image's, one of "
                f"{sizes}. Received: {mask} of {size}"
            )
        hidden = decode(mask, 1, (height, width))[..., 0] > 127
    path = out or this.path("completions.png")
    pictures.completions(
        this.model, images, hidden, labels, copies, seed=seed, path=path, **arguments
    )
    print(f"Wrote {path}")
    return path


def evaluate(run: str, num_samples: int | None = None) -> dict:
    """Prints the figures of a run on its test images.

    Args:
        run: str. The run folder.
        num_samples: int. With it also the importance-weighted bound on log p(x) of so many
            samples an image, for a model that has one.

    Returns:
        dict of the figures by name; likelihoods in nats an image.
    """
    this = load(run)
    figures = _evaluate(this, this.data(), num_samples)
    print(_describe(figures))
    return figures


def _evaluate(run, data, num_samples=None):
    model = run.model
    if num_samples is not None:
        bound = require_verb(model, "log_likelihood", "num_samples")
        if num_samples < 1:
            raise ValueError(f"Expected num_samples of at least 1. Received: {num_samples=}")
    figures = model.figures(model.evaluate(data.test, return_dict=True, verbose=0))
    if num_samples is not None:
        images, labels = model.examples(data, data.num_test)
        figures[f"log_likelihood_{num_samples}"] = float(
            np.mean(bound(images, labels, num_samples=num_samples, seed=0))
        )
    return {"test_images": data.num_test} | figures


def write_results(run, data):
    """Writes what a finished training reached, and prints the figures."""
    model = run.model
    save_model(model, run.path("model.keras"))
    written = [run.path("model.keras"), run.path("history.csv")]
    for name, picture in model.report(data).items():
        pictures.save(picture, run.path(name))
        written.append(run.path(name))
    figures = _evaluate(run, data)
    write_json(run.path("results.json"), figures)
    written.append(run.path("results.json"))
    print(_describe(figures))
    print("Wrote " + "\n      ".join(written))


def require_verb(model, verb, *arguments):
    """A model's method.

    Args:
        model: a kgen model.
        verb: str. The method's name.
        *arguments: str. What it has to take.

    Raises:
        ValueError: the model has none, or it does not take these.
    """
    method = getattr(model, verb, None)
    if method is None:
        raise ValueError(f"Expected a model that can {verb}. Received: a {type(model).__name__}")
    missing = sorted(set(arguments) - inspect.signature(method).parameters.keys())
    if missing:
        raise ValueError(
            f"Expected a model whose {verb} takes {', '.join(missing)}. Received: a "
            f"{type(model).__name__}"
        )
    return method


def _numbers(labels):
    """Labels of a command line, as numbers if they are."""
    if labels is None or not all(str(label).lstrip("-").isdecimal() for label in labels):
        return labels
    return [int(label) for label in labels]


def _describe(figures):
    return "\n".join(f"{name:>22}  {value:,.6g}" for name, value in figures.items())
