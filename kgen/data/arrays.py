"""Sources that are arrays: in memory, in an `.npz`, and the digits inside scikit-learn."""

from pathlib import Path

import numpy as np

from kgen.data.images import resize_all
from kgen.data.imports import require
from kgen.data.splits import IndexedSplit, Source, hold_out, in_memory

Size = tuple[int, int] | None


def digits(image_size: Size) -> Source:
    """Give the 1,797 handwritten digits of 8x8 pixels in scikit-learn: 1,500 train, 297 test."""
    datasets = require("sklearn.datasets", "scikit-learn", "The data set 'digits'")
    bunch = datasets.load_digits()
    # 0 .. 16 to 0 .. 255.
    images = np.round(bunch.images[..., None] * (255 / 16)).astype("uint8")
    order = np.random.default_rng(0).permutation(len(images))
    return _source(
        "digits",
        resize_all(images, image_size),
        bunch.target.astype("int32"),
        (np.sort(order[:1500]), np.sort(order[1500:])),
        class_names=tuple(str(digit) for digit in range(10)),
        license="CC BY 4.0, https://archive.ics.uci.edu/dataset/80",
    )


def from_arrays(source: np.ndarray | tuple, image_size: Size) -> Source:
    """Give images, or (images, labels), that are already in memory."""
    if isinstance(source, tuple):
        if len(source) != 2:
            raise ValueError(
                "A tuple must be (images, labels). "
                f"Received: source=a tuple of {len(source)} elements"
            )
        images, labels = source
    else:
        images, labels = source, None
    images = check_images(images, "images")
    if labels is not None:
        labels = check_labels(labels, len(images), "labels")
    images = resize_all(images, image_size)
    return _source("arrays", images, labels, hold_out(len(images), "the arrays"))


def from_npz(path: Path, image_size: Size) -> Source:
    """Give the images in an `.npz`: x_train, y_train, x_test, y_test, or images, labels, or x, y.

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
    pairs = (("x_train", "y_train"), ("images", "labels"), ("x", "y"))
    keys = next((pair for pair in pairs if pair[0] in arrays), None)
    if keys is None:
        raise ValueError(
            "Expected an .npz with the keys x_train, y_train, x_test, y_test, or images (and "
            "labels), or x (and y). "
            f"Received: source={str(path)!r} with the keys {sorted(arrays)}"
        )
    images, labels = _images_and_labels(arrays, *keys)
    if keys[0] != "x_train" or "x_test" not in arrays:
        images = resize_all(images, image_size)
        return _source(path.stem, images, labels, hold_out(len(images), str(path)))
    test_images, test_labels = _images_and_labels(arrays, "x_test", "y_test")
    if (labels is None) != (test_labels is None):
        raise ValueError(
            "Expected both y_train and y_test in an .npz, or neither. "
            f"Received: source={str(path)!r} with the keys {sorted(arrays)}"
        )
    images, test_images = resize_all(images, image_size), resize_all(test_images, image_size)
    if images.shape[1:] != test_images.shape[1:] or images.dtype != test_images.dtype:
        raise ValueError(
            "Expected x_train and x_test with images of one shape and dtype. "
            f"Received: x_train.shape={images.shape}, x_test.shape={test_images.shape}, "
            f"x_train.dtype={images.dtype}, x_test.dtype={test_images.dtype}"
        )
    numbers = np.arange(len(images) + len(test_images))
    return _source(
        path.stem,
        np.concatenate([images, test_images]),
        None if labels is None else np.concatenate([labels, test_labels]),
        (numbers[: len(images)], numbers[len(images) :]),
    )


def _images_and_labels(arrays, images_key, labels_key):
    images = arrays[images_key]
    if images.ndim == 3:
        images = images[..., None]
    images = check_images(images, images_key)
    labels = arrays.get(labels_key)
    if labels is not None:
        labels = check_labels(labels, len(images), labels_key)
    return images, labels


def _source(name, images, labels, parts, **facts):
    take = in_memory(images, labels)
    train, test = (IndexedSplit(take, part) for part in parts)
    num_classes = None if labels is None else int(labels.max()) + 1
    return Source(name, images.shape[1:], train, test, num_classes, **facts)


def check_images(images: np.ndarray, name: str) -> np.ndarray:
    """Check images (n, height, width, 1 or 3); give them as uint8, or float32 in [0, 1]."""
    if not isinstance(images, np.ndarray):
        raise ValueError(f"`{name}` must be a NumPy array. Received: {name}={images!r:.80}")
    if images.ndim != 4:
        advice = f" Grey images need a channel axis: {name}[..., None]." if images.ndim == 3 else ""
        raise ValueError(
            f"`{name}` must have the shape (number, height, width, channels).{advice} "
            f"Received: {name}.shape={images.shape}"
        )
    if images.size == 0:
        raise ValueError(f"`{name}` is empty. Received: {name}.shape={images.shape}")
    if images.shape[-1] not in (1, 3):
        advice = ""
        if images.shape[1] in (1, 3):
            advice = f" Channels come last: np.moveaxis({name}, 1, -1)."
        raise ValueError(
            f"`{name}` must have 1 channel (grey) or 3 (RGB).{advice} "
            f"Received: {name}.shape={images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype == bool:
        return images.astype("uint8") * 255
    if images.dtype.kind not in "iuf":
        raise ValueError(
            f"`{name}` must be integers in 0 .. 255 or floats in [0, 1]. "
            f"Received: {name}.dtype={images.dtype}"
        )
    lowest, highest = images.min(), images.max()
    received = f"Received: {name} of {images.dtype} in [{lowest:g}, {highest:g}]"
    if images.dtype.kind == "f":
        if not np.isfinite([lowest, highest]).all():
            raise ValueError(f"`{name}` must be finite, without NaN and infinity. {received}")
        if lowest < 0 or highest > 1:
            raise ValueError(
                f"`{name}` as floats must be in [0, 1]; rescale them, as in {name} / 255 or "
                f"({name} + 1) / 2. {received}"
            )
        return images.astype("float32", copy=False)
    if lowest < 0 or highest > 255:
        raise ValueError(f"`{name}` as integers must be in 0 .. 255. {received}")
    return images.astype("uint8")


def check_labels(labels: np.ndarray, num_images: int, name: str) -> np.ndarray:
    """Check labels, integers from 0 in the shape (n,) or (n, 1); give them as int32 (n,)."""
    labels = np.asarray(labels)
    if labels.shape not in ((num_images,), (num_images, 1)):
        raise ValueError(
            f"`{name}` must hold one integer for each of the {num_images} images, in the shape "
            f"({num_images},). Received: {name}.shape={labels.shape}"
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` must be integers, the numbers of the classes from 0. "
            f"Received: {name}.dtype={labels.dtype}"
        )
    if labels.min() < 0:
        raise ValueError(
            f"`{name}` must be at least 0. Received: {name} with the minimum {labels.min()}"
        )
    return labels.reshape(-1).astype("int32")
