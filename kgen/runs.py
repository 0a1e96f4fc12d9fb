"""A run: a folder that holds everything a training was given, wrote and reached.

- `config.json`: the model, data and settings that rebuild it
- `history.csv`: every epoch's losses
- `logs/`: TensorBoard
- `samples/`: a grid of samples after every epoch
- `checkpoint/`: the exact state after the last whole epoch
- `model.keras`: the trained model
- `samples.png`, `reconstructions.png`, `codes.png`, `completions.png`, `results.json`: what it
  reached
"""

import dataclasses
import json
import os
import random

import keras
import numpy as np

from kgen import callbacks, pictures
from kgen.data import load as load_data
from kgen.data.images import decode
from kgen.data.imports import require_tensorflow
from kgen.models.catalog import all_arguments, model_class, needs_labels
from kgen.optimizers import with_learning_rate
from kgen.run_folder import check_same, drop_rows, read_config, versions, write_json


@dataclasses.dataclass
class Run:
    """A run folder, read.

    Attributes:
        folder: str. Where it is.
        config: dict. What `config.json` holds.
        model: the model as of the last whole epoch.
    """

    folder: str
    config: dict
    model: keras.Model

    def data(self):
        """The run's data set, as `kgen.data.load` gives it."""
        return load_data(**self.config["data"])

    def path(self, *names):
        """A path inside the folder."""
        return os.path.join(self.folder, *names)


def train(
    model: str,
    dataset: str = "digits",
    run: str | None = None,
    epochs: int = 50,
    batch_size: int | None = None,
    image_size: int | None = None,
    data_dir: str | None = None,
    augment: tuple = (),
    conditional: bool = False,
    learning_rate: float | None = None,
    precision: str = "float32",
    seed: int = 0,
    **arguments,
) -> Run:
    """Trains a model into a run folder, or goes on where the folder's training stopped.

    Args:
        model: str. "autoencoder", "vae", "gan", "dcgan", "lsgan", "wgan", "wgan_gp", "cgan",
            "infogan", "pixelcnn" or "gated_pixelcnn".
        dataset: str. "digits", a TFDS name, a folder of images or an .npz; see `kgen.data.load`.
        run: str. The run folder. Defaults to runs/MODEL-DATASET.
        epochs: int. Epochs in all, those of earlier calls among them.
        batch_size: int. Images in a step. Defaults to the model's.
        image_size: int. Resize and centre-crop the images to this height and width.
        data_dir: str. Where TFDS finds or puts its data.
        augment: sequence of "flip" and "crop". What to vary in the training images.
        conditional: bool. Condition the model on the labels; "cgan" always is.
        learning_rate: float. Instead of the paper's; of several players the first's, and the
            others' in the paper's ratio.
        precision: str. "float32", "mixed_bfloat16" or "mixed_float16".
        seed: int. Seeds the weights, the noise and the order of the data.
        **arguments: arguments of the model's class, such as `latent_dim`.

    Returns:
        The finished `Run`.

    Raises:
        ValueError: an argument differs from the folder's, or is not valid.
        FloatingPointError: a loss became NaN; the last good epoch is kept.
    """
    chosen = model_class(model)
    if epochs < 1:
        raise ValueError(f"Expected epochs of at least 1. Received: epochs={epochs}")
    folder = run or os.path.join("runs", f"{model}-{_slug(dataset)}")
    config = {
        "model": model,
        "arguments": all_arguments(chosen, arguments),
        "conditional": conditional or needs_labels(chosen),
        "data": {
            "source": dataset,
            "batch_size": chosen.default_batch_size if batch_size is None else batch_size,
            "image_size": image_size,
            "data_dir": data_dir,
            "seed": seed,
            "augment": list(augment),
        },
        "learning_rate": learning_rate,
        "precision": precision,
        "seed": seed,
        "backend": keras.backend.backend(),
    }
    config = json.loads(json.dumps(config))  # as the folder will give it back
    earlier = read_config(folder)
    if earlier is not None:
        check_same(folder, earlier, config)
    data = load_data(**config["data"])
    paths = callbacks.checkpoints(os.path.join(folder, "checkpoint"))
    random.seed(seed)  # where Keras' initializers take their seeds from
    if paths:
        trained = keras.saving.load_model(paths[-1])
        done = callbacks.checkpoint_epoch(paths[-1])
    else:
        trained = _build(chosen, config, data)
        done = 0
    write_json(os.path.join(folder, "config.json"), config | {"versions": versions()})
    this = Run(folder, config, trained)
    if done:
        print(f"{folder}: {done} of {epochs} epochs are done.")
    if done < epochs:
        _fit(this, data, done, epochs)
    _finish(this, data)
    return this


