"""Sources that are an `.npz`."""

from pathlib import Path

import numpy as np

from kgen.data.arrays import of_parts
from kgen.data.splits import TESTS, TRAINS, Source, warn_of_unused

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
    arrays = _read(path)
    received = f"Received: source={str(path)!r} with the keys {sorted(arrays)}"
    key = next((key for key in _KEYS if key in arrays), None)
    given = [each for each in _KEYS.get(key, ()) if each in arrays]
    if key is None or len(given) > 1:
        raise ValueError(
            "Expected an .npz with the keys x_train, y_train, x_test, y_test, or images (and one "
            f"of labels, attributes, vectors, images2), or x (and y). {received}"
        )
    names = [key, *given]
    tests = [test for test in TESTS if _of_split(key, test) in arrays.keys() - {key}]
    splits = [names] + [[_of_split(name, test) for name in names] for test in tests[:1]]
    warn_of_unused(path, sorted(arrays.keys() - set(sum(splits, []))), sum(splits, []))
    if not tests:
        kind = given[0] if given and given[0] in _KINDS else None
        return of_parts(path.stem, [[arrays[n] for n in names]], splits, image_size, kind)
    if any((_of_split(each, tests[0]) in arrays) != (each in given) for each in _KEYS[key]):
        both = f"{_KEYS[key][0]} and {_of_split(_KEYS[key][0], tests[0])}"
        raise ValueError(f"Expected both {both} in an .npz, or neither. {received}")
    parts = [[arrays[name] for name in names] for names in splits]
    return of_parts(path.stem, parts, splits, image_size)


def _read(path):
    """The arrays of an `.npz` by their keys in small letters."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key.lower(): file[key] for key in file.files}
            keys = file.files
    except Exception as error:  # NumPy raises anything from BadZipFile to zlib.error.
        raise ValueError(
            f"Expected an .npz of plain arrays (pickled objects are never loaded): {error}. "
            f"Received: source={str(path)!r}"
        ) from error
    if len(arrays) < len(keys):
        raise ValueError(
            "Expected keys in an .npz that differ in more than their case. Received: "
            f"source={str(path)!r} with the keys {sorted(keys)}"
        )
    return arrays


def _of_split(key, split):
    return key.replace(TRAINS[0], split)
