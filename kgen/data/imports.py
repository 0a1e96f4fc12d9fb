"""Optional packages, imported only when a source or an augmentation needs them."""

import contextlib
import importlib
from types import ModuleType

import keras


def require(module: str, packages: str, needed_for: str) -> ModuleType:
    """Imports `module`, or says what to install, all of it at once, and what it is needed for."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        named = f"package{'s' * (' ' in packages)} {packages.replace(' ', ' and ')}"
        raise ImportError(
            f"{needed_for} needs the {named}; {module} cannot be imported here ({error}). Install "
            f"with: pip install {packages}"
        ) from error


def require_tensorflow(needed_for: str, packages: str = "tensorflow") -> ModuleType:
    """Imports TensorFlow, and keeps it off the GPU when another backend trains there."""
    tensorflow = require("tensorflow", packages, needed_for)
    if keras.backend.backend() != "tensorflow":
        # TensorFlow only prepares data here; on the GPU it would take all the memory that the
        # model needs. A RuntimeError means that it is running already: then it is too late.
        with contextlib.suppress(RuntimeError):
            tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow
