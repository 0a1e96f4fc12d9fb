"""`load`: from a name, a folder or arrays to a `Dataset`."""

import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kgen.data.arrays import digits, from_arrays, from_npz
from kgen.data.augment import augmentation
from kgen.data.batches import TestBatches, TrainBatches
from kgen.data.folder import from_folder
from kgen.data.splits import Source
from kgen.data.tfds import from_tfds


@dataclass(frozen=True)
class Dataset:
    """Images in batches for `fit`, and what a model must know of them.

    Attributes:
        name: str.
        image_shape: (height, width, channels).
        num_classes: int, or None without labels.
        num_train: int. The number of training images.
        num_test: int. The number of test images.
        batch_size: int.
        train: a `keras.utils.PyDataset` of batches `(images,)` or `(images, labels)`, shuffled as
            a function of (seed, epoch); `train.epoch` is the next epoch to be read.
        test: the same in a fixed order, with a short last batch.
        class_names: tuple of str, or None where they are not known.
        license: str. The terms of use or where to find them, or None where they are not known.
    """

    name: str
    image_shape: tuple[int, int, int]
    num_classes: int | None
    num_train: int
    num_test: int
    batch_size: int
    train: TrainBatches = field(repr=False)
    test: TestBatches = field(repr=False)
    class_names: tuple[str, ...] | None = None
    license: str | None = None


def load(
    source: str | os.PathLike | np.ndarray | tuple[np.ndarray, np.ndarray],
    batch_size: int = 128,
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    augment: Sequence[str] = (),
) -> Dataset:
    """Load images for training.

    Batches hold images (batch, height, width, channels) in uint8, or in float32 in [0, 1] where
    the source is an array of floats, and labels int32 (batch,). A set of up to 1 GiB is decoded
    into memory; a larger folder or TFDS set is streamed. Where the source has no test split, a
    tenth of the images (at least one) is held out, the same ones whatever the seed.

    Args:
        source: one of
            - "digits": 1,797 handwritten digits of 8x8 pixels that come inside scikit-learn;
            - the path of a folder of PNG, JPEG, BMP, GIF or WEBP images: flat, or a folder a
              class; the subfolders `train` and `test`, if both are there, are the splits. Grey if
              all are grey, else RGB; transparency is composited on white. Files that cannot be
              read are named in a warning;
            - the path of an `.npz` with x_train, y_train, x_test, y_test, or images and labels,
              or x and y; the labels may be missing;
            - an array of images (n, height, width, 1 or 3): uint8 or other integers in 0 .. 255,
              bool, or floats in [0, 1]; or a tuple (images, labels), labels integers (n,);
            - the name of an image set of TensorFlow Datasets, as "mnist" or "name/config". A
              folder of that name in the working directory is taken first.
        batch_size: int. At least 1.
        image_size: int or (height, width). Each image is scaled until it covers this size, and
            the rest is cropped off evenly. None leaves images of one size as they are.
        data_dir: where TFDS keeps its sets. A set that is prepared there is read offline, any
            other is downloaded to there. None is TFDS' own place.
        seed: int. At least 0. Seeds the training order and `augment`; for a streamed TFDS set,
            TensorFlow's global seed, where one is set, counts as well.
        augment: of "flip" and "crop": random changes to training images, by keras-cv.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: if an argument, or an image or label of the source, is not as described.
        FileNotFoundError: if a path does not exist.
        ImportError: if the source or `augment` needs a package that is not installed.

    Example:
        >>> import kgen
        >>> data = kgen.data.load("digits", batch_size=100)
        >>> data.image_shape, data.num_classes, data.num_train, data.num_test
        ((8, 8, 1), 10, 1500, 297)
        >>> images, labels = data.train[0]
        >>> images.shape, str(images.dtype), labels.shape
        ((100, 8, 8, 1), 'uint8', (100,))
    """
    batch_size = _integer("batch_size", batch_size, at_least=1)
    seed = _integer("seed", seed, at_least=0)
    image_size = _size(image_size)
    augmenter = augmentation(augment)
    found = _open(source, image_size, data_dir)
    return Dataset(
        name=found.name,
        image_shape=found.image_shape,
        num_classes=found.num_classes,
        num_train=found.train.size,
        num_test=found.test.size,
        batch_size=batch_size,
        train=TrainBatches(found.train, batch_size, seed, augmenter),
        test=TestBatches(found.test, batch_size),
        class_names=found.class_names,
        license=found.license,
    )


def _open(source, image_size, data_dir) -> Source:
    if isinstance(source, (np.ndarray, tuple)):
        return from_arrays(source, image_size)
    if not isinstance(source, (str, os.PathLike)) or not os.fspath(source):
        raise ValueError(
            "Expected a name, a path, a NumPy array of images, or a tuple (images, labels). "
            f"Received: source={source!r:.80} of {type(source)}"
        )
    if source == "digits":
        return digits(image_size)
    path = Path(source).expanduser()
    if path.is_dir():
        return from_folder(path, image_size)
    if path.is_file():
        if path.suffix.lower() == ".npz":
            return from_npz(path, image_size)
        raise ValueError(f"Expected a folder or an .npz. Received: source={str(source)!r}")
    is_path = isinstance(source, os.PathLike) or path.is_absolute() or source[0] in ".~"
    if is_path or path.suffix.lower() == ".npz":
        raise FileNotFoundError(
            f"Expected an existing folder or .npz; {path.absolute()} does not exist. "
            f"Received: source={str(source)!r}"
        )
    return from_tfds(source, image_size, data_dir)


def _integer(name, value, at_least):
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < at_least:
        raise ValueError(
            f"`{name}` must be an integer of at least {at_least}. Received: {name}={value!r}"
        )
    return number


def _size(image_size):
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, (tuple, list)) else (image_size,) * 2
    if len(sides) != 2:
        raise ValueError(
            "`image_size` must be an integer or (height, width). "
            f"Received: image_size={image_size!r}"
        )
    return tuple(_integer("image_size", side, at_least=1) for side in sides)
