"""Trained models by their names, found without Keras.

Each is a run folder that `kgen publish` wrote. Those of the project are in saved_models/ of its
repository, which an installed package does not have.
"""

import os
from pathlib import Path

from kgen.runs.catalog import nearest

VARIABLE = "KGEN_SAVED_MODELS"


def names():
    """The trained models that are at hand, in the order of the alphabet."""
    return sorted(_found())


def folder_of(run):
    """The folder of a run, or of a trained model that is given by its name."""
    return run if _is_path(run) else _found()[run]


def written(run, name):
    """The default path of a file made of a run; of a named model it is in the current folder.

    Args:
        run: str. A run folder, or a trained model's name.
        name: str. The file's.
    """
    return os.path.join(run, name) if _is_path(run) and os.path.exists(run) else f"{run}-{name}"


def hint(run):
    """What an error says of a name that is none, with a space before it; empty of a path."""
    if os.path.basename(run) != run:
        return ""
    known = names()
    if not known:
        return (
            " Trained models have names where saved_models/ of kgen's repository is the current "
            f"folder's, or what {VARIABLE} says."
        )
    return f" Trained models: {', '.join(known)}.{nearest(known, run)}"


def _is_path(run):
    """Whether it is no name, or also that of a run folder here, which goes first."""
    return os.path.isfile(os.path.join(run, "config.json")) or run not in _found()


def _found():
    """The folders of the trained models by name."""
    found = {}
    for folder in _folders():
        for each in folder.iterdir() if folder.is_dir() else ():
            if (each / "config.json").is_file() and (each / "model.keras").is_file():
                found.setdefault(each.name, str(each))
    return found


def _folders():
    of_variable = os.environ.get(VARIABLE)
    beside = Path(__file__).parents[2] / "saved_models"
    return [
        Path(os.path.expanduser(each)) for each in (of_variable, "saved_models", beside) if each
    ]
