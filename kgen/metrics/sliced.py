"""The sliced Wasserstein distance between two sets of features."""

import numpy as np

from kgen.checks import whole_number
from kgen.metrics.arrays import alike, blocks


def sliced_wasserstein(fake, real, projections=1000, seed=0):
    """The mean squared Wasserstein-2 distance of features along random directions.

    Along a line the distance is that of the sorted values, so that it is quick, and sees more than
    means and covariances do.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of real images; of another number the quantiles are
            compared.
        projections: int. Directions, uniform on the sphere. Defaults to 1000.
        seed: int. Draws them.

    Returns:
        float, at least 0: of features that are apart by one shift, ||shift||^2 / d.

    Reference: Bonneel et al., Sliced and Radon Wasserstein Barycenters of Measures, 2015.
    https://doi.org/10.1007/s10851-014-0506-3
    """
    fake, real = alike(fake, real)
    projections = whole_number("projections", projections)
    seed = whole_number("seed", seed, at_least=0)
    rng, sums = np.random.default_rng(seed), 0.0
    for part in blocks(projections, 100):
        num = min(part.stop, projections) - part.start
        directions = rng.standard_normal((fake.shape[1], num))
        directions /= np.linalg.norm(directions, axis=0)
        sums += num * _squared_along(fake @ directions, real @ directions)
    return float(sums / projections)


def _squared_along(a, b):
    """The mean over the columns of the squared distance of their values' distributions."""
    a, b = np.sort(a, axis=0), np.sort(b, axis=0)
    if len(a) != len(b):  # both quantile functions are steps: compared where either has one
        edges = np.unique(np.concatenate([np.arange(1, n + 1) / n for n in (len(a), len(b))]))
        middles = edges - np.diff(edges, prepend=0.0) / 2.0
        weights = np.diff(edges, prepend=0.0)[:, None]
        a, b = (x[np.minimum((middles * len(x)).astype(int), len(x) - 1)] for x in (a, b))
        return float((weights * np.square(a - b)).sum(axis=0).mean())
    return float(np.square(a - b).mean())
