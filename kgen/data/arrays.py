"""Sources that are arrays: in memory, in an `.npz`, and the digits inside scikit-learn."""

from pathlib import Path

import numpy as np

from kgen.data.images import resize_all
from kgen.data.imports import require
from kgen.data.splits import IndexedSplit, Source, hold_out, in_memory, unpaired
from kgen.fields import Attributes, Field, Image, Label, Vector

Size = tuple[int, int] | None

# What an .npz may call its images and what comes with them.
_KEYS = {
    "x_train": ("y_train",),
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
    """The images in an `.npz`, under one of the names in `_KEYS`, with x_test, y_test if given.

    Grey images may lack the channel axis, as in Keras' `mnist.npz`.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except Exception as error:  # NumPy raises anything from BadZipFile to zlib.error.
        raise ValueError(
            f"Expected an .npz of plain arrays (pickled objects are never loaded): {error}. "
            f"Received: source={str(path)!r}"
        ) from error
    received = f"Received: source={str(path)!r} with the keys {sorted(arrays)}"
    key = next((key for key in _KEYS if key in arrays), None)
    given = [each for each in _KEYS.get(key, ()) if each in arrays]
    if key is None or len(given) > 1:
        raise ValueError(
            "Expected an .npz with the keys x_train, y_train, x_test, y_test, or images (and one "
            f"of labels, attributes, vectors, images2), or x (and y). {received}"
        )
    names = [key, *given]
    columns = [_standard(arrays[name]) for name in names]
    if key != "x_train" or "x_test" not in arrays:
        images = check_images(columns[0], key)
        condition = _condition(columns[1], len(images), given[0]) if given else None
        return _held_out(path.stem, images, condition, image_size)
    if ("y_test" in arrays) != bool(given):
        raise ValueError(f"Expected both y_train and y_test in an .npz, or neither. {received}")
    tests = [_standard(arrays[name.replace("train", "test")]) for name in names]
    for name, train, test in zip(names, columns, tests, strict=True):
        is_other = train.dtype != test.dtype and train.ndim == 4
        if train.shape[1:] != test.shape[1:] or is_other:
            other = name.replace("train", "test")
            raise ValueError(
                f"Expected {name} and {other} of one shape and dtype. Received: "
                f"{name}.shape={train.shape}, {other}.shape={test.shape}, "
                f"{name}.dtype={train.dtype}, {other}.dtype={test.dtype}"
            )
    num_train = len(columns[0])
    columns = [np.concatenate(parts) for parts in zip(columns, tests, strict=True)]
    images = check_images(columns[0], "x_train and x_test")
    condition = _condition(columns[1], len(images), "y_train and y_test") if given else None
    numbers = np.arange(len(images))
    return _source(
        path.stem, images, condition, image_size, (numbers[:num_train], numbers[num_train:])
    )


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
