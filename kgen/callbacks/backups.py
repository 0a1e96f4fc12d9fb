"""The exact state of a training as a file: written whole or not at all, proved before it is read.

A backup is a `.keras` file, with `backup.json` in it beside what Keras keeps: where in the data the
training stood, what it had logged of the epoch, and the settings that must be the same to go on.
"""

import json
import os
import re
import shutil
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from kgen.callbacks.differences import check_same
from kgen.warn import warn
from kgen.whole_file import replacing

NOTES = "backup.json"
_NAME = re.compile(r"epoch-(\d+)-batch-(\d+)\.keras")
_PARTS = ".tmp-parts-"
_NOT_COMPARED = ("name", "module", "registered_name", "build_config")


def paths(folder):
    """The backups in a folder, oldest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [name for name in names if _NAME.fullmatch(name)]
    return [os.path.join(folder, name) for name in sorted(found, key=_position)]


def _position(name):
    return tuple(map(int, _NAME.fullmatch(name).groups()))


def newest(folder):
    """The newest backup in a folder that is whole, or None where there are none at all.

    Raises:
        ValueError: there are some, and none is whole.
    """
    found = paths(folder)
    for path in reversed(found):
        if is_whole(path):
            return path
        warn(f"{path} is damaged, and the backup before it is used.")
    if found:
        raise ValueError(
            f"Expected a backup that is whole in {folder}. Received: {', '.join(found)}, all of "
            "them damaged. Delete them to start anew, or bring back a copy."
        )
    return None


def is_whole(path):
    """Whether a backup can be read and all its checksums are right."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None and NOTES in archive.namelist()
    except Exception:  # whatever a damaged file raises
        return False


def read_notes(path):
    """What `write` was given besides the model."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(NOTES))


def write(folder, model, notes):
    """Writes a backup.

    Args:
        folder: str. It is made if it is missing.
        model: a compiled kgen model.
        notes: dict with the position, "epoch" and "batch", of what JSON can hold.

    Returns:
        Its path.
    """
    path = os.path.join(folder, f"epoch-{notes['epoch']:04d}-batch-{notes['batch']:06d}.keras")
    with (
        replacing(path) as temporary,
        tempfile.TemporaryDirectory(prefix=_PARTS, dir=folder) as parts,
    ):
        # A file that Keras zips, it holds in memory.
        _in_a_thread(keras.saving.save_model, model, parts, zipped=False)
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in sorted(os.listdir(parts)):
                archive.write(os.path.join(parts, name), name)
            archive.writestr(NOTES, json.dumps(notes))
    return path


def _in_a_thread(function, *args, **kwargs):
    """Calls a function where no strategy is set.

    Keras makes a variable whenever it saves an optimizer, which under a strategy all processes
    would have to do together.
    """
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(function, *args, **kwargs).result()


def delete_all_but(folder, kept):
    """Deletes backups, and what a kill left of one that was being written."""
    kept = {os.path.basename(path) for path in kept}
    for name in os.listdir(folder):
        if name.startswith(_PARTS):
            shutil.rmtree(os.path.join(folder, name))
        elif _NAME.fullmatch(name.removeprefix(".tmp-")) and name not in kept:
            os.remove(os.path.join(folder, name))


def restore(path, model, settings):
    """Gives a model the state of a backup.

    Args:
        path: str. A backup that is whole.
        model: a kgen model like the one that was saved, compiled in the same way.
        settings: dict. What `settings_of` gives now.

    Returns:
        The backup's notes.

    Raises:
        ValueError: the settings are not those of the backup.
    """
    notes = read_notes(path)
    check_same(notes["settings"], settings, f"the backup {path}", "in the backup")
    model.load_weights(path)  # scaled learning rates among them
    model.optimizer.learning_rate_scale = notes["learning_rate_scale"]
    return notes


def settings_of(model, reading):
    """What must be the same for a training to go on: the model, its optimizers, its data.

    Args:
        model: a compiled kgen model.
        reading: kgen.backend.Reading of what it is trained on.
    """
    arguments = {
        name: _plain(value)
        for name, value in model.get_config().items()
        if name != "name" and not isinstance(value, keras.Model)  # whose shapes are compared
    }
    arguments["dtype"] = model.dtype_policy.name
    return json.loads(
        json.dumps(
            {
                "model": type(model).__name__,
                "arguments": arguments,
                "weights": [list(variable.shape) for variable in model.variables],
                "optimizers": model.optimizer.compiled_with,
                "undecayed": model.optimizer.undecayed,
                "data": reading.settings,
                "keras": keras.__version__,
            }
        )
    )


def _plain(value):
    """A setting as JSON holds it; of an object its class and arguments, and no name of Keras'."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if name not in _NOT_COMPARED}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if not hasattr(value, "get_config"):
        return getattr(value, "__qualname__", type(value).__qualname__)
    return _plain({"class": type(value).__name__} | value.get_config())


def broken_variables(model):
    """The paths of the trainable variables that hold NaN or infinity."""
    return [
        variable.path
        for variable in model.trainable_variables
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all()
    ]
