"""The best model of a training by a figure, kept beside the last."""

import os
import shutil

import keras

from kgen import backend
from kgen.callbacks import backups
from kgen.keras_file import PUBLISHED, flaw, read_notes
from kgen.models.monitors import mode_of
from kgen.runs.config import read_config
from kgen.whole_file import replacing

FOLDER = "best"


class KeepBest(keras.callbacks.Callback):
    """Publishes the model into `best` of its run folder after each epoch that is better than all.

    Args:
        run: `kgen.runs.Run`.
        monitor: str. What is logged, as "val_kid".
        logged: float or None. What was logged last, of weights that are no more.
    """

    def __init__(self, run, monitor, logged=None):
        super().__init__()
        self._run, self._monitor, self._logged = run, monitor, logged
        self._is_lower = mode_of(monitor.removeprefix("val_")) == "min"
        self._best = None

    def on_train_begin(self, logs=None):
        path = self._run.path(FOLDER, "model.keras")
        if os.path.exists(path) and flaw(path) is None:
            self._best = read_notes(path)["figures"].get(self._monitor)

    def on_epoch_end(self, epoch, logs=None):
        value, before = (logs or {}).get(self._monitor), self._logged
        self._logged = value
        if value in (None, before) or not self._is_better(value):
            return
        self._best = value
        folder = self._run.path(FOLDER)
        with replacing(os.path.join(folder, "config.json")) as temporary:
            shutil.copy(self._run.path("config.json"), temporary)
        config = read_config(folder)
        with backend.synchronized():
            published = self.model.published()
        figures = {name: float(each) for name, each in logs.items()}
        of_run = {name: config[name] for name in ("data_set", "versions")}
        write(folder, published, epoch + 1, figures, **of_run)

    def _is_better(self, value):
        if self._best is None:
            return True
        return value < self._best if self._is_lower else value > self._best


def write(folder, published, epoch, figures, **of_run):
    """Writes a published model, of which there is no backup, into a run folder.

    Args:
        folder: str. It exists.
        published: a kgen model, as its `published()` gives it.
        epoch: int. How many it has learned.
        figures: dict of float by name, at its end.
        **of_run: what to note besides.
    """
    notes = {"epoch": epoch, "batch": 0, "begun": False, "ahead": 0, "logged": []}
    notes |= {"replicas": 1, "learning_rate_scale": 1.0, PUBLISHED: True}
    notes |= {"settings": {"keras": keras.__version__}, "figures": figures} | of_run
    backups.save(os.path.join(folder, "model.keras"), published, notes)
