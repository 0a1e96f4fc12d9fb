"""A run folder, read."""

import dataclasses
import inspect
import os

import keras
from keras import ops

from kgen.callbacks import backups
from kgen.data import load as load_data
from kgen.keras_file import read_notes, unreadable
from kgen.runs.config import require_config
from kgen.runs.data_set import check_there, facts_of, warn_of_changes
from kgen.runs.named import folder_of


@dataclasses.dataclass
class Run:
    """A run folder, read.

    Attributes:
        folder: str. Where it is.
        config: dict. What `config.json` holds.
        model: the model as of the newest state.
    """

    folder: str
    config: dict
    model: keras.Model

    def data(self):
        """The run's data set, as `kgen.data.load` gives it; warns where it has changed."""
        try:
            given = inspect.signature(load_data).bind(**self.config["data"])
        except TypeError as error:
            raise ValueError(
                f"Expected the arguments of kgen.data.load in {self.path('config.json')}. "
                f"Received: data={self.config['data']}: {error}. Bring back a copy of the file."
            ) from error
        source, noted = given.arguments["source"], self.config["data_set"]
        check_there(source, noted)
        data = load_data(*given.args, **given.kwargs)
        warn_of_changes(noted, facts_of(data, source), "and what follows is of what they are now")
        return data

    @property
    def steps(self):
        """How many steps the model has learned."""
        return int(ops.convert_to_numpy(self.model.steps))

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
    """Reads a run folder, in the middle of a training too.

    Args:
        folder: str. What `train` wrote, finished or not, or a trained model's name.

    Returns:
        The `Run`, with its model as of the newest state that is whole: a backup's or model.keras.

    Raises:
        FileNotFoundError: the folder holds no run, or no trained model yet.
        ValueError: what it holds is damaged.
    """
    config = require_config(folder)
    folder = folder_of(folder)
    checkpoint, trained = (os.path.join(folder, name) for name in ("checkpoint", "model.keras"))
    while True:
        path = backups.newest(checkpoint, trained)
        if path is None:
            raise FileNotFoundError(
                "Expected a trained model or a backup of one, which the same `kgen train` command "
                f"writes. Received: {folder}, which has none"
            )
        try:
            return Run(folder, config, keras.saving.load_model(path))
        except Exception as error:  # Keras raises anything from KeyError to BadZipFile.
            if os.path.exists(path):  # else a training has gone on meanwhile
                other = backups.other_keras(read_notes(path))
                raise ValueError(f"{unreadable(path, error)}{other}") from error
