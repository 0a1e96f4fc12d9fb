"""A run folder's `config.json`, read without Keras: the command line asks it for the backend."""

import json
import os

SETTINGS = {"model", "arguments", "data", "data_set", "precision", "seed", "backend", "versions"}


def read_config(folder):
    """What a run folder's `config.json` holds, or None where there is none."""
    path = os.path.join(folder, "config.json")
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file)


def require_config(folder):
    """What a run folder's `config.json` holds.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is something else's.
    """
    config = read_config(folder)
    if config is None:
        raise FileNotFoundError(
            f"Expected a run folder with a config.json, as `kgen train` writes. Received: {folder}"
        )
    if not SETTINGS <= config.keys():
        raise ValueError(f"Expected the config.json of a run. Received: one of {sorted(config)}")
    return config
