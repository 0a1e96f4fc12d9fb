"""Trained models: loaded by name, folder or file, and published for others to load."""

import os
import shutil

import keras

from kgen.callbacks import backups
from kgen.keras_file import PUBLISHED, unreadable
from kgen.models.image_model import ImageModel
from kgen.runs import run as runs
from kgen.runs.config import require_config
from kgen.runs.exporting import finished_notes, trained_file
from kgen.runs.named import folder_of
from kgen.whole_file import check_can_hold, replacing

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
        raise ValueError(unreadable(source, error)) from error
    if not isinstance(model, ImageModel):
        raise ValueError(
            "Expected a model of kgen's, or a subclass of kgen.ImageModel. Received: "
            f"{source}, a {type(model).__name__}"
        )
    return model


def publish(run: str, path: str | None = None) -> str:
    """Writes what others need of a trained run: the model without what was for its training.

    That is its optimizers' state, and of averaged weights those that are averaged.
    The folder is read as a run is: `kgen sample`, `kgen demo`, `kgen export` and `kgen.load` take
    it; to train it further needs the run itself.

    Args:
        run: str. The run folder, of a finished training.
        path: str. The folder. Defaults to saved_models/ and the run folder's name.

    Returns:
        Its path.
    """
    require_config(run)
    folder = folder_of(run)
    trained = trained_file(folder)
    notes = finished_notes(trained, trained)
    path = path or os.path.join("saved_models", os.path.basename(os.path.abspath(folder)))
    if os.path.realpath(path) == os.path.realpath(folder):
        raise ValueError(f"Expected another folder than the run's own. Received: path={path}")
    check_can_hold(os.path.abspath(path), f"Received: path={path}")
    model = load(trained).published()
    backups.save(os.path.join(path, "model.keras"), model, notes | {PUBLISHED: True})
    for name in _BESIDE:
        if os.path.exists(os.path.join(folder, name)):
            with replacing(os.path.join(path, name)) as temporary:
                shutil.copy(os.path.join(folder, name), temporary)
    print(f"Wrote {path}")
    return path
