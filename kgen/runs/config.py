"""A run folder's `config.json`, read without Keras: the command line asks it for the backend."""

import json
import os

from kgen.runs.named import folder_of, hint

SETTINGS = {
    "model": str,
    "arguments": dict,
    "data": dict,
    "data_set": dict,
    "precision": str,
    "seed": int,
    "backend": str,
    "versions": dict,
}
"""What a config holds at least, and of which types."""


def read_json(path, what, types, way_out):
    """A dict that a file holds.

    Args:
        path: str.
        what: str. What the error calls it.
        types: dict of types by the names that it has to hold.
        way_out: str. What the error says can be done.

    Raises:
        ValueError: it is another file, or damaged.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        content = file.read()
    flaw, values = "is empty", None
    if content.strip():
        try:
            values = json.loads(content.decode())
            flaw = _flaw(values, types)
        except UnicodeDecodeError:
            flaw = "is no text in UTF-8"
        except (ValueError, RecursionError) as error:
            flaw = f"is not JSON: {error}"
    if flaw is not None:
        raise ValueError(f"Expected {what}. Received: {path}, which {flaw}. {way_out}")
    return values


def _flaw(values, types):
    if not isinstance(values, dict):
        return f"holds a {type(values).__name__} and no settings"
    lacking = [
        name
        for name, kind in types.items()
        if not isinstance(values.get(name), kind) or values[name] == ""
    ]
    return f"lacks, or has another type as, {', '.join(lacking)}" if lacking else None


def read_config(folder):
    """What a run folder's `config.json` holds, or None where there is none.

    Raises:
        ValueError: it is something else's, or damaged.
    """
    path = os.path.join(folder, "config.json")
    if not os.path.isfile(path):
        return None
    way_out = (
        "Bring back a copy, or take another folder; after `import kgen` keras.saving.load_model "
        "reads what is in model.keras and checkpoint without it."
    )
    return read_json(path, "the config.json of a run", SETTINGS, way_out)


def require_config(run):
    """What the `config.json` of a run holds.

    Args:
        run: str. Its folder, or a trained model's name.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is something else's.
    """
    config = read_config(folder_of(run))
    if config is None:
        is_file = ", which is a file" if os.path.isfile(run) else ""
        raise FileNotFoundError(
            "Expected a run folder with a config.json, as `kgen train` writes. Received: "
            f"{run}{is_file}.{hint(run)}"
        )
    return config
