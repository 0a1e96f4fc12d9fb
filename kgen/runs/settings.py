"""What can be set of each model on the command line, and in a run."""

import kgen
from kgen.models.generative_model import GenerativeModel
from kgen.runs.arguments import plain_arguments
from kgen.runs.catalog import MODELS, require_known


def model_class(name: str) -> type:
    """The class of a model by its name in `MODELS`."""
    require_known(MODELS, name, "model")
    return getattr(kgen, MODELS[name])


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
        require_known(known, name, f"an argument of {model_class.__name__}")
    return known | given
