"""A `.keras` file with the state of a training, looked at without Keras.

It holds what Keras keeps of a model, and `backup.json`: where the training stood, and what must be
the same to go on with it.
"""

import json
import os
import re
import zipfile

from kgen.printable import printable

NOTES = "backup.json"

PUBLISHED = "published"
"""What is noted of a model without its optimizers' state."""

BACKUP = re.compile(r"epoch-(\d+)-batch-(\d+)\.keras")
"""The names of backups, by the epochs and batches that are behind them."""

_NOTED = {
    "epoch": int,
    "batch": int,
    "begun": bool,
    "ahead": int,
    "logged": list,
    "replicas": int,
    "learning_rate_scale": (int, float),
    "settings": dict,
}

_INFLATED = 20
"""A file's members are this many times its size at most: weights hardly get smaller in a zip."""


def flaw(path):
    """What is wrong with a file, as it follows "which"; None of one that is whole.

    Args:
        path: str.
    """
    try:
        if not os.path.getsize(path):
            return "is empty"
        with zipfile.ZipFile(path) as archive:
            size, inflated = os.path.getsize(path), sum(i.file_size for i in archive.infolist())
            if inflated > _INFLATED * size:
                return f"would inflate from {size:,} bytes to {inflated:,}"
            damaged = archive.testzip()
            if damaged is not None:
                return f"is damaged in {damaged}"
            if NOTES not in archive.namelist():
                return f"has no {NOTES}, as kgen writes it"
            notes = json.loads(archive.read(NOTES))
            lacking = [k for k, kind in _NOTED.items() if not isinstance(notes.get(k), kind)]
    except FileNotFoundError:
        return "is gone"
    except Exception:  # whatever a damaged file raises
        return "is damaged"
    return f"lacks {', '.join(lacking)} in {NOTES}" if lacking else None


def unreadable(path, error):
    """What is said of a whole file that Keras cannot make a model of.

    Args:
        path: str.
        error: what Keras says.
    """
    return (
        "Expected a model of this kgen, this Keras and classes that it can import. Received: "
        f"{printable(path)}: {printable(error)}"
    )


def position(name):
    """(epoch, batch) of a backup by its file's name, or None of another file's."""
    match = BACKUP.fullmatch(name)
    return match and tuple(map(int, match.groups()))


def read_notes(path):
    """What was noted with a state: a dict, its position as "epoch" and "batch"."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(NOTES))


def is_published(path):
    """Whether a file is of a published model: there, readable, and noted to be so."""
    try:
        return bool(read_notes(path).get(PUBLISHED))
    except Exception:  # whatever a damaged file raises, which `flaw` tells of
        return False
