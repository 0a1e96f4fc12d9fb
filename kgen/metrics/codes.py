"""How many codes of a codebook are in use."""

import numpy as np

from kgen.metrics.arrays import checked


def perplexity(counts):
    """The number of codes that would be as varied if all were as frequent, exp of their entropy.

    Args:
        counts: array (num_codes,), how often each code stands in all codes of a data set, as
            `kgen.VQVAE.usage` counts. Those of one batch have fewer the smaller it is.

    Returns:
        float in 1..num_codes.

    Example:
    >>> kgen.metrics.perplexity([5, 5, 0, 5, 5])
    4.0
    """
    counts = checked("counts", counts, 1, low=0.0)
    if counts.sum() == 0.0:
        raise ValueError("Expected a code that was counted. Received: counts of 0 alone")
    share = counts[counts > 0] / counts.sum()
    return float(np.exp(-np.sum(share * np.log(share))))
