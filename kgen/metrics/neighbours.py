"""How fakes lie among real images, by the nearest of their features."""

import numpy as np

from kgen.checks import flag, whole_number
from kgen.metrics.arrays import alike, blocks_of_pairs, row_ids, squared_distances


def precision_recall(fake, real, k=3, ties=True):
    """Precision, the part of fakes among the real, and recall, that of the real among fakes.

    A point is among others if it is as near to one of these as its k-th neighbour is.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of real images.
        k: int. Defaults to the paper's 3.
        ties: bool. Whether as near counts, or only nearer, which tells on features of few values.
            Defaults to True, as in the authors' code.

    Returns:
        dict of float: precision, recall.

    Example:
    >>> real, fake = np.arange(4.0)[:, None], np.array([[0.5], [1.5], [10.0], [11.0]])
    >>> kgen.metrics.precision_recall(fake, real, k=1)
    {'precision': 0.5, 'recall': 0.75}

    Reference: Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative
    Models, 2019, eq. 2. https://arxiv.org/abs/1904.06991
    """
    found = _found(fake, real, k, ties)
    return {name: found[name] for name in ("precision", "recall")}


def density_coverage(fake, real, k=5, ties=False):
    """Density, among how many real ones a fake is, and coverage, the part of these that has fakes.

    Density has the mean 1 if both are of one distribution, and no upper limit; unlike precision it
    hardly trusts an outlier.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of real images.
        k: int. Defaults to the paper's 5.
        ties: bool. Whether as near counts, or only nearer. Defaults to False, as in the authors'
            code.

    Returns:
        dict of float: density, coverage.

    Example:
    >>> real, fake = np.arange(4.0)[:, None], np.array([[0.5], [1.5], [10.0], [11.0]])
    >>> kgen.metrics.density_coverage(fake, real, k=1)
    {'density': 1.0, 'coverage': 0.75}

    Reference: Naeem et al., Reliable Fidelity and Diversity Metrics for Generative Models, 2020,
    eq. 4 and 5. https://arxiv.org/abs/2002.09797
    """
    found = _found(fake, real, k, ties)
    return {name: found[name] for name in ("density", "coverage")}


def _found(fake, real, k, ties):
    k = whole_number("k", k)
    is_within = np.less_equal if flag("ties", ties) else np.less
    fake, real = alike(fake, real, at_least=k + 1)
    center = real.mean(axis=0, dtype="float64")
    fake, real = fake - center, real - center  # now in float64
    ids, real_ids = row_ids(fake, real)
    of_fake, of_real = _radii(fake, ids, k), _radii(real, real_ids, k)
    among_real, has_real, has_fake = [], np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows in blocks_of_pairs(len(fake), len(real)):
        squares = squared_distances(fake[rows], real, ids[rows], real_ids)
        is_among = is_within(squares, of_real)
        among_real.append(is_among.sum(axis=1))
        has_fake |= is_among.any(axis=0)
        has_real |= is_within(squares, of_fake[rows, None]).any(axis=0)
    among_real = np.concatenate(among_real)
    return {
        "precision": float((among_real > 0).mean()),
        "recall": float(has_real.mean()),
        "density": float(among_real.mean() / k),
        "coverage": float(has_fake.mean()),
    }


def _radii(x, ids, k):
    """The squared distance of each to its k-th neighbour, itself not counted."""
    parts = (
        squared_distances(x[rows], x, ids[rows], ids) for rows in blocks_of_pairs(len(x), len(x))
    )
    # Copies, as views would hold all of the distances.
    return np.concatenate([np.partition(squares, k, axis=1)[:, k].copy() for squares in parts])


def memorization_distance(fake, real):
    """The mean over fakes of 1 - |cos| to the nearest real image's features: 0 is learned by heart.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of the training images.

    Returns:
        float in [0, 1].

    Reference: Bai et al., On Training Sample Memorization: Lessons from Benchmarking Generative
    Modeling with a Large-Scale Competition, 2021, section 4. https://arxiv.org/abs/2106.03062
    """
    fake, real = (_unit(each) for each in alike(fake, real))
    nearest = [
        np.abs(fake[rows] @ real.T).max(axis=1) for rows in blocks_of_pairs(len(fake), len(real))
    ]
    return float(np.mean(1.0 - np.minimum(np.concatenate(nearest), 1.0)))


def nearest(fake, real, k=1):
    """The k nearest real images of each fake, by the Euclidean distance of their features.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of the training images.
        k: int. Defaults to 1.

    Returns:
        Distances (num, k), the nearest first, and which they are (num, k), int.
    """
    fake, real = alike(fake, real, at_least=1)
    k = whole_number("k", k, at_most=len(real))
    found, (ids, real_ids) = [], row_ids(fake, real)
    for rows in blocks_of_pairs(len(fake), len(real)):
        squares = squared_distances(fake[rows], real, ids[rows], real_ids)
        order = np.argsort(squares, axis=1, kind="stable")[:, :k].copy()
        found.append((np.sqrt(np.take_along_axis(squares, order, axis=1)), order))
    distances, order = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return distances, order


def _unit(x):
    x = x.astype("float64")
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    if not norms.all():
        raise ValueError("Expected features that are not all 0. Received: a row of zeros")
    return x / norms