def load(folder: str) -> Run:
    """Reads a run folder.

    Args:
        folder: str. What `train` wrote, finished or not.

    Returns:
        The `Run`, with its model as of the last whole epoch.

    Raises:
        FileNotFoundError: the folder holds no run, or no trained model yet.
    """
    config = read_config(folder)
    if config is None:
        raise FileNotFoundError(
            f"Expected a run folder with a config.json, as `kgen train` writes. Received: {folder}"
        )
    paths = callbacks.checkpoints(os.path.join(folder, "checkpoint"))
    paths = paths or [os.path.join(folder, "model.keras")]
    if not os.path.exists(paths[-1]):
        raise FileNotFoundError(f"Expected at least one whole epoch of training in {folder}.")
    return Run(folder, config, keras.saving.load_model(paths[-1]))


def sample(
    run: str,
    num: int = 64,
    labels: tuple[int, ...] | None = None,
    seed: int | None = None,
    out: str | None = None,
) -> str:
    """Writes a grid of samples of a trained run.

    Args:
        run: str. The run folder.
        num: int. How many images.
        labels: sequence of int. The classes of a conditional model, in turn; by default all.
        seed: int. The same seed gives the same images.
        out: str. The PNG file. Defaults to samples.png in the run folder.

    Returns:
        The path of the file.
    """
    this = load(run)
    path = out or this.path("samples.png")
    pictures.samples(this.model, num, labels, seed=seed, path=path)
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
) -> str:
    """Writes images of which a part is hidden, their completions, and the originals.

    Args:
        run: str. The run folder.
        image: str. An image file, resized and cropped as in training; by default test images.
        mask: str. An image file, light where pixels are hidden; by default the lower half.
        labels: sequence of int. The image's class, for a conditional model; test images have their
            own.
        num: int. How many test images.
        copies: int. Completions of each image.
        seed: int. The same seed gives the same completions.
        out: str. The PNG file. Defaults to completions.png in the run folder.

    Returns:
        The path of the file.
    """
    this = load(run)
    if not hasattr(this.model, "complete"):
        raise ValueError(f"A model {this.config['model']!r} does not complete images.")
    height, width, channels = this.model.image_shape
    if image is None:
        images, *own = this.data().test.take(num)
        if labels is None and own and this.model.num_classes is not None:
            (labels,) = own
    else:
        images = decode(image, channels, (height, width))[None]
    hidden = _lower_half(this.model)
    if mask is not None:
        hidden = decode(mask, 1, (height, width))[..., 0] > 127
    path = out or this.path("completions.png")
    pictures.completions(this.model, images, hidden, labels, copies, seed=seed, path=path)
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


def _build(model_class, config, data):
    if config["conditional"] and data.num_classes is None:
        raise ValueError(
            f"Expected a data set with labels, for a conditional model. Received: {data.name}, "
            "which has none"
        )
    model = model_class(
        data.image_shape,
        num_classes=data.num_classes if config["conditional"] else None,
        seed=config["seed"],
        dtype=config["precision"],
        **config["arguments"],
    )
    model.check_batch_size(min(data.batch_size, data.num_train))
    model.adapt(data.train)
    optimizers = model.default_optimizers()
    if config["learning_rate"] is not None:
        optimizers = with_learning_rate(optimizers, config["learning_rate"])
    model.compile(optimizers)
    return model


def _fit(run, data, done, epochs):
    drop_rows(run.path("history.csv"), done)
    data.train.epoch = done
    loggers = [keras.callbacks.CSVLogger(run.path("history.csv"), append=True)]
    try:
        require_tensorflow("TensorBoard")
        loggers.append(keras.callbacks.TensorBoard(run.path("logs"), write_graph=False))
    except ImportError as error:
        print(f"No TensorBoard logs: {error}")
    if hasattr(run.model, "sample"):
        loggers.append(callbacks.SampleGrid(run.path("samples")))
    run.model.fit(
        data.train,
        validation_data=data.test,
        initial_epoch=done,
        epochs=epochs,
        shuffle=False,  # the data's order is a function of seed and epoch
        callbacks=[
            callbacks.StopOnNaN(),
            callbacks.StuckDiscriminator(),
            *loggers,
            callbacks.Checkpoint(run.path("checkpoint")),
        ],
    )


def _finish(run, data):
    model = run.model
    callbacks.save_model(model, run.path("model.keras"))
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


def _lower_half(model):
    height, width, _ = model.image_shape
    return np.broadcast_to(np.arange(height)[:, None] >= (height + 1) // 2, (height, width))


def _write_reconstructions(model, data, num, path):
    if not hasattr(model, "reconstruct"):
        raise ValueError(f"A {type(model).__name__} has no reconstructions.")
    if num < 1:
        raise ValueError(f"Expected num of at least 1. Received: num={num}")
    images, *labels = data.test.take(num)
    labels = labels if model.num_classes is not None else []
    pictures.reconstructions(model, images, *labels, path=path)


def _describe(figures):
    return "\n".join(f"{name:>22}  {value:,.6g}" for name, value in figures.items())


def _slug(dataset):
    name = os.path.splitext(os.path.basename(os.path.normpath(dataset)))[0]
    return name or "data"
