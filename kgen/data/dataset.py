"""`load`: from a name, a folder or arrays to a `Dataset`."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kgen.checks import whole_number, whole_numbers
from kgen.data.arrays import digits, from_arrays, stream_advice
from kgen.data.augment import augment_batch, augmentation
from kgen.data.batches import TestBatches, TrainBatches
from kgen.data.folder import from_folder, pairs, two_kinds
from kgen.data.npz import from_npz
from kgen.data.splits import Source, unpaired
from kgen.data.tfds import from_tfds
from kgen.fields import Field, Image, Label
from kgen.printable import printable


@dataclass(frozen=True)
class Dataset:
    """Images in batches for `fit`, and what a model must know of them.

    Attributes:
        name: str.
        image_shape: (height, width, channels).
        condition: what comes with each image, a `kgen.fields.Label`, `Attributes`, `Vector` or
            `Image`, for a model's `condition=`; None where nothing does.
        num_train: int. The number of training images; of two unpaired sets, that of the larger.
        num_test: int. The number of test images, likewise.
        batch_size: int.
        train: a `kgen.backend.OrderedBatches` of batches `(images,)`, `(images, condition)` or,
            unpaired, `(images_a, images_b)`, shuffled as a function of (seed, epoch). Of either
            split `take(num)` gives arrays, in the order of the source, `take()` all of it,
            `in_order()` the same batch by batch, and `tf_data()` a `tf.data.Dataset`.
        test: the same in a fixed order, with a short last batch.
        domains: of two unpaired sets, the `kgen.fields.Image` of each; else None.
        license: str. The terms of use or where to find them, or None where they are not known.
        num_classes: int, or None without labels.
        class_names: tuple of str, or None where they are not known.
    """

    name: str
    image_shape: tuple[int, int, int]
    condition: Field | None
    num_train: int
    num_test: int
    batch_size: int
    train: TrainBatches = field(repr=False)
    test: TestBatches = field(repr=False)
    domains: tuple[Image, Image] | None = None
    license: str | None = None

    @property
    def num_classes(self) -> int | None:
        """The number of classes, or None without labels."""
        return self.condition.num_classes if isinstance(self.condition, Label) else None

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The classes' names, or None where they are not known."""
        return self.condition.names if isinstance(self.condition, Label) else None


def load(
    source: str | os.PathLike | np.ndarray | list | tuple,
    batch_size: int = 128,
    image_size: int | tuple[int, int] | None = None,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    augment: Sequence[str] = (),
    paired: bool | None = None,
) -> Dataset:
    """Images for training, and what comes with them.

    Batches hold images (batch, height, width, channels) in uint8, or in float32 in [0, 1] where
    the source is an array of floats, and beside them what `condition` describes: labels int32
    (batch,), attributes or vectors float32 (batch, size), or images. A set of up to 1 GiB is
    decoded into memory; a larger folder or TFDS set is streamed. Where the source has no test
    split, a tenth of the images (at least one) is held out, the same ones whatever the seed.

    Of two unpaired sets a batch holds `(images_a, images_b)`, which have nothing to do with each
    other. An epoch has each image of the larger set once, and the smaller set comes round again,
    in another order each time.

    Args:
        source: one of
            - "digits": 1,797 handwritten digits of 8x8 pixels that come inside scikit-learn;
            - the path of a folder of images (PNG, JPEG, TIFF, BMP, GIF, WEBP, PNM): flat, or a
              folder a class. Where it holds a folder `train` or `training`, in any case, with
              `test`, `testing`, `val`, `valid` or `validation` or alone, these are the splits; of
              several tests the first in this order that has no other classes is used. A folder
              `train` of images among other folders is a class. Grey if all are grey, else RGB;
              16 bits are scaled to 8; transparency is composited on white. What cannot be read, or
              is of more than 2^27 pixels (134 million), or is not used, is named in a warning;
            - two paths or names in a tuple: of two unpaired sets, or of two folders of pairs;
            - images as an array, a tensor or a list of either: (num, height, width, 1 or 3), or
              grey without channels, (num, height, width); integers in 0..255, bool, or floats in
              [0, 1];
            - a tuple (images, condition) of such. The condition is labels: integers from 0 or
              names, (num,) or (num, 1), or one-hot rows, as which every array is taken that has
              one 1 and else 0 in each row; other attributes of 0 or 1, (num, size); vectors, other
              floats (num, size); or images like the first, of any height and width;
            - a tuple ((x_train, y_train), (x_test, y_test)) of such, as `keras.datasets` gives it:
              these are the splits;
            - the path of an `.npz` with x_train, y_train, x_test, y_test (or x_val ...), or
              train_images, train_labels, test_images, test_labels, or images and one of labels,
              attributes, vectors, images2, or x and y; all but the images may be missing. The
              arrays are those that a tuple may have; attributes, vectors and images2 are what
              they are called;
            - the name of an image set of TensorFlow Datasets, as "mnist" or "name/config", with
              the feature "label", or "attributes" of booleans, if it has one. A folder of that
              name in the working directory is taken first.
        batch_size: int. At least 1.
        image_size: int or (height, width). Each image is scaled until it covers this size, and
            the rest is cropped off evenly. None leaves images of one size as they are.
        data_dir: where TFDS keeps its sets, a folder that exists. A set that is prepared there is
            read offline, any other is downloaded to there. None is TFDS' own place.
        seed: int. At least 0. Seeds the training order and `augment`; for a streamed TFDS set,
            TensorFlow's global seed, where one is set, counts as well.
        augment: of "flip" and "crop": random changes to training images, by keras-cv. The two
            images of a pair are changed alike.
        paired: bool or None. True: the two folders of a tuple, or the two in a folder by the order
            of their names, hold images of the same names, and those of the first are conditioned
            on those of the second. False: the two folders in a folder, or the two arrays of
            images, are unpaired sets. Either way the two may lie in `train` and in `test`, hold
            these, or be `trainA` and `trainB`, `testA` and `testB`. None: two arrays of images are
            pairs, two paths or names are unpaired, and the folders in a folder are classes.

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
        >>> x_train, y_train = data.train.take()
        >>> x_train.shape
        (1500, 8, 8, 1)
        >>> data.condition
        Label(num_classes=10, names=('0', '1', '2', '3', '4', '5', '6', '7', '8', '9'))
    """
    batch_size = whole_number("batch_size", batch_size)
    seed = whole_number("seed", seed, at_least=0)
    image_size = _size(image_size)
    if paired not in (None, True, False):
        raise ValueError(f"Expected paired as a bool or None. Received: paired={paired!r}")
    augmenter = augmentation(augment)
    found = _open(source, image_size, data_dir, paired)
    is_of_images = found.domains is not None or isinstance(found.condition, Image)
    num_images = 2 if is_of_images else 1
    if augmenter is not None:
        augmenter = augment_batch(augmenter, num_images, found.domains is None)
    return Dataset(
        name=printable(found.name),
        image_shape=found.image_shape,
        condition=found.condition,
        num_train=found.train.size,
        num_test=found.test.size,
        batch_size=batch_size,
        train=TrainBatches(found.train, batch_size, seed, augmenter),
        test=TestBatches(found.test, batch_size),
        domains=found.domains,
        license=found.license,
    )


