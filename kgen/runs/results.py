"""What a run reached on its test images, and what a training leaves in its folder."""

import dataclasses
import glob
import hashlib
import json
import os
import re

import numpy as np

from kgen import pictures
from kgen.checks import whole_number
from kgen.data.images import decode, read_header
from kgen.data.names import reason_of
from kgen.metrics.evaluation import check_verbs, mean_likelihood
from kgen.metrics.samples import check_names, names_of
from kgen.printable import printable
from kgen.runs import many, named
from kgen.runs.folder import read_history, write_json
from kgen.runs.quality import evaluation_of, table
from kgen.runs.run import load
from kgen.runs.sampling import drawn, numbers
from kgen.warn import warn
from kgen.whole_file import check_can_write, remove_unfinished


def reconstruct(run: str, num: int = 32, out: str | None = None) -> str:
    """Writes test images with their reconstructions below them.

    Args:
        run: str. The run folder, or a trained model's name.
        num: int. How many images.
        out: str. The picture. Defaults to reconstructions-of-NUM.png in the run folder; of a
            trained model's name, NAME-... in the current folder.

    Returns:
        The path of the file.
    """
    path = out or named.written(run, f"reconstructions-of-{num}.png")
    pictures.check_path(path)
    this = load(run)
    this.verb("reconstruct")
    images, labels = this.model.examples(this.data(), num)
    pictures.reconstructions(this.model, images, labels, path=path)
    print(f"Wrote {path}")
    return path


def complete(
    run: str,
    image: str | None = None,
    mask: str | None = None,
    labels: tuple | None = None,
    num: int | None = None,
    copies: int = 4,
    seed: int | None = None,
    out: str | None = None,
    **arguments,
) -> str:
    """Writes images of which a part is hidden, their completions, and the originals.

    Args:
        run: str. The run folder, or a trained model's name.
        image: str. An image file, resized and cropped as in training; by default test images.
        mask: str. An image file of the size of `image` or of the model's, light where pixels are
            hidden; by default the lower half.
        labels: sequence of classes, by number or by name. The image's, for a conditional model; of
            test images, which have their own, in turn.
        num: int. How many test images, in place of `image`. Defaults to 8.
        copies: int. Completions of each image.
        seed: int. The same seed gives the same completions; by default one is drawn.
        out: str. The picture. Defaults to completions-seed-SEED.png in the run folder; of a trained
            model's name, NAME-... in the current folder.
        **arguments: further ones of the model's `complete`, such as `temperature`.

    Returns:
        The path of the file.
    """
    seed = drawn(seed)
    path = out or named.written(run, f"completions-seed-{seed}.png")
    pictures.check_path(path)
    if image is not None and num is not None:
        raise ValueError(f"Expected num, of test images, or image. Received: {image=}, {num=}")
    given = {name: file for name, file in (("image", image), ("mask", mask)) if file}
    sizes = {name: _of_file(name, file, read_header)[:2] for name, file in given.items()}
    this = load(run)
    this.verb("complete", *arguments)
    height, width, channels = this.model.image_shape
    labels = numbers(labels, this.model.condition)
    if image is None:
        images, own = this.model.examples(this.data(), 8 if num is None else num)
        labels = own if labels is None else many.conditions(this.model, labels, len(images))
    else:
        images = _of_file("image", image, decode, channels, (height, width))[None]
        _tell_of_resizing(image, sizes["image"], (height, width))
    hidden = this.model.lower_half()
    if mask is not None:
        fitting = {(height, width), sizes.get("image", (height, width))}
        if sizes["mask"] not in fitting:
            raise ValueError(
                "Expected a mask of the model's height and width or of the image's, one of "
                f"{sorted(fitting)}. Received: {printable(mask)} of {sizes['mask']}"
            )
        hidden = _of_file("mask", mask, decode, 1, (height, width))[..., 0] > 127
    pictures.completions(
        this.model, images, hidden, labels, copies, seed=seed, path=path, **arguments
    )
    print(f"Wrote {path}")
    return path


def evaluate(
    run: str,
    num_samples: int | None = None,
    metrics: tuple = (),
    num: int | None = None,
    features: str | None = None,
    split: str | None = None,
    out: str | None = None,
) -> dict:
    """Prints the figures of a run on its test images, and with `metrics` those of its samples.

    Args:
        run: str. The run folder, or a trained model's name.
        num_samples: int. With it also the importance-weighted bound on log p(x) of so many
            samples an image, for a model that has one.
        metrics: sequence of figures of samples: kid, frechet_distance, class_score,
            precision_recall, density_coverage, memorization_distance, sliced_wasserstein; and
            log_likelihood, of so many real images.
        num: int. Samples for these, and as many real images, where there are so many. Defaults to
            10,000.
        features: str. What they are compared by: classifier, efficientnet_lite0, pixels, or a
            file: another run's classifier.npz, the .pth of FID's Inception, as pytorch-fid and
            torch-fidelity publish it, or the .h5 of Keras' InceptionV3. Defaults to a classifier of
            data with labels, which is trained once and kept in the run folder.
        split: str. The real images: "test" or "train". Defaults to "test".
        out: str. The file of the figures: those that it has, of the same weights, and of samples by
            the same protocol, stay. Defaults, with `metrics` or `num_samples`, to results.json in
            the run folder; of a trained model's name, NAME-results.json in the current folder.

    Returns:
        dict of the figures by name; likelihoods in nats an image, that of samples with its standard
        error over the test images, and as "samples" the figures of samples with their floor and
        protocol.
    """
    metrics = check_names(metrics)
    of_samples = {"num": num, "features": features, "split": split}
    of_samples = {name: value for name, value in of_samples.items() if value is not None}
    if of_samples and not metrics:
        raise ValueError(
            f"Expected metrics, for {' and '.join(of_samples)}. Received: {of_samples}, {metrics=}"
        )
    path = out or named.written(run, "results.json")
    is_written = bool(metrics) or num_samples is not None or out is not None
    if is_written:
        check_can_write(path)
    this = load(run)
    data = this.data()
    evaluation = None
    if metrics:
        check_verbs(names_of(metrics), this.model)
        evaluation = evaluation_of(run, data, metrics, **of_samples)
        evaluation.check(this.model)
    figures = _evaluate(this, data, num_samples)
    print(_describe(figures))
    if metrics:
        found = evaluation(this.model)
        print(table(found))
        figures["samples"] = dataclasses.asdict(found)
    if is_written:
        write_json(path, _with_earlier(path, figures, _fingerprint(this.model)))
        print(f"Wrote {path}")
    return figures


