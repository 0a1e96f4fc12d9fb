"""A finished run as a SavedModel. It needs no Keras: TensorFlow's process reads the model."""

import json
import os

from kgen.export.versions import export_archive
from kgen.runs.config import require_config


def export(run: str, path: str | None = None, version: int | None = None) -> str:
    """Writes a trained run as a SavedModel for TensorFlow Serving.

    It holds the model as the last finished training left it, and is made as `model.export` makes
    it.

    Args:
        run: str. The run folder.
        path: str. The model's folder, whose last part is its name on the server. Defaults to
            saved_models/ and the run folder's name.
        version: int. Defaults to the next after those that are there.

    Returns:
        The path of the version.
    """
    config = require_config(run)
    if not {"model.keras", "results.json", "history.csv"} <= set(os.listdir(run)):
        raise FileNotFoundError(
            "Expected a finished training, with model.keras and results.json; the same `kgen "
            f"train` command goes on with one that is not. Received: {run}"
        )
    path = path or os.path.join("saved_models", os.path.basename(os.path.abspath(run)))
    return export_archive(os.path.join(run, "model.keras"), path, version, _about(run, config))


def _about(run, config):
    """What the model card says of a run's data, training and figures, in Markdown."""
    with open(os.path.join(run, "results.json")) as file:
        figures = ", ".join(f"{name} {value:.6g}" for name, value in json.load(file).items())
    with open(os.path.join(run, "history.csv")) as file:
        epochs = len(file.readlines()) - 1
    facts = config["data_set"]
    versions = ", ".join(f"{name} {version}" for name, version in config["versions"].items())
    return (
        f"- Data: {facts['name']}, {facts['train_images']} images for training. Licence of the "
        f"data: {facts['license'] or 'not known'}.\n"
        f"- Training: {epochs} epochs, batches of {config['data']['batch_size']}, seed "
        f"{config['seed']}, {config['precision']}, on {config['backend']} ({versions}).\n"
        f"- Figures on the test images: {figures}."
    )
