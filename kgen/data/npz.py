"""Sources that are an `.npz`."""

import contextlib
import math
import os
import zipfile
from pathlib import Path

import numpy as np

from kgen.data import splits
from kgen.data.arrays import of_parts
from kgen.data.names import few, reason_of
from kgen.data.splits import TESTS, TRAINS, Source, warn_of_unused
from kgen.printable import printable

MAX_RATIO = 100
"""Arrays of more than `MEMORY_LIMIT` and so many times their file's bytes are not unpacked."""

_KINDS = ("attributes", "vectors", "images2")  # as the name says; of others the values do

# What an .npz may call its images and what comes with them, in any case.
_KEYS = {
    "x_train": ("y_train",),
    "train_images": ("train_labels",),
    "images": ("labels", *_KINDS),
    "x": ("y",),
}


def from_npz(path: Path, image_size: tuple[int, int] | None) -> Source:
    """The images in an `.npz`, under one of the names in `_KEYS`, with a test split if it has one.

    Grey images may lack the channel axis, as in Keras' `mnist.npz`.
    """
    with _as_value_error(path):
        keys = _keys(path)
    parts = _parts(path, keys)
    with _as_value_error(path):
        arrays = _read(path, {name: keys[name] for name in sum(parts, [])})
    kind = next((name for name in parts[0] if name in _KINDS), None)
    read = [[arrays[name] for name in part] for part in parts]
    return of_parts(path.stem, read, parts, image_size, kind)


def _parts(path, keys):
    """The keys of the images and of what comes with them, of one split or of each of two."""
    received = f"Received: source={str(path)!r} with the keys {few(map(repr, sorted(keys)))}"
    key = next((key for key in _KEYS if key in keys), None)
    given = [each for each in _KEYS.get(key, ()) if each in keys]
    if key is None or len(given) > 1:
        raise ValueError(
            "Expected an .npz with the keys x_train, y_train, x_test, y_test, or images (and one "
            f"of labels, attributes, vectors, images2), or x (and y). {received}"
        )
    names = [key, *given]
    tests = [test for test in TESTS if _of_split(key, test) in keys.keys() - {key}]
    parts = [names] + [[_of_split(name, test) for name in names] for test in tests[:1]]
    warn_of_unused(path, sorted(keys.keys() - set(sum(parts, []))), sum(parts, []))
    if tests and any((_of_split(each, tests[0]) in keys) != (each in given) for each in _KEYS[key]):
        both = f"{_KEYS[key][0]} and {_of_split(_KEYS[key][0], tests[0])}"
        raise ValueError(f"Expected both {both} in an .npz, or neither. {received}")
    return parts


@contextlib.contextmanager
def _as_value_error(path):
    try:
        yield
    except Exception as error:  # NumPy raises anything from BadZipFile to zlib.error.
        raise ValueError(
            "Expected an .npz of plain arrays (pickled objects are never loaded): "
            f"{reason_of(error)}. Received: source={str(path)!r}"
        ) from error


def _keys(path):
    """The names of the members of an `.npz`, by their keys in small letters."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    keys = {name.removesuffix(".npy").lower(): name for name in names}
    if len(keys) < len(names):
        raise ValueError(f"its keys differ in no more than their case: {few(sorted(names))}")
    return keys


def _read(path, names):
    """The arrays of an `.npz` whose members are named, by key."""
    with zipfile.ZipFile(path) as archive:
        size = sum(_num_bytes(archive, name) for name in names.values())
        if size > max(splits.MEMORY_LIMIT, MAX_RATIO * os.path.getsize(path)):
            raise ValueError(
                f"its {os.path.getsize(path):,} bytes unpack to {size:,}, more than {MAX_RATIO} "
                "times as many; save so much without compression, by np.savez"
            )
        arrays = {}
        for key, name in names.items():
            with archive.open(name) as member:
                arrays[key] = np.lib.format.read_array(member, allow_pickle=False)
        return arrays


def _num_bytes(archive, name):
    """The bytes of an array, by its header, which the member must have."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    size = math.prod(shape) * max(1, dtype.itemsize)
    held = archive.getinfo(name).file_size
    if not dtype.hasobject and (min(shape, default=0) < 0 or size > held):
        raise ValueError(f"{printable(name)} says {dtype} of {shape}, and has {held:,} bytes")
    return size


def _of_split(key, split):
    return key.replace(TRAINS[0], split)
