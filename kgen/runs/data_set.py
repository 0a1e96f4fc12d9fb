"""What a run notes of its data set, and what has changed of it since."""

import hashlib
import os
from pathlib import Path

from kgen.callbacks.differences import differences
from kgen.data.layout import EXTENSIONS
from kgen.warn import warn


def facts_of(data, source: str) -> dict:
    """What is known of a data set without reading it again.

    Args:
        data: kgen.data.Dataset.
        source: str. What it was loaded from.

    Returns:
        dict of what JSON can hold: "files", of a folder or a file, by number, bytes, and a hash of
        names and sizes.
    """
    return {
        "name": data.name,
        "train_images": data.num_train,
        "test_images": data.num_test,
        "license": data.license,
        "classes": data.class_names and list(data.class_names),
        "files": None if source == "digits" else _files(_path(source)),
    }


def check_there(source: str, noted: dict):
    """Raises a FileNotFoundError where a folder or file is gone, whose name may be another set's.

    Args:
        source: str. What the data were loaded from.
        noted: dict. What `facts_of` gave then.
    """
    if noted.get("files") and not _path(source).exists():
        raise FileNotFoundError(
            "Expected the run's data where they were when it was trained; a path without a / in "
            f"front is one from the folder of the training. Received: {source}, which is not at "
            f"{_path(source).absolute()}"
        )


def _path(source):
    return Path(os.path.expanduser(source))


def _files(path):
    if not path.exists():
        return None
    found = [each for each in path.rglob("*") if each.suffix.lower() in EXTENSIONS]
    found = [each for each in found if each.is_file()] if path.is_dir() else [path]
    sizes = {each.relative_to(path).as_posix(): each.stat().st_size for each in found}
    listed = "\n".join(f"{size} {name}" for name, size in sorted(sizes.items()))
    return {
        "number": len(sizes),
        "bytes": sum(sizes.values()),
        "names_and_sizes": hashlib.sha256(listed.encode(errors="surrogateescape")).hexdigest()[:16],
    }


def warn_of_changes(earlier: dict, now: dict, effect: str):
    """Warns of what has changed of a data set.

    Args:
        earlier: dict. What `facts_of` gave when the run was begun, or gone on with.
        now: dict. What it gives now.
        effect: str. What comes of it.
    """
    noted = [name for name in earlier if name in now and name != "license"]
    earlier, name = {each: earlier[each] for each in noted}, now["name"]
    changed = differences(earlier, {each: now[each] for each in noted}, "then")
    if changed:
        warn(
            f"The data of {name} have changed since the run was last trained, {effect}: "
            f"{'; '.join(changed)}."
        )
