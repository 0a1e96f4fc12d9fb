"""Sources that are arrays: in memory, and the digits inside scikit-learn."""

import numpy as np

from kgen import backend
from kgen.data.images import resize_all
from kgen.data.imports import require
from kgen.data.splits import IndexedSplit, Source, hold_out, in_memory, unpaired
from kgen.fields import UNKNOWN, Attributes, Field, Image, Label, PartialLabel, Vector, as_text

Size = tuple[int, int] | None

_MAX_LABEL = 2**31 - 1


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


def from_arrays(source, image_size: Size, paired: bool | None) -> Source:
    """What is in memory: images, (images, what they are conditioned on), or two splits of either.

    With `paired` a tuple is pairs of images, and where it is False two unpaired sets.
    """
    parts, called = _parts(source, paired)
    if paired is not None and len(parts[0]) == 1:
        raise ValueError(f"Expected (images, images2), for {paired=}. Received: images alone")
    if paired is False:
        domains = [
            of_parts(
                "arrays", [part[i : i + 1] for part in parts], [n[i:] for n in called], image_size
            )
            for i in range(2)
        ]
        return unpaired("arrays", *domains)
    return of_parts("arrays", parts, called, image_size, "images2" if paired else None)


def _parts(source, paired):
    """Of each split its arrays, and what these are called."""
    is_split = isinstance(source, tuple) and set(map(type, source)) == {tuple}
    called = [("x_train", "y_train"), ("x_test", "y_test")] if is_split else [("images", "labels")]
    parts = source if is_split else (source,)
    parts = [part if isinstance(part, tuple) else (part,) for part in parts]
    parts = [part[:1] if len(part) == 2 and part[1] is None else part for part in parts]
    sizes = [len(part) for part in parts]
    if len(parts) != len(called) or sizes[0] not in (1, 2) or len(set(sizes)) > 1:
        raise ValueError(
            "Expected a tuple (images, labels), (images, attributes), (images, vectors) or "
            "(images, images2), or ((x_train, y_train), (x_test, y_test)). Received: source=a "
            f"tuple of {' and '.join(map(str, sizes))} elements"
        )
    arrays = [tuple(map(_array, *both)) for both in zip(parts, called, strict=True)]
    if len(called) == 1 and (paired is not None or arrays[0][-1].ndim > 2):
        called = [("images", "images2")]
    return arrays, called


def _array(values, name):
    if isinstance(values, list) or hasattr(values, "shape"):
        return backend.to_numpy(values)
    raise ValueError(
        f"Expected {name} as an array, a tensor or a list.{stream_advice(values)} Received: "
        f"{name}={values!r:.80}"
    )


def stream_advice(source) -> str:
    """What to do with batches, for an error; empty for what is none."""
    is_one = any(hasattr(source, name) for name in ("__next__", "__iter__", "__getitem__"))
    if not is_one or isinstance(source, (str, bytes, list, tuple, dict)):
        return ""
    return " `fit` takes tf.data, a DataLoader, a PyDataset or an iterator of batches as it is."


def of_parts(name, parts, called, image_size: Size, kind: str | None = None) -> Source:
    """A source of arrays, with a test held out where they are of one split.

    Args:
        name: str.
        parts: sequence of one split or two, each its images and what they are conditioned on, if
            anything.
        called: the arrays' names, for errors, in as many sequences.
        image_size: (height, width) to resize and crop to, or None.
        kind: "attributes", "vectors" or "images2" where they are conditioned on that; of others
            the values say what they are.
    """
    images = [check_images(part[0], names[0]) for part, names in zip(parts, called, strict=True)]
    condition = None
    if len(parts[0]) == 2:
        names = [names[1] for names in called]
        values = [
            _rows(part[1], len(of), name, kind)
            for part, of, name in zip(parts, images, names, strict=True)
        ]
        condition = _condition(_joined(values, names), names, kind)
    numbers = np.split(np.arange(sum(map(len, images))), [len(images[0])])
    if len(images) == 1:
        numbers = hold_out(len(images[0]), f"the {name}")
    images = _joined(images, [names[0] for names in called])
    return _source(name, images, condition, image_size, numbers)


def _joined(arrays, names):
    """The rows of both splits, if there are two."""
    kinds = {array.dtype if array.ndim == 4 else array.dtype.kind == "U" for array in arrays}
    if len(kinds) > 1 or len({array.shape[1:] for array in arrays}) > 1:
        received = (
            f"{name}.{fact}={getattr(array, fact)}"
            for fact in ("shape", "dtype")
            for name, array in zip(names, arrays, strict=True)
        )
        raise ValueError(
            f"Expected {' and '.join(names)} of one shape and dtype. Received: "
            f"{', '.join(received)}"
        )
    return np.concatenate(arrays) if len(arrays) > 1 else arrays[0]


