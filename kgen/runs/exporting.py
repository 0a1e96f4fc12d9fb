"""A finished run as a SavedModel. It needs no Keras: TensorFlow's process reads the model."""

import os
import zipfile

from kgen.export.versions import export_archive
from kgen.runs.config import read_json, require_config
from kgen.whole_file import check_can_hold


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
    archive = os.path.join(run, "model.keras")
    if not _is_whole(archive):
        raise ValueError(f"Expected a whole model. Received: {archive}, which is damaged")
    path = path or os.path.join("saved_models", os.path.basename(os.path.abspath(run)))
    check_can_hold(os.path.abspath(path), f"Received: path={path}")
    return export_archive(archive, path, version, _about(run, config))


def _is_whole(archive):
    try:
        with zipfile.ZipFile(archive) as file:
            return file.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _about(run, config):
    """What the model card says of a run's data, training and figures, in Markdown."""
    results = read_json(os.path.join(run, "results.json"), "the results.json of a run")
    figures = ", ".join(f"{name} {value:.6g}" for name, value in results.items())
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
