"""What a run folder keeps in text: its settings and its history."""

import csv
import importlib
import json
import os
import platform

import keras
import numpy as np

from kgen.callbacks.differences import check_same
from kgen.runs.config import read_config
from kgen.version import __version__
from kgen.whole_file import check_can_hold, replacing

NOTES = ("data_set", "versions")  # what a config says besides the settings


def check_folder(folder, config):
    """Raises an error where a run cannot be written, or be gone on with.

    Raises:
        ValueError: the folder holds a run with other settings, or something else.
        OSError: it is no folder, or none to write in.
    """
    check_can_hold(os.path.abspath(folder), f"Received: run={folder}")
    earlier = read_config(folder)
    if earlier is not None:
        settings = {name: value for name, value in earlier.items() if name not in NOTES}
        check_same(settings, config, f"the run folder {folder}", "in the folder")
        return
    held = os.listdir(folder) if os.path.isdir(folder) else []
    held = sorted(name for name in held if not name.startswith("."))
    if held:
        raise ValueError(
            "Expected a new or empty folder, or that of a run, with a config.json. Received: "
            f"run={folder}, which holds {', '.join(held[:3])}{' ...' * (len(held) > 3)}"
        )


def write_json(path, values):
    """Writes a file, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(values, file, indent=2)
        file.write("\n")


def save_model(model, path):
    """Saves a model as `.keras`, whole or not at all.

    Args:
        model: keras.Model.
        path: str. Its folder is made if it is missing.
    """
    with replacing(path) as temporary:
        model.save(temporary)


def drop_rows(path, done):
    """Cuts a history back to the epochs that were whole at the backup."""
    if not os.path.exists(path):
        return
    with open(path, newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    rows = [row for row in rows if int(row[header.index("epoch")]) < done]
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        if rows:
            csv.writer(file).writerows([header, *rows])


def versions():
    """The versions of what trains."""
    modules = (keras, importlib.import_module(keras.backend.backend()), np)
    installed = {module.__name__: module.__version__ for module in modules}
    return {"kgen": __version__, "python": platform.python_version()} | installed
