"""Sources that are arrays: in memory, in an `.npz`, and the digits inside scikit-learn."""

from pathlib import Path

import numpy as np

from kgen.data.images import resize_all
from kgen.data.imports import require
from kgen.data.splits import (
    TESTS,
    TRAINS,
    IndexedSplit,
    Source,
    hold_out,
    in_memory,
    unpaired,
    warn_of_unused,
)
from kgen.fields import Attributes, Field, Image, Label, Vector

Size = tuple[int, int] | None

# What an .npz may call its images and what comes with them, in any case.
_KEYS = {
    "x_train": ("y_train",),
    "train_images": ("train_labels",),
    "images": ("labels", "attributes", "vectors", "images2"),
    "x": ("y",),
}
_BLOCK = 1024  # so many images are checked at once, as floats


def digits(image_size: Size) -> Source:
    """The 1,797 handwritten digits of 8x8 pixels in scikit-learn: 1,500 train, 297 test."""
    datasets = require("sklearn.datasets", "scikit-learn", "The data set 'digits'")
    bunch = datasets.load_digits()
    # 0 .. 16 to 0 .. 255.
    images = np.round(bunch.images[..., None] * (255 / 16)).astype("uint8")
    order = np.random.default_rng(0).permutation(len(images))
    return _source(
        "digits",
        images,
        (Label(10, map(str, range(10))), bunch.target.astype("int32")),
        image_size,
        (np.sort(order[:1500]), np.sort(order[1500:])),
        license="CC BY 4.0, https://archive.ics.uci.edu/dataset/80",
    )


def from_arrays(source: np.ndarray | tuple, image_size: Size, paired: bool | None) -> Source:
    """Images, or (images, what they are conditioned on), that are already in memory.

    With `paired` a tuple is pairs of images, and where it is False two unpaired sets.
    """
    if isinstance(source, tuple) and len(source) != 2:
        raise ValueError(
            "Expected a tuple (images, labels), (images, attributes), (images, vectors) or "
            f"(images, images2). Received: source=a tuple of {len(source)} elements"
        )
    images, values = source if isinstance(source, tuple) else (source, None)
    images = check_images(images, "images")
    if paired is not None:
        values = check_images(values, "images2")
    if paired is False:
        domains = (images, values)
        sources = [_held_out("arrays", each, None, image_size) for each in domains]
        return unpaired("arrays", *sources)
    name = "images2" if np.ndim(values) == 4 else "labels"
    return _held_out("arrays", images, _condition(values, len(images), name), image_size)


def from_npz(path: Path, image_size: Size) -> Source:
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
    columns = [_standard(arrays[name]) for name in names]
    if not tests:
        images = check_images(columns[0], key)
        condition = _condition(columns[1], len(images), given[0]) if given else None
        return _held_out(path.stem, images, condition, image_size)
    if any((_of_split(each, tests[0]) in arrays) != (each in given) for each in _KEYS[key]):
        both = f"{_KEYS[key][0]} and {_of_split(_KEYS[key][0], tests[0])}"
        raise ValueError(f"Expected both {both} in an .npz, or neither. {received}")
    return _two_parts(path.stem, splits, arrays, image_size)


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


def _two_parts(name, keys, arrays, image_size):
    parts = [[_standard(arrays[key]) for key in of_split] for of_split in keys]
    for train, test, *both in zip(*parts, *keys, strict=True):
        is_other = train.dtype != test.dtype and train.ndim == 4
        if train.shape[1:] != test.shape[1:] or is_other:
            first, second = both
            raise ValueError(
                f"Expected {first} and {second} of one shape and dtype. Received: "
                f"{first}.shape={train.shape}, {second}.shape={test.shape}, "
                f"{first}.dtype={train.dtype}, {second}.dtype={test.dtype}"
            )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    called = [" and ".join(both) for both in zip(*keys, strict=True)]
    images = check_images(columns[0], called[0])
    condition = _condition(columns[1], len(images), called[1]) if columns[1:] else None
    parts = np.split(np.arange(len(images)), [len(parts[0][0])])
    return _source(name, images, condition, image_size, parts)


def _standard(array):
    """Grey images with a channel axis, a column of labels as (num,)."""
    if array.ndim == 2 and array.shape[1] == 1 and array.dtype.kind in "iuU":
        return array[:, 0]
    return array[..., None] if array.ndim == 3 else array


def _held_out(name, images, condition, image_size):
    return _source(name, images, condition, image_size, hold_out(len(images), f"the {name}"))


def _source(name, images, condition, image_size, parts, **facts):
    images = resize_all(images, image_size)
    field, values = condition or (None, None)
    if isinstance(field, Image):
        values = resize_all(values, image_size)
        field = Image(values.shape[1:])
    take = in_memory(images, values)
    train, test = (IndexedSplit(take, part) for part in parts)
    return Source(name, images.shape[1:], train, test, field, **facts)


def _condition(values, num_images: int, name: str) -> tuple[Field, np.ndarray] | None:
    """What images are conditioned on: its field, and the rows for batches."""
    if values is None:
        return None
    values = _standard(np.asarray(values)) if np.ndim(values) == 2 else np.asarray(values)
    if len(values.shape) == 0 or len(values) != num_images:
        raise ValueError(
            f"Expected {name} with a row for each of the {num_images} images. "
            f"Received: {name}.shape={values.shape}"
        )
    if values.ndim == 4:
        images = check_images(values, name)
        return Image(images.shape[1:]), images
    names = None
    if values.ndim == 1 and values.dtype.kind == "U":
        names, values = np.unique(values, return_inverse=True)
    if values.ndim == 1 and values.dtype.kind in "iu":
        field = Label(max(0, int(values.max())) + 1, names)
    elif values.ndim == 2 and values.dtype.kind in "biuf" and np.isin(values, (0, 1)).all():
        field = Attributes(values.shape[1])
    elif values.ndim == 2 and values.dtype.kind == "f":
        field = Vector(values.shape[1])
    else:
        raise ValueError(
            f"Expected {name} as integers from 0 or names, of shape (num,); attributes of 0 or 1 "
            "or vectors of floats, of shape (num, size); or images. "
            f"Received: {name}.dtype={values.dtype}, {name}.shape={values.shape}"
        )
    return field, field.check(values, name)


def check_images(images: np.ndarray, name: str) -> np.ndarray:
    """Images (num, height, width, 1 or 3), checked: uint8, or float32 in [0, 1]."""
    if not isinstance(images, np.ndarray):
        raise ValueError(f"Expected {name} as a NumPy array. Received: {name}={images!r:.80}")
    if images.ndim != 4:
        advice = f" Grey images need a channel axis: {name}[..., None]." if images.ndim == 3 else ""
        raise ValueError(
            f"Expected {name} of shape (num, height, width, channels).{advice} "
            f"Received: {name}.shape={images.shape}"
        )
    if images.shape[-1] not in (1, 3):
        advice = ""
        if images.shape[1] in (1, 3):
            advice = f" Channels come last: np.moveaxis({name}, 1, -1)."
        raise ValueError(
            f"Expected {name} of 1 channel (grey) or 3 (RGB).{advice} "
            f"Received: {name}.shape={images.shape}"
        )
    field = Image(images.shape[1:])
    for start in range(0, max(1, len(images)), _BLOCK):
        field.check(images[start : start + _BLOCK], name)
    if images.dtype == bool:
        return images.astype("uint8") * 255
    if images.dtype.kind == "f":
        return images.astype("float32", copy=False)
    return images.astype("uint8", copy=False)
