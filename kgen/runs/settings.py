"""What can be set of each model on the command line, and in a run."""

import difflib

from kgen.models.catalog import MODELS
from kgen.models.generative_model import GenerativeModel
from kgen.runs.arguments import plain_arguments


def model_class(name: str) -> type:
    """The class of a model by its name in `MODELS`."""
    return _nearest(MODELS, name, "model")


def own_arguments(model_class: type) -> dict:
    """Of each class that takes part in a model's, itself first, its own plain arguments."""
    not_settings = {"num_classes", "seed"}
    found = {}
    for part in model_class.__mro__:
        if "__init__" in vars(part) and issubclass(part, GenerativeModel):
            arguments = plain_arguments(part.__init__)
            found[part] = {k: v for k, v in arguments.items() if k not in not_settings}
            not_settings |= arguments.keys()
    return found


def all_arguments(model_class: type, given: dict) -> dict:
    """What a model's class will be called with: its defaults and what is given instead."""
    parts = own_arguments(model_class).values()
    known = {name: default for part in parts for name, (_, default) in part.items()}
    for name in given:
        _nearest(known, name, f"an argument of {model_class.__name__}")
    return known | given


def _nearest(known, name, what):
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"Expected {what}: one of {', '.join(known)}.{hint} Received: {name}")
    return known[name]
