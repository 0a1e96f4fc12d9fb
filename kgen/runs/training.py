"""A training from its settings to its folder."""

import json
import os
import random

import keras

from kgen import callbacks
from kgen.data import load as load_data
from kgen.data.imports import require_tensorflow
from kgen.models.catalog import all_arguments, model_class, needs_labels
from kgen.optimizers import with_learning_rate
from kgen.runs.folder import check_same, drop_rows, read_config, versions, write_json
from kgen.runs.results import write_results
from kgen.runs.run import Run


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
    notes = {"data_set": _facts(data), "versions": versions()}
    write_json(os.path.join(folder, "config.json"), config | notes)
    this = Run(folder, config, trained)
    if done:
        print(f"{folder}: {done} of {epochs} epochs are done.")
    if done < epochs:
        _fit(this, data, done, epochs)
    write_results(this, data)
    return this


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


def _facts(data):
    return {
        "name": data.name,
        "train_images": data.num_train,
        "test_images": data.num_test,
        "license": data.license,
    }


def _slug(dataset):
    name = os.path.splitext(os.path.basename(os.path.normpath(dataset)))[0]
    return name or "data"
