"""What features say of real images, computed once and kept on the disk."""

import contextlib
import hashlib
import os

import numpy as np

from kgen.metrics.features.extractor import Extracted, joined
from kgen.version import __version__
from kgen.whole_file import replacing

VARIABLE = "KGEN_CACHE"
MOST_BYTES = 2**30  # of all that is kept


def folder():
    """Where features are kept: in KGEN_CACHE if it is set, else with the user's other caches."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join("~", ".cache")
    root = os.environ.get(VARIABLE) or os.path.join(home, "kgen")
    return os.path.join(os.path.expanduser(root), "features")


def extract_once(features, batches):
    """What features say of images, or said of the same images before.

    Features of which it is not known by a hash what they are say it anew each time.

    Args:
        features: `kgen.metrics.features.Features`.
        batches: callable that gives an iterator of arrays of images, always the same.

    Returns:
        `kgen.metrics.features.Extracted`, of all of them.
    """
    if "sha256" not in features.notes:
        return joined([features.extract(images) for images in batches()])
    path = os.path.join(folder(), f"{_key(features, batches())}.npz")
    found = _read(path)
    if found is None or (found.logits is None) == features.has_classes:
        found = joined([features.extract(images) for images in batches()])
        with contextlib.suppress(OSError):  # no room, or no right: then not
            _write(path, found)
    return found


def _key(features, batches):
    """Of the same images in the same order, however they are divided into batches, the same."""
    what = [type(features).__qualname__, features.notes["sha256"], features.resizing, __version__]
    digest = hashlib.sha256(repr(what).encode())
    for i, images in enumerate(batches):
        if i == 0:
            digest.update(repr([images.shape[1:], str(images.dtype)]).encode())
        digest.update(np.ascontiguousarray(images))
    return digest.hexdigest()


def _read(path):
    try:
        with open(path, "rb") as opened, np.load(opened) as file:
            found = Extracted(file["features"], file["logits"] if "logits" in file else None)
    except Exception:  # none there, or a damaged one, which raises anything and is written anew
        return None
    with contextlib.suppress(OSError):  # of a cache that others share
        os.utime(path)
    return found


def _write(path, extracted):
    arrays = {name: a for name, a in extracted._asdict().items() if a is not None}
    if sum(a.nbytes for a in arrays.values()) > MOST_BYTES:
        return
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)
    _remove_the_oldest(os.path.dirname(path))


def _remove_the_oldest(path):
    """Until there is room: those that were not used for the longest time."""
    kept = [each for each in os.scandir(path) if each.name.endswith(".npz")]
    total = 0
    for each in sorted(kept, key=lambda file: file.stat().st_mtime, reverse=True):
        total += each.stat().st_size
        if total > MOST_BYTES:
            os.remove(each.path)
