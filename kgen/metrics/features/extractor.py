"""What features are: a function of images, with a name that figures carry."""

from typing import NamedTuple

import numpy as np

from kgen import backend
from kgen.checks import whole_number
from kgen.fields import Image
from kgen.metrics.arrays import as_floats, blocks
from kgen.models.image_model import preset_dtype


class Extracted(NamedTuple):
    """What features say of images.

    Attributes:
        features: float32 array (num, d).
        logits: float32 array (num, classes) of a classifier, or None.
    """

    features: np.ndarray
    logits: np.ndarray | None = None


class Features:
    """Numbers that describe images.

    A subclass gives `name` and `extract_batch`.

    Attributes:
        name: str. What a figure says they are.
        resizing: str. What is done to images of another size.
        has_classes: bool. Whether there are logits.
        notes: dict. What a reader of the figures has to know besides, such as an accuracy.
        default_batch_size: int. Images at a time, whose activations are held together.
    """

    name = None
    resizing = "none"
    has_classes = False
    notes = {}
    default_batch_size = 64

    def extract(self, images, batch_size=None):
        """What they say of images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            batch_size: int or None. Images at a time. None is `default_batch_size`.

        Returns:
            `Extracted`.

        Raises:
            ValueError: images outside their range, or that these features cannot be taken of.
        """
        images = np.asarray(images)
        batch_size = whole_number("batch_size", batch_size, optional=True)
        if images.ndim != 4 or not len(images):
            raise ValueError(
                "Expected images (num, height, width, channels), one at least. Received: an array "
                f"of shape {images.shape}"
            )
        batch_size = batch_size or self.default_batch_size
        return backend.without_strategy(self._extract, images, batch_size)

    def _extract(self, images, batch_size):
        field = Image(images.shape[1:])
        batches = [images[rows] for rows in blocks(len(images), batch_size)]
        parts = (self._checked(of_unit(field.check(x)), batch_size) for x in batches)
        return joined(parts, len(images))

    def _checked(self, x, batch_size):
        """What `extract_batch` gives, if it is that."""
        name, num, part = type(self).__name__, len(x), self.extract_batch(x, batch_size)
        if not isinstance(part, Extracted):
            raise ValueError(
                f"Expected extract_batch of {name} to give kgen.metrics.features.Extracted. "
                f"Received: {type(part).__name__}"
            )
        if (part.logits is not None) != self.has_classes:
            raise ValueError(
                f"Expected extract_batch of {name} to give logits if has_classes is set, else "
                f"none. Received: has_classes={self.has_classes}, logits of "
                f"{type(part.logits).__name__}"
            )
        part = Extracted(*(each if each is None else as_floats(np.asarray(each)) for each in part))
        for kind, values in part._asdict().items():
            if values is not None and (values.ndim != 2 or len(values) != num):
                raise ValueError(
                    f"Expected extract_batch of {name} to give {kind} ({num}, any), a row an "
                    f"image. Received: {kind} of shape {values.shape}"
                )
        return part

    def check_alike(self, *shapes):
        """Raises a ValueError if images of these shapes cannot be compared, which all can here.

        Args:
            *shapes: tuples, (num, height, width, channels) each.
        """

    def extract_batch(self, x, batch_size):
        """The same of one batch.

        Args:
            x: float32 array (at most batch_size, height, width, channels) in [0, 1].
            batch_size: int. What a network that is compiled may fill the batch up to.
        """
        raise NotImplementedError


def joined(parts, num=None):
    """What features say of the images of several batches.

    Args:
        parts: iterable of `Extracted`.
        num: int. The images together, where `parts` make them one after another, and no more than
            one beside the whole is to be held; or None.
    """
    if num is None:
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        num = sum(len(part.features) for part in parts)
    whole, start = None, 0
    for part in parts:
        if whole is None:
            whole = Extracted(*(_room_for(num, each) for each in part))
        rows = slice(start, start + len(part.features))
        for into, each in zip(whole, part, strict=True):
            if into is not None:
                check_length(each, into)
                into[rows] = each
        start = rows.stop
    if start != num:
        raise ValueError(f"Expected features of {num} images. Received: those of {start}")
    return whole


def check_length(rows, others):
    """Raises a ValueError unless rows are as long as those of other images, (any, d) each."""
    if rows.shape[1] != others.shape[1]:
        raise ValueError(
            f"Expected images of {others.shape[1]} features or logits, as those before. Received: "
            f"some of {rows.shape[1]}"
        )


def _room_for(num, rows):
    return None if rows is None else np.empty((num, *rows.shape[1:]), rows.dtype)


def taken(extracted, rows):
    """What features say of some of the images.

    Args:
        extracted: `Extracted`.
        rows: int array.
    """
    return Extracted(*(None if each is None else each[rows] for each in extracted))


def make_network(function, *args, **kwargs):
    """The network that a function makes, in float32 on one device, wherever it is called."""

    def made():
        with preset_dtype("float32"):
            return function(*args, **kwargs)

    return backend.without_strategy(made)


def of_network(network, x, batch_size):
    """What a network gives for a batch, filled up where each size would be compiled.

    Args:
        network: keras.Model to features, or to a list of features and logits.
        x: float32 array (num, height, width, channels).
        batch_size: int. At least num.
    """
    num = len(x)
    if backend.COMPILES_EACH_SIZE:
        x = np.concatenate([x, np.repeat(x[-1:], batch_size - num, axis=0)])
    outputs = network.predict_on_batch(x)
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return Extracted(*(np.asarray(y)[:num] for y in outputs))


def of_unit(images):
    """Images as float32 in [0, 1], of those that may be integers in 0..255."""
    if images.dtype.kind in "iu":
        return images.astype("float32") / np.float32(255.0)
    return images.astype("float32")
