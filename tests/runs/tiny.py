"""A run that trains in a moment: an epoch is one step."""

import json
import pathlib

from kgen import runs

SETTINGS = {"dataset": "digits", "batch_size": 1500, "latent_dim": 1, "width": 4, "depth": 1}


def train(folder, epochs=1, **arguments):
    return runs.train("autoencoder", run=str(folder), epochs=epochs, **SETTINGS | arguments)


def steps(this):
    """How many steps a run's model is trained for."""
    return int(this.model.optimizer.iterations)


def results(folder):
    """The figures of a run's results.json."""
    found = json.loads((pathlib.Path(folder) / "results.json").read_text())
    assert len(found.pop("weights")) == 64
    return found
