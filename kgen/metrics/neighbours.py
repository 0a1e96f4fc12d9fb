"""How fakes lie among real images, by the nearest of their features."""

import numpy as np

from kgen.checks import flag, whole_number
from kgen.metrics import distances
from kgen.metrics.arrays import alike

# Equal distances are equal but for rounding: so much, in parts of what they are computed of.
ROUNDING = 2.0**-40


def precision_recall(fake, real, k=3, ties=True):
    """Precision, the part of fakes among the real, and recall, that of the real among fakes.

    A point is among others if it is as near to one of these as its k-th neighbour is. Points that
    are a million times as far from the real ones' mean as from one another are not told apart.

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
    hardly trusts an outlier. Points that are a million times as far from the real ones' mean as
    from one another are not told apart.

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
    leeway, is_within = (-ROUNDING, np.less_equal) if flag("ties", ties) else (ROUNDING, np.less)
    fake, real = distances.points(*alike(fake, real, at_least=k + 1))
    of_fake, of_real = (distances.squared_radii(each, k) for each in (fake, real))
    among_real = np.zeros(len(of_fake), int)
    has_real, has_fake = np.zeros((2, len(of_real)), bool)
    for rows, columns, squares in distances.squared_distances(fake, real, leeway):
        is_among = is_within(squares, of_real[columns])
        among_real[rows] += is_among.sum(axis=1)
        has_fake[columns] |= is_among.any(axis=0)
        has_real[columns] |= is_within(squares, of_fake[rows, None]).any(axis=0)
    return {
        "precision": float((among_real > 0).mean()),
        "recall": float(has_real.mean()),
        "density": float(among_real.mean() / k),
        "coverage": float(has_fake.mean()),
    }


def memorization_distance(fake, real):
    """The mean over fakes of 1 - |cos| to the nearest real image's features: 0 is learned by heart.

    Features that are all 0 have no angle: they are at 0 from others that are so, else at 1.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of the training images.

    Returns:
        float in [0, 1].

    Reference: Bai et al., On Training Sample Memorization: Lessons from Benchmarking Generative
    Modeling with a Large-Scale Competition, 2021, section 4. https://arxiv.org/abs/2106.03062
    """
    fake, real = alike(fake, real)
    closest = np.zeros(len(fake))
    for rows, columns in distances.blocks_of_pairs(fake, real):
        a, b = (_unit(each) for each in (fake[rows], real[columns]))
        near = np.abs(a @ b.T)
        near[np.ix_(~a.any(axis=1), ~b.any(axis=1))] = 1.0
        closest[rows] = np.maximum(closest[rows], near.max(axis=1))
    return float(np.mean(1.0 - np.minimum(closest, 1.0)))


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
    return distances.nearest(*distances.points(fake, real), k)


def _unit(x):
    x = x.astype("float64")
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norms > 0.0, norms, 1.0)
