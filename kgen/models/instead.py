"""What users of Keras would call, and what to call instead."""

_VERBS = ("sample", "decode", "encode", "reconstruct", "complete", "log_likelihood")


def refuse_compile_arguments(model, positional, named):
    """Raises a ValueError for arguments of Keras' or other toolkits' `compile`, if there are some.

    Args:
        model: a kgen model.
        positional: tuple. What came after the optimizer.
        named: dict.
    """
    if not positional and not named:
        return
    given = [repr(each) for each in positional] + [f"{k}={v!r}" for k, v in named.items()]
    players = ", ".join(f"{player!r}: ..." for player in model.players())
    raise ValueError(
        "Expected compile(optimizer, run_eagerly=, steps_per_execution=, jit_compile=): a "
        "generative model has its own losses and metrics, an `optimizer` for all players or a dict "
        f"{{{players}}} of one for each. Received: {', '.join(given):.200}"
    )


def refuse_call(model, name):
    """Raises a ValueError that names the model's verbs.

    Args:
        model: a kgen model.
        name: str. How it was called.
    """
    verbs = ", ".join(f"{verb}(...)" for verb in _VERBS if hasattr(model, verb))
    raise ValueError(
        f"Expected {verbs}: {type(model).__name__} has several answers, and none of them is that "
        f"of {name}. Received: {name}"
    )
