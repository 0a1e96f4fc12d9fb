"""kgen: deep generative image models on Keras 3."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kgen import callbacks, data, layers, losses, networks, pictures
    from kgen.models.autoencoder import Autoencoder
    from kgen.models.vae import VAE

_MODELS = {"Autoencoder": "kgen.models.autoencoder", "VAE": "kgen.models.vae"}
_MODULES = ("callbacks", "data", "losses", "networks", "pictures")

__all__ = [*_MODELS, *_MODULES, "__version__"]


def __getattr__(name):
    # Looked up when used, so that the command line can choose the backend before Keras does.
    if name in _MODELS:
        return getattr(import_module(_MODELS[name]), name)
    if name in _MODULES:
        return import_module(f"kgen.{name}")
    raise AttributeError(f"module 'kgen' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
