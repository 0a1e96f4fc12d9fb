"""Trained models: loaded by name, folder or file, and published for others to load."""

import json
import os
import shutil
import zipfile

import keras

from kgen.callbacks import backups
from kgen.keras_file import PUBLISHED, flaw, is_published, read_notes, unreadable
from kgen.models.image_model import ImageModel
from kgen.runs import run as runs
from kgen.runs.config import require_config
from kgen.runs.exporting import copied, trained_file
from kgen.runs.named import folder_of
from kgen.whole_file import check_can_hold, replacing

_LATER = {
    "input_axes": None,
    "output_axes": None,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
"""Arguments of Keras 3.15's classes that those of 3.13 lack, and what they are by default."""

_BESIDE = (
    "config.json",
    "history.csv",
    "results.json",
    "losses.png",
    "samples.png",
    "reconstructions.png",
    "completions.png",
    "codes.png",
)


def load(source: str) -> ImageModel:
    """A trained model, on any backend.

    Args:
        source: str. The name of a trained model, such as "mnist_dcgan": the folders in
            saved_models/ of kgen's repository, looked for in the current folder, beside the
            package, and where the variable KGEN_SAVED_MODELS says. Or a run folder, finished or
            not; or a `.keras` file.

    Returns:
        The model.

    Raises:
        FileNotFoundError: there is none of the name; the message has the nearest.
        ValueError: what is there is damaged, or no model of kgen's.
    """
    if not os.path.isfile(source):
        return runs.load(source).model
    try:
        model = keras.saving.load_model(source)
    except Exception as error:  # Keras raises anything from KeyError to BadZipFile.
        other = backups.other_keras(read_notes(source)) if flaw(source) is None else ""
        raise ValueError(f"{unreadable(source, error)}{other}") from error
    if not isinstance(model, ImageModel):
        raise ValueError(
            "Expected a model of kgen's, or a subclass of kgen.ImageModel. Received: "
            f"{source}, a {type(model).__name__}"
        )
    return model


def publish(run: str, path: str | None = None) -> str:
    """Writes what others need of a trained run: the model without what was for its training.

    That is its optimizers' state, and the weights that an average replaces. The folder is read as a
    run is: `kgen sample`, `kgen demo`, `kgen export` and `kgen.load` take it, with the oldest Keras
    that kgen takes too; to train it further needs the run itself.

    Args:
        run: str. The run folder, of a finished training.
        path: str. The folder. Defaults to saved_models/ and the run folder's name.

    Returns:
        Its path.

    Raises:
        FileNotFoundError: the run is not finished.
        ValueError: it is damaged, or the path is that of a run.
    """
    require_config(run)
    folder = folder_of(run)
    trained = trained_file(folder)
    path = path or os.path.join("saved_models", os.path.basename(os.path.abspath(folder)))
    _check_is_free(path, folder)
    check_can_hold(os.path.abspath(path), f"Received: path={path}")
    with copied(trained) as (archive, notes):
        whole = os.path.join(os.path.dirname(archive), "whole.keras")
        backups.save(whole, load(archive).published(), notes | {PUBLISHED: True})
        with replacing(os.path.join(path, "model.keras")) as temporary:
            _write_for_older_keras(whole, temporary)
    for name in _BESIDE:
        if os.path.exists(os.path.join(folder, name)):
            with replacing(os.path.join(path, name)) as temporary:
                shutil.copy(os.path.join(folder, name), temporary)
    print(f"Wrote {path}")
    return path


def _check_is_free(path, folder):
    """Raises a ValueError where files would be overwritten that are no published model's."""
    held = [name for name in ("model.keras", *_BESIDE) if os.path.exists(os.path.join(path, name))]
    is_anothers = held and not is_published(os.path.join(path, "model.keras"))
    if is_anothers or os.path.realpath(path) == os.path.realpath(folder):
        raise ValueError(
            "Expected a new folder, or that of a published model, not a run's own. Received: "
            f"path={path}, which holds {', '.join(held[:3])}"
        )


def _write_for_older_keras(source, path):
    """Copies a `.keras` file without the arguments that older ones do not know."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(path, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                content = json.dumps(_without_later(json.loads(content)))
            copy.writestr(name, content)


def _without_later(config):
    if isinstance(config, list):
        return [_without_later(each) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        name: _without_later(value)
        for name, value in config.items()
        if name not in _LATER or value != _LATER[name]
    }
