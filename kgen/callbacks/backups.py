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

import keras
import numpy as np

from kgen import backend
from kgen.callbacks.differences import check_same
from kgen.keras_file import BACKUP, NOTES, flaw, position, read_notes
from kgen.warn import warn
from kgen.whole_file import remove_unfinished, replacing

_PARTS = ".tmp-parts-"
_NOT_COMPARED = ("name", "module", "registered_name", "build_config")


def paths(folder):
    """The backups in a folder, oldest first."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [os.path.join(folder, name) for name in sorted(filter(position, names), key=position)]


def newest(folder, trained=None):
    """The newest state that is whole, or None where there are none at all.

    Args:
        folder: str. Of backups.
        trained: str or None. A state of another name, as `save` writes it; there or not.

    Raises:
        ValueError: there are some, and none is whole.
    """
    found = paths(folder)[::-1]
    if trained is not None and os.path.exists(trained):
        found.insert(_num_as_new(found, trained), trained)
    flaws = {}
    for path in found:
        what = flaw(path)
        if what is None:
            for other, its in flaws.items():
                warn(f"{other} {its}, and {path} is used instead.")
            return path
        if not os.path.exists(path):  # a training has gone on meanwhile
            return newest(folder, trained)
        flaws[path] = what
    if flaws:
        received = "; ".join(f"{path}, which {what}" for path, what in flaws.items())
        raise ValueError(
            f"Expected a whole state of the training. Received: {received}. Bring back a copy, or "
            "delete what is damaged to start anew."
        )
    return None


def _num_as_new(found, trained):
    """How many of some backups, the newest first, are at least as new as another state."""
    if flaw(trained) is not None:
        return 0
    notes = read_notes(trained)
    its = notes["epoch"], notes["batch"]
    return sum(position(os.path.basename(path)) >= its for path in found)


def adopt(trained, folder):
    """Puts a state of another name among the backups of a folder, if it is newer than they are.

    Args:
        trained: str. A state as `save` writes it; there or not.
        folder: str.

    Returns:
        Whether it is so.
    """
    if newest(folder, trained) != trained:
        return False
    path = _path(folder, read_notes(trained))
    with replacing(path) as temporary:
        try:
            os.link(trained, temporary)  # a full disk has room for it
        except OSError:
            shutil.copyfile(trained, temporary)
    return True


def write(folder, model, notes):
    """Writes a backup.

    Args:
        folder: str. It is made if it is missing.
        model: a compiled kgen model.
        notes: dict with the position, "epoch" and "batch", of what JSON can hold.

    Returns:
        Its path.
    """
    path = _path(folder, notes)
    with (
        replacing(path) as temporary,
        tempfile.TemporaryDirectory(prefix=_PARTS, dir=folder) as parts,
    ):
        # A file that Keras zips, it holds in memory.
        _save_model(model, parts, zipped=False)
        with zipfile.ZipFile(temporary, "w") as archive:
            for name in sorted(os.listdir(parts)):
                archive.write(os.path.join(parts, name), name)
            archive.writestr(NOTES, json.dumps(notes))
    return path


def _path(folder, notes):
    return os.path.join(folder, f"epoch-{notes['epoch']:04d}-batch-{notes['batch']:06d}.keras")


def save(path, model, notes):
    """Writes a state as `write` does, but of any name, and in half the room on the disk.

    Args:
        path: str. It ends in .keras.
        model: a compiled kgen model.
        notes: dict, as `write` takes it.
    """
    with replacing(path) as temporary:
        _save_model(model, temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(NOTES, json.dumps(notes))


def _save_model(model, path, **kwargs):
    """Keras' function, which makes a variable whenever it saves an optimizer.

    Under a strategy all processes would have to do that together.
    """
    try:
        backend.without_strategy(keras.saving.save_model, model, path, **kwargs)
    except RuntimeError as error:  # as HDF5 calls a full disk when it closes a file
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def delete_all_but(folder, kept):
    """Deletes backups, and what a kill left of one that was being written."""
    kept = {os.path.basename(path) for path in kept}
    for name in os.listdir(folder):
        if name.startswith(_PARTS):
            shutil.rmtree(os.path.join(folder, name))
        elif position(name) and name not in kept:
            os.remove(os.path.join(folder, name))
    remove_unfinished(folder, BACKUP.pattern)


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
    try:
        check_same(notes["settings"], settings, f"the backup {path}", "in the backup")
    except ValueError as error:
        raise ValueError(f"{error}{other_keras(notes)}") from None
    try:
        model.load_weights(path)  # scaled learning rates among them
    except Exception as error:  # Keras raises anything from KeyError to BadZipFile.
        raise ValueError(
            f"Expected a backup whose weights Keras reads. Received: {path}: {error}. Delete it to "
            "go on from the one before."
        ) from error
    model.optimizer.learning_rate_scale = notes["learning_rate_scale"]
    return notes


def other_keras(notes):
    """What to do where a state is of another Keras, as a line for an error; empty where it is not.

    Args:
        notes: dict. Of the state.
    """
    version = notes["settings"].get("keras")
    if version == keras.__version__:
        return ""
    return f"\nIt is of another Keras: pip install keras=={version}"


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
