"""What callbacks that wait for a better figure are told of a model's logs."""

import contextlib
import functools
import math

_MODES = {
    "real_accuracy": None,  # of a discriminator: neither good nor bad for the images
    "fake_accuracy": None,
    "discriminator_accuracy": None,
    "memorization_distance": "max",
    "loss": "min",
    "kid": "min",
    "sliced_wasserstein": "min",
    "penalty": "min",
    "distance": "min",
    "error": "min",
    "bits_per_dim": "min",
    "accuracy": "max",
    "likelihood": "max",
    "elbo": "max",
    "class_score": "max",
    "precision": "max",
    "recall": "max",
    "coverage": "max",
}

_COUNTERS = "patience", "wait", "cooldown_counter"


def mode_of(name):
    """Whether a log is better the lower ("min") or the higher ("max"), by its ending, or None."""
    return next((mode for ending, mode in _MODES.items() if name.endswith(ending)), None)


def settle(callbacks, model):
    """Tells callbacks with a `monitor` which way it is better, where their `mode` is "auto".

    Keras looks for that in metrics that `compile` was given, of which a generative model has none.

    Args:
        callbacks: list of keras.callbacks.Callback.
        model: a kgen model.

    Raises:
        ValueError: one waits for the loss of a model that logs none, or for a log that is better
            neither higher nor lower.
    """
    for callback in callbacks:
        if isinstance(getattr(callback, "monitor", None), str) and hasattr(callback, "mode"):
            _settle(callback, type(model).__name__, [metric.name for metric in model.metrics])


@contextlib.contextmanager
def counting_new(callbacks):
    """Inside, of figures that come seldom, patience and cooldown count the epochs with new ones.

    Args:
        callbacks: list of keras.callbacks.Callback. One that logs its last figures again has their
            `names` and `has_new`, of the epoch.
    """
    sources = {name: each for each in callbacks if hasattr(each, "has_new") for name in each.names}
    with contextlib.ExitStack() as stack:
        for callback in {id(each): each for each in callbacks}.values():
            monitor = getattr(callback, "monitor", None)
            if isinstance(monitor, str) and monitor in sources and hasattr(callback, "patience"):
                stack.enter_context(_counting_new(callback, sources[monitor]))
        yield


@contextlib.contextmanager
def _counting_new(callback, source):
    own = {name: each for name, each in vars(callback).items() if name == "on_epoch_end"}
    callback.on_epoch_end = functools.partial(_look, callback, callback.on_epoch_end, source)
    try:
        yield
    finally:
        del callback.on_epoch_end
        vars(callback).update(own)


def _look(callback, on_epoch_end, source, epoch, logs=None):
    """Lets a callback see an epoch, and count it if it has a new figure."""
    if source.has_new:
        on_epoch_end(epoch, logs)
        return
    before = {name: each for name, each in vars(callback).items() if name in _COUNTERS}
    callback.patience = math.inf
    try:
        on_epoch_end(epoch, logs)
    finally:
        vars(callback).update(before)


def _settle(callback, model, logged):
    name = callback.monitor.removeprefix("val_")
    what = f"Received: {type(callback).__name__}(monitor={callback.monitor!r})"
    waits = getattr(callback, "save_best_only", True)
    if waits and name == "loss" and name not in logged:
        better = ", ".join(each for each in logged if mode_of(each))
        raise ValueError(
            f"Expected a monitor among what {model} logs: {better}, of validation data with val_ "
            f"before it. Its players have losses of their own, and there is no one loss. {what}"
        )
    if callback.mode != "auto":
        return
    mode = mode_of(name)
    if waits and mode is None and name in logged:
        raise ValueError(
            f"Expected mode='min' or mode='max' for {name}, which tells no better images by "
            f"itself. {what}"
        )
    # Keras asks for a direction of who saves every epoch, too.
    callback.mode = mode or ("auto" if waits else "min")
