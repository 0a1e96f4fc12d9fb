"""A finished run as a SavedModel. It needs no Keras: TensorFlow's process reads the model."""

import contextlib
import os
import shutil
import tempfile

from kgen.export.versions import export_archive
from kgen.keras_file import flaw, position, read_notes
from kgen.runs.config import require_config
from kgen.runs.named import folder_of
from kgen.whole_file import check_can_hold

_NOTED = {"figures", "data_set", "versions"}


def export(run: str, path: str | None = None, version: int | None = None) -> str:
    """Writes a trained run as a SavedModel for TensorFlow Serving.

    It holds the model as the last finished training left it, and is made as `model.export` makes
    it. A training may go on meanwhile.

    Args:
        run: str. The run folder, or a trained model's name.
        path: str. The model's folder, whose last part is its name on the server. Defaults to
            saved_models/ and the run folder's name.
        version: int. Defaults to the next after those that are there.

    Returns:
        The path of the version.
    """
    config, run = require_config(run), folder_of(run)
    trained = trained_file(run)
    path = path or os.path.join("saved_models", os.path.basename(os.path.abspath(run)))
    check_can_hold(os.path.abspath(path), f"Received: path={path}")
    with copied(trained) as (archive, notes):
        return export_archive(archive, path, version, _about(config, notes), source=trained)


@contextlib.contextmanager
def copied(trained):
    """A copy of a run's trained model, and what is noted with it: a training may replace the file.

    Says so where a longer training is under way.

    Raises:
        ValueError: it is damaged, or of no finished training.
    """
    with tempfile.TemporaryDirectory() as folder:
        archive = shutil.copy(trained, folder)
        notes = _finished_notes(archive, trained)
        _tell_of_newer(os.path.dirname(trained), notes)
        yield archive, notes


def trained_file(folder):
    """The model that a finished training left in a run folder."""
    trained = os.path.join(folder, "model.keras")
    if not os.path.exists(trained):
        raise FileNotFoundError(
            "Expected a finished training, with model.keras; the same `kgen train` command goes on "
            f"with one that is not. Received: {folder}"
        )
    return trained


def _finished_notes(path, source):
    """What is noted with the model of a finished training.

    Args:
        path: str. The file, or a copy of it.
        source: str. What an error calls it.

    Raises:
        ValueError: it is damaged, or of no finished training.
    """
    what = flaw(path)
    if what is not None:
        raise ValueError(
            f"Expected a whole model. Received: {source}, which {what}. The same `kgen train` "
            "command writes it anew."
        )
    notes = read_notes(path)
    if not _NOTED <= notes.keys():
        raise ValueError(
            f"Expected the model of a finished training. Received: {source}, which has no "
            "figures. The same `kgen train` command writes it anew."
        )
    return notes


def _tell_of_newer(run, notes):
    checkpoint = os.path.join(run, "checkpoint")
    names = os.listdir(checkpoint) if os.path.isdir(checkpoint) else []
    epochs = max((position(name)[0] for name in names if position(name)), default=0)
    if epochs > notes["epoch"]:
        print(
            f"{run} has {epochs} epochs of a training that is not finished. Taken is the model "
            f"of {notes['epoch']}, which the last finished training left."
        )


def _about(config, notes):
    """What the model card says of a run's data, training and figures, in Markdown."""
    logged = notes["figures"]  # of the best model all logs, those of training among them
    tested = {name: value for name, value in logged.items() if name.startswith("val_")} or logged
    figures = ", ".join(f"{k.removeprefix('val_')} {v:.6g}" for k, v in tested.items())
    facts = notes["data_set"]
    versions = ", ".join(f"{name} {version}" for name, version in notes["versions"].items())
    return (
        f"- Data: {facts['name']}, {facts['train_images']} images for training. Licence of the "
        f"data: {facts['license'] or 'not known'}.\n"
        f"- Training: {notes['epoch']} epochs, batches of {config['data']['batch_size']}, seed "
        f"{config['seed']}, {config['precision']}, on {config['backend']} ({versions}).\n"
        f"- Figures on the test images: {figures}."
    )