def _fingerprint(model):
    """A digest of a model's weights."""
    digest = hashlib.sha256()
    for values in model.get_weights():
        digest.update(np.asarray(values).tobytes())
    return digest.hexdigest()


def _with_earlier(path, figures, weights):
    """Figures with those that a file has already of the same weights and by the same protocol."""
    figures = {"weights": weights} | figures
    try:
        with open(path) as file:
            earlier = json.load(file)
        if earlier["steps"] != figures["steps"] or earlier.get("weights", weights) != weights:
            return figures
        if "samples" in earlier:
            samples = _joined(earlier["samples"], figures.get("samples", earlier["samples"]))
            figures = figures | {"samples": samples}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # none, or something else's
        return figures
    return earlier | figures


def _joined(earlier, now):
    shared = earlier["protocol"].keys() & now["protocol"]
    if any(earlier["protocol"][name] != now["protocol"][name] for name in shared):
        return now
    return {name: earlier[name] | now[name] for name in now}


def _evaluate(run, data, num_samples=None):
    model = run.model
    if num_samples is not None:
        bound = run.verb("log_likelihood", "num_samples")
        num_samples = whole_number("num_samples", num_samples)
    if not model.compiled:  # a published one
        model.compile()
    figures = model.figures(model.evaluate(data.test, return_dict=True, verbose=0))
    if num_samples is not None:
        images, labels = model.examples(data, data.num_test)
        nats = bound(images, labels, num_samples=num_samples, seed=0)
        figures |= mean_likelihood(f"log_likelihood_{num_samples}", nats)
    return {"test_images": data.num_test, "steps": run.steps} | figures


def write_results(run, data, backup, notes):
    """Writes what a finished training reached, and prints the figures.

    Args:
        run: Run.
        data: kgen.data.Dataset.
        backup: kgen.callbacks.Backup that the training was kept by.
        notes: dict. What to note in model.keras besides the state and the figures.
    """
    figures = _evaluate(run, data)
    backup.save(run.path("model.keras"), figures=figures, **notes)
    written = [run.path("model.keras"), run.path("history.csv")]
    for name, picture in run.model.report(data).items():
        pictures.save(picture, run.path(name))
        written.append(run.path(name))
    written += _write_course(run)
    path = run.path("results.json")
    write_json(path, _with_earlier(path, figures, _fingerprint(run.model)))
    written.append(path)
    remove_unfinished(run.folder, "|".join(re.escape(os.path.basename(path)) for path in written))
    print(_describe(figures))
    print("Wrote " + "\n      ".join(written))


def _write_course(run):
    """Writes how the training went, as far as the folder shows it, and returns where."""
    written = []
    history = run.path("history.csv")
    if os.path.exists(history) and read_history(history)[1]:
        written.append(run.path("losses.png"))
        pictures.losses(history, written[-1])
    grids = sorted(glob.glob(glob.escape(run.path("samples")) + "/epoch-*.png"))
    if len(grids) > 1:
        try:
            pictures.animation(grids, run.path("samples.gif"))
            written.append(run.path("samples.gif"))
        except (OSError, ValueError) as error:  # of a grid that is damaged, or of another size
            warn(f"There is no samples.gif of {run.path('samples')}: {error}")
    return written


def _of_file(name, path, read, *arguments):
    """What a function reads in an image file that the user named."""
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"Expected {name} as an existing image file. Received: {name}={printable(path)}"
        )
    try:
        return read(path, *arguments)
    except Exception as error:  # Decoders raise anything from OSError to SyntaxError.
        raise ValueError(
            f"Expected {name} as an image file. Received: {name}={printable(path)}, which cannot "
            f"be read: {reason_of(error)}"
        ) from error


def _tell_of_resizing(path, size, wanted):
    """Says what became of an image of another size."""
    if size == wanted:
        return
    (height, width), (h, w) = size, wanted
    done = "scaled" if height * w == width * h else "scaled, and cropped at its sides,"
    print(f"{printable(path)} of {height}x{width} is {done} to {h}x{w}, as the model's images are")


def _describe(figures):
    return "\n".join(f"{name:>22}  {value:,.6g}" for name, value in figures.items())
