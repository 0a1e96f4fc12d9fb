"""Sets of which few labels are known."""

import numpy as np

from kgen.checks import number, whole_number
from kgen.fields import UNKNOWN


def few_labels(images, labels, per_class, *, share=0.1, seed=0):
    """Images without labels, and among them a few with, for semi-supervised training.

    All images come back with the label -1, and after them `per_class` of each class again with
    their label, over and over, so that about one image of so many in a shuffled batch has one.

    Args:
        images: array (num, height, width, channels).
        labels: int array (num,), from 0 up.
        per_class: int. Images of each class whose label is known.
        share: float in (0, 1). Of the rows that come back, how many have a label; each that is
            known comes at least once.
        seed: int. Of the images that are chosen.

    Returns:
        NumPy arrays images and labels, int32, of as many rows.

    Raises:
        ValueError: there are fewer images of a class.

    Example:
    >>> images, labels = np.random.rand(100, 8, 8, 1), np.arange(100) % 10
    >>> images, labels = kgen.data.few_labels(images, labels, per_class=2)
    >>> len(images), int(np.sum(labels >= 0))
    (120, 20)
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"Expected a whole number as the label of each of {len(images)} images. Received: "
            f"labels of {labels.dtype}, of shape {labels.shape}"
        )
    per_class = whole_number("per_class", per_class)
    if not 0.0 < number("share", share) < 1.0:
        raise ValueError(f"Expected a share of the rows above 0 and below 1. Received: {share=}")
    rng = np.random.default_rng(seed)
    known = []
    for each in np.unique(labels):
        rows = np.flatnonzero(labels == each)
        if len(rows) < per_class:
            raise ValueError(
                f"Expected at least {per_class} images of each class. Received: {len(rows)} of "
                f"class {each}"
            )
        known.append(rng.choice(rows, per_class, replace=False))
    known = np.stack(known, axis=1).ravel()  # a class after the other
    known = np.resize(known, max(len(known), round(share / (1.0 - share) * len(images))))
    rows = np.concatenate([np.arange(len(images)), known])
    unknown = np.full(len(images), UNKNOWN, "int32")
    return images[rows], np.concatenate([unknown, labels[known].astype("int32")])
