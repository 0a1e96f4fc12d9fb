"""What a run reached: its pictures and its figures."""

import numpy as np

from kgen import pictures
from kgen.data.images import decode, read_header
from kgen.runs.folder import save_model, write_json
from kgen.runs.run import load


def sample(
    run: str,
    num: int = 64,
    labels: tuple[int, ...] | None = None,
    seed: int | None = None,
    out: str | None = None,
    **arguments,
) -> str:
    """Writes a grid of samples of a trained run.

    Args:
        run: str. The run folder.
        num: int. How many images.
        labels: sequence of int. The classes of a conditional model, in turn; by default all.
        seed: int. The same seed gives the same images.
        out: str. The PNG file. Defaults to samples.png in the run folder.
        **arguments: further ones of the model's `sample`, such as `batch_size`.

    Returns:
        The path of the file.
    """
    this = load(run)
    _require(this.model, "sample")
    path = out or this.path("samples.png")
    pictures.samples(this.model, num, labels, seed=seed, path=path, **arguments)
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
    _write_reconstructions(this.model, this.data(), num, path)
    print(f"Wrote {path}")
    return path


def complete(
    run: str,
    image: str | None = None,
    mask: str | None = None,
    labels: tuple[int, ...] | None = None,
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
        labels: sequence of int. The image's class, for a conditional model; test images have their
            own.
        num: int. How many test images.
        copies: int. Completions of each image.
        seed: int. The same seed gives the same completions.
        out: str. The PNG file. Defaults to completions.png in the run folder.
        **arguments: further ones of the model's `complete`, such as `temperature`.

    Returns:
        The path of the file.
    """
    this = load(run)
    _require(this.model, "complete")
    height, width, channels = this.model.image_shape
    if image is None:
        images, *own = this.data().test.take(num)
        if labels is None and own and this.model.num_classes is not None:
            (labels,) = own
    else:
        images = decode(image, channels, (height, width))[None]
    hidden = _lower_half(this.model)
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
    figures = model.figures(model.evaluate(data.test, return_dict=True, verbose=0))
    if num_samples is not None:
        if not hasattr(model, "elbo"):
            raise ValueError(f"A model {run.config['model']!r} has no importance-weighted bound.")
        total = 0.0
        for i in range(len(data.test)):
            images, *labels = data.test[i]
            labels = labels if model.num_classes is not None else []
            total += model.log_likelihood(images, *labels, num_samples=num_samples, seed=i).sum()
        figures[f"log_likelihood_{num_samples}"] = float(total) / data.num_test
    return {"test_images": data.num_test} | figures


def write_results(run, data):
    """Writes what a finished training reached, and prints the figures."""
    model = run.model
    save_model(model, run.path("model.keras"))
    written = [run.path("model.keras"), run.path("history.csv")]
    if hasattr(model, "sample"):
        pictures.samples(model, 64, seed=0, path=run.path("samples.png"))
        written.append(run.path("samples.png"))
    if hasattr(model, "infer_codes"):
        label = None if model.num_classes is None else 0
        pictures.codes(model, seed=0, label=label, path=run.path("codes.png"))
        written.append(run.path("codes.png"))
    if hasattr(model, "complete"):
        images, *labels = data.test.take(8)
        labels = labels if model.num_classes is not None else []
        path = run.path("completions.png")
        pictures.completions(model, images, _lower_half(model), *labels, seed=0, path=path)
        written.append(path)
    if hasattr(model, "reconstruct"):
        _write_reconstructions(model, data, 32, run.path("reconstructions.png"))
        written.append(run.path("reconstructions.png"))
    figures = _evaluate(run, data)
    write_json(run.path("results.json"), figures)
    written.append(run.path("results.json"))
    print(_describe(figures))
    print("Wrote " + "\n      ".join(written))


def _require(model, verb):
    """Raises a ValueError unless the model has a verb."""
    if not callable(getattr(model, verb, None)):
        raise ValueError(f"Expected a model that can {verb}. Received: a {type(model).__name__}")


def _lower_half(model):
    height, width, _ = model.image_shape
    return np.broadcast_to(np.arange(height)[:, None] >= (height + 1) // 2, (height, width))


def _write_reconstructions(model, data, num, path):
    _require(model, "reconstruct")
    if num < 1:
        raise ValueError(f"Expected num of at least 1. Received: num={num}")
    images, *labels = data.test.take(num)
    labels = labels if model.num_classes is not None else []
    pictures.reconstructions(model, images, *labels, path=path)


def _describe(figures):
    return "\n".join(f"{name:>22}  {value:,.6g}" for name, value in figures.items())
