"""The kernel distance between two sets of features."""

import numpy as np

from kgen.checks import whole_number
from kgen.metrics.arrays import alike
from kgen.metrics.distances import blocks_of_pairs


def polynomial_mmd(fake, real):
    """The unbiased estimate of the squared maximum mean discrepancy, k(x, y) = (x y / d + 1)^3.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d).

    Returns:
        float; of one distribution its mean is 0, so that below 0 is as good as above.

    Example:
    >>> kgen.metrics.polynomial_mmd([[0.0], [1.0]], [[1.0], [2.0]])
    9.5

    Reference: Binkowski et al., Demystifying MMD GANs, 2018, eq. 4.
    https://arxiv.org/abs/1801.01401
    """
    return _mmd(*alike(fake, real, at_least=2))


def _mmd(x, y):
    def total(a, b):
        return sum(
            _kernel(a[rows].astype("float64") @ b[columns].astype("float64").T, a).sum()
            for rows, columns in blocks_of_pairs(a, b)
        )

    def within(a):
        of_themselves = _kernel(np.einsum("nd,nd->n", a, a, dtype="float64"), a).sum()
        return (total(a, a) - of_themselves) / (len(a) * (len(a) - 1))

    return float(within(x) + within(y) - 2.0 * total(x, y) / (len(x) * len(y)))


def _kernel(products, a):
    return (products / a.shape[1] + 1.0) ** 3


def kernel_distance(fake, real, subsets=100, subset_size=1000, seed=0):
    """The kernel distance of features: `polynomial_mmd` of random subsets.

    With the features of the reference's Inception network it is the KID. It has no bias, also of
    few images.

    Args:
        fake: array (num, d), features of generated images.
        real: array (any num, d), features of real images.
        subsets: int. Defaults to 100.
        subset_size: int. Images of each kind in a subset, drawn without replacement; of fewer
            images it is all of them. Defaults to 1000.
        seed: int. Draws the subsets.

    Returns:
        The mean over the subsets and their standard deviation, floats.
    """
    seed = whole_number("seed", seed, at_least=0)
    fake, real = alike(fake, real, at_least=2)
    subsets = whole_number("subsets", subsets)
    size = min(whole_number("subset_size", subset_size, at_least=2), len(fake), len(real))
    if size == len(fake) == len(real):  # every subset is all of them
        return _mmd(fake, real), 0.0
    rng = np.random.default_rng(seed)
    found = [
        _mmd(*(x[rng.choice(len(x), size, replace=False)] for x in (fake, real)))
        for _ in range(subsets)
    ]
    return float(np.mean(found)), float(np.std(found))
