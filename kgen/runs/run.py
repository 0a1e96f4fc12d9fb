"""A run folder, read."""

import dataclasses
import inspect
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

    def verb(self, name, *arguments):
        """A method of the model.

        Args:
            name: str.
            *arguments: str. What it has to take.

        Raises:
            ValueError: the model has none, or it does not take these.
        """
        kind, method = type(self.model).__name__, getattr(self.model, name, None)
        if method is None:
            raise ValueError(f"Expected a model that can {name}. Received: {kind}")
        missing = sorted(set(arguments) - inspect.signature(method).parameters.keys())
        if missing:
            raise ValueError(
                f"Expected a model whose {name} takes {', '.join(missing)}. Received: {kind}"
            )
        return method


def load(folder: str) -> Run:
    """Reads a run folder.

    Args:
        folder: str. What `train` wrote, finished or not.

    Returns:
        The `Run`, with its model as of the last backup.

    Raises:
        FileNotFoundError: the folder holds no run, or no trained model yet.
        ValueError: what it holds is damaged.
    """
    config = require_config(folder)
    path = backups.newest(os.path.join(folder, "checkpoint")) or os.path.join(folder, "model.keras")
    if not os.path.exists(path):
        raise FileNotFoundError(f"Expected a backup of the training in {folder}.")
    try:
        return Run(folder, config, keras.saving.load_model(path))
    except Exception as error:  # Keras raises anything from KeyError to BadZipFile.
        raise ValueError(
            f"Expected a whole model of this kgen. Received: {path}: {error}"
        ) from error
