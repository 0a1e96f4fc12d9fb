"""Which ways through a model's latents tell most."""

import numpy as np

from kgen.fields import Label

NUM_DECODED = 512  # images at most, or a pass over the latents
NUM_DRAWN = 1000  # latent vectors, for the range of each direction


def directions(model, num):
    """Directions through z, and how far the prior goes along each.

    They are the axes where there are no more than `num`. Of a longer z they are the eigenvectors
    of E[J^T J], J the Jacobian of the decoder, with the largest eigenvalues: the orthogonal
    directions along which images change most, on average over the prior and the classes. J is of
    steps of one standard deviation towards the middle.

    Args:
        model: a `kgen.models.latent_model.LatentModel` with `draw_latents`.
        num: int. At most so many.

    Returns:
        NumPy arrays: directions (n, code_size) of length 1, and of each the 0.1th and 99.9th
        percentile of the prior, (n,) and (n,).
    """
    conditions = _conditions(model.condition, NUM_DRAWN) if model.prior_is_conditional else None
    drawn = model.draw_latents(NUM_DRAWN, conditions, seed=0)
    size = drawn.shape[1]
    axes = np.eye(size, dtype="float32") if size <= num else _steepest(model, drawn, num)
    low, high = np.percentile(drawn @ axes.T, [0.1, 99.9], axis=0)
    return axes, low, high


def _steepest(model, drawn, num):
    size = drawn.shape[1]
    spread = drawn.std(axis=0)
    total = np.zeros((size, size))
    starts = drawn[: max(1, min(16, NUM_DECODED // (size + 1)))]
    conditions = _conditions(model.condition, len(starts))
    for z, condition in zip(starts, conditions, strict=True):
        steps = np.where(z > 0, -spread, spread)
        images = model.decode(np.concatenate([z[None], z + np.diag(steps)]), condition)
        images = images.reshape(size + 1, -1).astype("float64")
        jacobian = (images[1:] - images[0]) / steps[:, None]
        total += jacobian @ jacobian.T
    _, vectors = np.linalg.eigh(total)  # from the smallest eigenvalue up
    found = vectors[:, ::-1][:, :num].T
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=1)[:, None], axis=1)
    return (found * np.sign(largest)).astype("float32")


def _conditions(condition, num):
    """So many conditions, of a model of classes each in turn."""
    if condition is None:
        return [None] * num
    if isinstance(condition, Label):
        return np.arange(num) % condition.num_classes
    return condition.example(num)
