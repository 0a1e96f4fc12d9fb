"""Which of Keras' backends are there, without importing any."""

import importlib.util
import json
import os

BACKENDS = ("tensorflow", "jax", "torch")


def is_installed(backend):
    """Whether Python finds a backend."""
    try:
        return bool(importlib.util.find_spec(backend))
    except ImportError:
        return False


def default_backend():
    """The backend of Keras' own settings, which computes where nothing else is chosen."""
    folder = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        with open(os.path.join(folder, "keras.json")) as file:
            return json.load(file).get("backend", BACKENDS[0])
    except (OSError, ValueError, AttributeError):
        return BACKENDS[0]


def missing(backend=None):
    """What to do where a backend is not installed, for an ImportError.

    Args:
        backend: str, the one that is asked for; None for any.
    """
    there = [each for each in BACKENDS if is_installed(each)]
    if backend is None:
        return f"Expected one of {', '.join(BACKENDS)} installed, as by `pip install jax`."
    or_one = f", or KERAS_BACKEND={there[0]} before the first import" if there else ""
    return (
        f"Expected {backend} installed, to compute with it: `pip install {backend}`{or_one}. "
        f"Received: backend={backend}, which Python does not find"
    )
