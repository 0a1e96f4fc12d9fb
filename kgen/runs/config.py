"""A run folder's `config.json`, read without Keras: the command line asks it for the backend."""

import json
import os

SETTINGS = {"model", "arguments", "data", "data_set", "precision", "seed", "backend", "versions"}


def read_json(path, what):
    """What a file holds.

    Args:
        path: str.
        what: str. What the error calls it.

    Raises:
        ValueError: it is not JSON.
        OSError: it cannot be read.
    """
    try:
        with open(path) as file:
            return json.load(file)
    except ValueError as error:
        raise ValueError(
            f"Expected {what}. Received: {path}, which is not JSON: {error}"
        ) from error


def read_config(folder):
    """What a run folder's `config.json` holds, or None where there is none.

    Raises:
        ValueError: it is something else's.
    """
    path = os.path.join(folder, "config.json")
    if not os.path.isfile(path):
        return None
    config = read_json(path, "the config.json of a run")
    if not isinstance(config, dict) or not SETTINGS <= config.keys():
        named = sorted(config) if isinstance(config, dict) else type(config).__name__
        raise ValueError(f"Expected the config.json of a run. Received: {path}, one of {named}")
    return config


def require_config(folder):
    """What a run folder's `config.json` holds.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is something else's.
    """
    config = read_config(folder)
    if config is None:
        is_file = ", which is a file" if os.path.isfile(folder) else ""
        raise FileNotFoundError(
            "Expected a run folder with a config.json, as `kgen train` writes. Received: "
            f"{folder}{is_file}"
        )
    return config
