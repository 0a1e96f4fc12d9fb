"""kgen: deep generative image models on Keras 3."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kgen import callbacks, data, losses, networks, pictures, runs
    from kgen.models.autoencoder import Autoencoder
    from kgen.models.vae import VAE

__version__ = "0.1.0"
__all__ = [
    "VAE",
    "Autoencoder",
    "callbacks",
    "data",
    "losses",
    "networks",
    "pictures",
    "runs",
]

_MODELS = {"Autoencoder": "kgen.models.autoencoder", "VAE": "kgen.models.vae"}


def __getattr__(name):
    # Looked up when used, so that the command line can choose the backend before Keras does.
    if name in _MODELS:
        return getattr(import_module(_MODELS[name]), name)
    if name in __all__:
        return import_module(f"kgen.{name}")
    raise AttributeError(f"module 'kgen' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