def _open(source, image_size, data_dir, paired) -> Source:
    if isinstance(source, tuple) and source and all(isinstance(x, _PATHS) for x in source):
        return _two(source, image_size, data_dir, paired)
    is_list = isinstance(source, list) and not any(isinstance(x, _PATHS) for x in source)
    if is_list or isinstance(source, tuple) or hasattr(source, "shape"):
        return from_arrays(source, image_size, paired)
    if not isinstance(source, _PATHS) or not os.fspath(source):
        raise ValueError(
            "Expected a name, a path, images as an array, a tensor or a list, a tuple (images, "
            "condition) or ((x_train, y_train), (x_test, y_test)), or a tuple of two paths."
            f"{stream_advice(source)} Received: source={source!r:.80} of {type(source)}"
        )
    path = Path(os.path.expanduser(source))
    if paired is not None:
        folder = _folder(path, paired)
        return pairs(folder, image_size) if paired else two_kinds(folder, image_size)
    if source == "digits":
        return digits(image_size)
    if path.is_dir():
        return from_folder(path, image_size)
    if path.is_file() and path.suffix.lower() == ".npz":
        return from_npz(path, image_size)
    if path.exists():
        hint = " Of an .npy, np.load gives the array." if str(source).endswith(".npy") else ""
        raise ValueError(f"Expected a folder or an .npz.{hint} Received: source={str(source)!r}")
    is_path = isinstance(source, os.PathLike) or path.is_absolute() or source[0] in ".~"
    if is_path or path.suffix.lower() == ".npz":
        raise FileNotFoundError(
            f"Expected an existing folder or .npz; {printable(path.absolute())} does not exist. "
            f"Received: source={str(source)!r}"
        )
    return from_tfds(source, image_size, data_dir)


_PATHS = (str, os.PathLike)


def _two(sources, image_size, data_dir, paired):
    if len(sources) != 2:
        raise ValueError(f"Expected a tuple of two paths. Received: source={sources!r}")
    if paired:
        folders = tuple(_folder(Path(os.path.expanduser(each)), paired) for each in sources)
        return pairs(folders, image_size)
    first, second = (_open(each, image_size, data_dir, None) for each in sources)
    return unpaired(f"{first.name}-{second.name}", first, second)


def _folder(path, paired):
    if path.is_dir():
        return path
    kind = ValueError if path.exists() else FileNotFoundError
    raise kind(f"Expected a folder, for {paired=}. Received: source={str(path)!r}")


def _size(image_size):
    if image_size is None:
        return None
    if isinstance(image_size, (tuple, list)):
        return whole_numbers("image_size", image_size, "a size or (height, width)", length=2)
    return (whole_number("image_size", image_size),) * 2
