"""A run folder, read."""

import dataclasses
import os

import keras

from kgen.callbacks import backups
from kgen.data import load as load_data
from kgen.runs.config import require_config


@dataclasses.dataclass
class Run:
    """A run folder, read.

    Attributes:
        folder: str. Where it is.
        config: dict. What `config.json` holds.
        model: the model as of the last backup.
    """

    folder: str
    config: dict
    model: keras.Model

    def data(self):
        """The run's data set, as `kgen.data.load` gives it."""
        return load_data(**self.config["data"])

    def path(self, *names):
        """A path inside the folder."""
        return os.path.join(self.folder, *names)


def load(folder: str) -> Run:
    """Reads a run folder.

    Args:
        folder: str. What `train` wrote, finished or not.

    Returns:
        The `Run`, with its model as of the last backup.

    Raises:
        FileNotFoundError: the folder holds no run, or no trained model yet.
    """
    config = require_config(folder)
    path = backups.newest(os.path.join(folder, "checkpoint")) or os.path.join(folder, "model.keras")
    if not os.path.exists(path):
        raise FileNotFoundError(f"Expected a backup of the training in {folder}.")
    return Run(folder, config, keras.saving.load_model(path))
