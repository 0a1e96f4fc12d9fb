"""Settings compared, for the error that says which of them changed."""


def differences(earlier, now, where):
    """What differs between two nests of dicts, a line each.

    Args:
        earlier: dict.
        now: dict.
        where: str. The place that `earlier` comes from, as "in the folder".

    Returns:
        list of str.
    """
    earlier, now = _flatten(earlier), _flatten(now)
    return [
        f"  {name}: {earlier.get(name)!r} {where}, {now.get(name)!r} now"
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
