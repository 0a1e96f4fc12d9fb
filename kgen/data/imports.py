"""Optional packages, imported only when a source or an augmentation needs them."""

import contextlib
import importlib
from types import ModuleType

import keras


def require(module: str, package: str, needed_for: str) -> ModuleType:
    """Imports `module`, or says what to install and what it is needed for."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{needed_for} needs the package {package}, which cannot be imported here ({error}). "
            f"Install it with: pip install {package}"
        ) from error


def require_tensorflow(needed_for: str) -> ModuleType:
    """Imports TensorFlow, and keeps it off the GPU when another backend trains there."""
    tensorflow = require("tensorflow", "tensorflow", needed_for)
    if keras.backend.backend() != "tensorflow":
        # TensorFlow only prepares data here; on the GPU it would take all the memory that the
        # model needs. A RuntimeError means that it is running already: then it is too late.
        with contextlib.suppress(RuntimeError):
            tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow
