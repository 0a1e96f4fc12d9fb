"""Copies and configs of optimizers, with all that makes an optimizer what it is."""

import contextlib

import keras

from kgen.models.learning_rates import given_rate, innermost

_UNDECAYED = "_exclude_from_weight_decay"
_UNDECAYED_NAMES = "_exclude_from_weight_decay_pattern"


def copied(optimizer, name, learning_rate=None):
    """A copy of an optimizer, for other variables.

    Args:
        optimizer: keras.optimizers.Optimizer.
        name: str.
        learning_rate: float, schedule or callable. Defaults to that of the optimizer.
    """
    if learning_rate is None:
        learning_rate = given_rate(optimizer)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(
            copied(optimizer.inner_optimizer, name, learning_rate),
            optimizer.initial_scale,
            optimizer.dynamic_growth_steps,
            name=name,
        )
    # Not every schedule has a config, nor can each be made of its config.
    with _its_rate_as(None, optimizer):
        config = optimizer.get_config()
    twin = optimizer.from_config(config | {"learning_rate": learning_rate, "name": name})
    for attribute in (_UNDECAYED, _UNDECAYED_NAMES):  # of which a config says nothing
        if attribute in vars(optimizer):
            setattr(twin, attribute, vars(optimizer)[attribute])
    return twin


def serialize(optimizer, learning_rate):
    """The config of a `keras.optimizers.Optimizer`, as every backend can load it.

    On PyTorch, Keras writes down its own PyTorch implementation of the optimizer, which the other
    backends would load and then fail to run.

    Args:
        optimizer: keras.optimizers.Optimizer.
        learning_rate: float, schedule or callable, instead of its own.
    """
    with _its_rate_as(learning_rate, optimizer):
        return _with_public_classes(keras.saving.serialize_keras_object(optimizer))


@contextlib.contextmanager
def _its_rate_as(learning_rate, optimizer):
    """Where an optimizer's config has this learning rate, and nobody may set its own."""
    attributes = vars(innermost(optimizer))
    own = attributes["_learning_rate"]
    if isinstance(learning_rate, float):
        learning_rate = keras.ops.convert_to_tensor(learning_rate)
    attributes["_learning_rate"] = learning_rate
    try:
        yield
    finally:
        attributes["_learning_rate"] = own


def _with_public_classes(config):
    if not isinstance(config, dict):
        return config
    config = {name: _with_public_classes(value) for name, value in config.items()}
    if str(config.get("module")).startswith("keras.src.backend."):
        config |= {"module": "keras.optimizers", "registered_name": None}
    return config


def undecayed(optimizer, variables):
    """What `exclude_from_weight_decay` was told, which an optimizer's config leaves out.

    Args:
        optimizer: keras.optimizers.Optimizer.
        variables: list of the keras.Variable that it moves.

    Returns:
        Dict of what JSON can hold, for `leave_undecayed`; empty where it was told nothing.
    """
    optimizer = innermost(optimizer)
    pattern = vars(optimizer).get(_UNDECAYED_NAMES)
    keys = vars(optimizer).get(_UNDECAYED, ())
    if not keys and pattern is None:
        return {}
    numbers = [i for i, variable in enumerate(variables) if optimizer._var_key(variable) in keys]
    return {"names": [] if pattern is None else [pattern.pattern], "variables": numbers}


def leave_undecayed(optimizer, variables, told):
    """Excludes variables from weight decay, as `undecayed` told of an optimizer like this one."""
    if told:
        left_out = [variables[i] for i in told["variables"]]
        innermost(optimizer).exclude_from_weight_decay(left_out, told["names"])
