"""Images beside those of a training that are most like them."""

import numpy as np

from kgen.checks import whole_number
from kgen.fields import Image
from kgen.pictures.files import path_first
from kgen.pictures.grids import grid


@path_first
def nearest(images, training, neighbours=5, path=None):
    """Images, each with the nearest training images to its right: a row an image.

    Near is by the Euclidean distance of the pixels, the nearest first: where a model has learned
    its data by heart, the two are the same. Of the training images no more than a batch and the
    nearest so far are held.

    Args:
        images: array (rows, height, width, channels), floats in [0, 1] or integers in 0..255.
        training: such an array, or batches of them, alone or first in a tuple, such as
            `kgen.data.load("digits").train.in_order()`.
        neighbours: int. Training images in a row.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.
    """
    neighbours = whole_number("neighbours", neighbours)
    images = np.asarray(images)
    field = Image(images.shape[1:])
    x = field.check(images)
    found = np.zeros((len(x), neighbours, *field.shape), x.dtype)
    distances = np.full((len(x), neighbours), np.inf)
    for batch in [training] if isinstance(training, np.ndarray) else training:
        batch = field.check(batch[0] if isinstance(batch, (tuple, list)) else batch, "training")
        both = np.concatenate([distances, _squared_distances(x, batch)], axis=1)
        order = np.argsort(both, axis=1, kind="stable")[:, :neighbours]
        distances = np.take_along_axis(both, order, axis=1)
        earlier = found[np.arange(len(x))[:, None], np.minimum(order, neighbours - 1)]
        is_new = (order >= neighbours)[..., None, None, None]
        found = np.where(is_new, batch[np.maximum(order - neighbours, 0)], earlier)
    if not np.isfinite(distances).all():
        raise ValueError(
            f"Expected neighbours of at most the number of training images. Received: {neighbours=}"
        )
    rows = np.concatenate([x[:, None], found], axis=1)
    return grid(rows.reshape(-1, *field.shape), neighbours + 1, path)


def _squared_distances(a, b):
    """||a - b||^2 of each image in `a` to each in `b`."""
    a, b = (images.reshape(len(images), -1).astype("float64") for images in (a, b))
    return (a**2).sum(1)[:, None] - 2.0 * a @ b.T + (b**2).sum(1)
