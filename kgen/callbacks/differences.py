"""Settings compared: a training goes on only with those that it began with."""


def check_same(earlier, now, what, where):
    """Raises a ValueError that lists what differs between two nests of dicts, a line each.

    Args:
        earlier: dict.
        now: dict.
        what: str. The thing with the earlier settings, as "the run folder runs/vae".
        where: str. The place that `earlier` comes from, as "in the folder".
    """
    changed = differences(earlier, now, where)
    if changed:
        raise ValueError(
            f"Expected the settings of {what}, to go on with it, or another folder. Received:\n"
            + "\n".join(f"  {line}" for line in changed)
        )


def differences(earlier, now, where):
    """What differs between two nests of dicts, a line each; arguments are those of `check_same`."""
    earlier, now = _flatten(earlier), _flatten(now)
    return [
        f"{name}: {earlier.get(name)!r} {where}, {now.get(name)!r} now"
        for name in dict.fromkeys([*earlier, *now])
        if earlier.get(name) != now.get(name)
    ]


def _flatten(settings, prefix=""):
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