def _source(name, images, condition, image_size, parts, **facts):
    images = resize_all(images, image_size)
    field, values = condition or (None, None)
    if isinstance(field, Image):
        values = resize_all(values, image_size)
        field = Image(values.shape[1:])
    take = in_memory(images, values)
    train, test = (IndexedSplit(take, part) for part in parts)
    return Source(name, images.shape[1:], train, test, field, **facts)


def _rows(values, num, name, kind):
    """What images are conditioned on, a row for each: images checked, a column of labels flat."""
    values = as_text(values)
    if values.ndim == 2 and values.shape[1] == 1 and values.dtype.kind in "iuU" and kind is None:
        values = values[:, 0]
    if kind == "images2" or values.ndim > 2:
        values = check_images(values, name)
    if values.ndim == 0 or len(values) != num:
        raise ValueError(
            f"Expected {name} with a row for each of the {num} images. "
            f"Received: {name}.shape={values.shape}"
        )
    return values


def _condition(values, names, kind) -> tuple[Field, np.ndarray]:
    """What images are conditioned on: its field, and the rows for batches."""
    if values.ndim == 4:
        return Image(values.shape[1:]), values
    name, field = " and ".join(names), _field_of(values, kind)
    if field is None:
        raise ValueError(
            f"Expected {name} as integers from 0 or names, of shape (num,) or (num, 1), or "
            "one-hot; attributes of 0 or 1 or vectors of floats, of shape (num, size); or images."
            f"{_advice(values, names)} Received: {name}.dtype={values.dtype}, "
            f"{name}.shape={values.shape}{_range(values)}"
        )
    return field, field.check(values, name)


def _field_of(values, kind):
    """The field that takes the values, or None."""
    if values.ndim == 1 and values.dtype.kind == "U":
        names = np.unique(values)
        return Label(len(names), names)
    if values.ndim == 1 and values.dtype.kind in "iu":
        label = PartialLabel if values.min() == UNKNOWN else Label
        return None if values.max() > _MAX_LABEL else label(max(0, int(values.max())) + 1)
    size = values.shape[1] if values.ndim == 2 else 0
    if not size or values.dtype.kind not in "biuf":
        return None
    are_bits = bool(np.isin(values, (0, 1)).all())
    if kind is None and are_bits and size > 1 and np.all(values.sum(axis=1) == 1):
        return Label(size)
    if kind == "attributes" or (kind is None and are_bits):
        return Attributes(size)
    return Vector(size) if kind == "vectors" or values.dtype.kind == "f" else None


def _range(values):
    numbers = values.dtype.kind in "iuf" and values.size
    return f", in {values.min()}..{values.max()}" if numbers else ""


def _advice(values, names):
    if values.dtype.kind not in "biuf":
        return ""
    if values.ndim == 1 and values.max() > _MAX_LABEL:
        return " Number the classes: np.unique(..., return_inverse=True)[1]."
    are_whole = values.dtype.kind != "f" or np.all(values == np.rint(values))
    form = ".astype('float32')" if values.ndim == 2 else ".astype('int32')"
    form = form if are_whole else "[:, None], as vectors of one number"
    return f" Convert them: {' and '.join(names)}{form}."


def check_images(images: np.ndarray, name: str) -> np.ndarray:
    """Images (num, height, width, 1 or 3), checked: uint8, or float32 in [0, 1]."""
    if images.ndim == 3 and images.shape[-1] not in (1, 3):
        images = images[..., None]
    if images.ndim != 4:
        advice = ""
        if images.ndim == 3:
            advice = f" Of one image, {name}[None]; of grey images so narrow, {name}[..., None]."
        raise ValueError(
            f"Expected {name} of shape (num, height, width, channels), or grey ones of shape "
            f"(num, height, width).{advice} Received: {name}.shape={images.shape}"
        )
    if images.shape[-1] not in (1, 3):
        advice = ""
        if images.shape[1] in (1, 3):
            advice = f" Channels come last: np.moveaxis({name}, 1, -1)."
        raise ValueError(
            f"Expected {name} of 1 channel (grey) or 3 (RGB).{advice} "
            f"Received: {name}.shape={images.shape}"
        )
    images = Image(images.shape[1:]).require(images, name)
    if images.dtype == bool:
        return images.astype("uint8") * 255
    return images.astype("float32" if images.dtype.kind == "f" else "uint8", copy=False)
