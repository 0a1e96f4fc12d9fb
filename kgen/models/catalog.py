"""The models by their names on the command line, and what can be set of each."""

import difflib
import inspect

from kgen.models.autoencoder import Autoencoder
from kgen.models.vae import VAE

MODELS = {"autoencoder": Autoencoder, "vae": VAE}


def model_class(name: str) -> type:
    """The class of a model by its name in `MODELS`."""
    return _nearest(MODELS, name, "model")


def model_arguments(model_class: type) -> dict:
    """The arguments of a model's class that are plain settings, with their defaults."""
    not_settings = {"self", "image_shape", "encoder", "decoder", "num_classes", "seed", "kwargs"}
    parameters = inspect.signature(model_class.__init__).parameters
    return {name: p.default for name, p in parameters.items() if name not in not_settings}


def all_arguments(model_class: type, given: dict) -> dict:
    """What a model's class will be called with: its defaults and what is given instead."""
    known = model_arguments(model_class)
    for name in given:
        _nearest(known, name, f"an argument of {model_class.__name__}")
    return known | given


def _nearest(known, name, what):
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"Expected {what}: one of {', '.join(known)}.{hint} Received: {name}")
    return known[name]
