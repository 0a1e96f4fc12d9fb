"""What a run folder keeps in text: its settings and its history."""

import csv
import importlib
import json
import os
import platform

import keras
import numpy as np

from kgen.callbacks import backups
from kgen.callbacks.differences import check_same
from kgen.keras_file import is_published
from kgen.runs.config import read_config
from kgen.version import __version__
from kgen.whole_file import check_can_hold, flush, replacing

NOTES = ("data_set", "versions", "evaluate")
"""What a config says besides the settings of a training."""


def check_folder(folder, config):
    """Raises an error where a run cannot be written, or be gone on with.

    Raises:
        ValueError: the folder holds a run with other settings, or something else.
        OSError: it is no folder, or none to write in.
    """
    check_can_hold(os.path.abspath(folder), f"Received: run={folder}")
    earlier = read_config(folder)
    if earlier is not None:
        if not is_begun(folder):
            return
        check_same(
            settings_of(earlier), settings_of(config), f"the run folder {folder}", "in the folder"
        )
        _require_state(folder)
        return
    held = os.listdir(folder) if os.path.isdir(folder) else []
    held = sorted(name for name in held if not name.startswith("."))
    if held:
        raise ValueError(
            "Expected a new or empty folder, or that of a run, with a config.json. Received: "
            f"run={folder}, which holds {', '.join(held[:3])}{' ...' * (len(held) > 3)}"
        )


def is_begun(folder):
    """Whether a run has a state or epochs, and not settings alone, which may still be others."""
    parts = (os.path.join(folder, each) for each in ("checkpoint", "history.csv", "model.keras"))
    return any(os.path.exists(part) for part in parts)


def settings_of(config):
    """What of a config a training has to keep to."""
    return {name: value for name, value in config.items() if name not in NOTES}


def _require_state(folder):
    """Raises a ValueError where epochs were trained, and no state is left of them."""
    history = os.path.join(folder, "history.csv")
    epochs = len(read_history(history)[1]) if os.path.exists(history) else 0
    trained = os.path.join(folder, "model.keras")
    if is_published(trained):
        raise ValueError(
            f"Expected a run, with its optimizers' state. Received: run={folder}, a published "
            "model without it. Go on with the run that it is of, or train into another folder."
        )
    if epochs and backups.newest(os.path.join(folder, "checkpoint"), trained) is None:
        raise ValueError(
            f"Expected a state to go on from, as {history} has {epochs} epochs. Received: "
            f"run={folder}, with no backup in checkpoint and no model.keras. Bring them back, or "
            "delete history.csv to start anew."
        )


def write_json(path, values):
    """Writes a file, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w") as file:
        json.dump(values, file, indent=2)
        file.write("\n")


def read_history(path):
    """The header of a history and its rows, lists of str, but for a last one that is cut short.

    Raises:
        ValueError: it is none.
    """
    try:
        with open(path, newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row] or [["epoch"]]
        if rows and len(rows[-1]) < len(header):
            rows.pop()
        column = header.index("epoch")
        is_whole = all(len(row) == len(header) and row[column].isdecimal() for row in rows)
    except (ValueError, csv.Error):
        is_whole = False
    if not is_whole:
        raise ValueError(
            "Expected the history.csv of a run, rows of numbers below a header with epoch. "
            f"Received: {path}, which is damaged. Bring back a copy, or delete it: a training goes "
            "on without it."
        )
    return header, rows


def drop_rows(path, done):
    """Cuts a history back to the epochs that were whole at the backup."""
    if not os.path.exists(path):
        return
    header, rows = read_history(path)
    rows = [row for row in rows if int(row[header.index("epoch")]) < done]
    _write_history(path, [header, *rows] if rows else [])


def add_row(path, values):
    """Adds a row to a history, with new columns for what the epochs before did not log.

    The disk has the row when this returns.

    Args:
        path: str. There may be no file yet.
        values: dict of "epoch" and the epoch's logs.
    """
    header, rows = read_history(path) if os.path.exists(path) else ([], [])
    new = [name for name in values if name not in header]
    if new:
        header = [*header, *new]
        _write_history(path, [header, *([*row, *["NA"] * len(new)] for row in rows)])
    with open(path, "a", newline="") as file:
        csv.writer(file).writerow([values.get(name, "NA") for name in header])
    flush(path)


def _write_history(path, rows):
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        csv.writer(file).writerows(rows)


def versions():
    """The versions of what trains."""
    modules = (keras, importlib.import_module(keras.backend.backend()), np)
    installed = {module.__name__: module.__version__ for module in modules}
    return {"kgen": __version__, "python": platform.python_version()} | installed
