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
    return sorted(
        each.name
        for folder in _folders()
        for each in (folder.iterdir() if folder.is_dir() else ())
        if (each / "config.json").is_file() and (each / "model.keras").is_file()
    )


def folder_of(run):
    """The folder of a run, or of a trained model that is given by its name."""
    if not os.path.exists(run) and run in names():
        return str(next(each / run for each in _folders() if (each / run).is_dir()))
    return run


def written(run, name):
    """Where a file goes that is made of a run, if nothing is said: a named model has no such place.

    Args:
        run: str. A run folder, or a trained model's name.
        name: str. The file's.
    """
    return os.path.join(run, name) if os.path.exists(run) else f"{run}-{name}"


def hint(run):
    """What an error says of a name that is none, with a space before it; empty of a path."""
    if os.path.exists(run) or os.path.basename(run) != run:
        return ""
    known = names()
    if not known:
        return (
            " Trained models have names where saved_models/ of kgen's repository is the current "
            f"folder's, or what {VARIABLE} says."
        )
    return f" Trained models: {', '.join(known)}.{nearest(known, run)}"


def _folders():
    of_variable = [Path(os.environ[VARIABLE]).expanduser()] if os.environ.get(VARIABLE) else []
    beside = Path(__file__).parents[2] / "saved_models"
    return [
        *of_variable,
        Path("saved_models"),
        *([beside] * (beside != Path.cwd() / "saved_models")),
    ]
