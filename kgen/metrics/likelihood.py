"""The bound on log p(x) by importance weights, and how sure it is."""

import numpy as np

from kgen.metrics.arrays import checked


def importance_bound(log_weights):
    """Log of the mean importance weight, a bound on log p(x) that grows with k, and its error.

    Args:
        log_weights: array (num, k), log p(x, z) - log q(z | x) of k draws an image, in nats;
            finite.

    Returns:
        dict: log_likelihood (num,), of each image; mean, over the images; standard_error, of that
        mean over other images; effective_samples, the mean over the images of (sum w)^2 / sum w^2,
        of which a number far below k says that the bound is not tight.

    Example:
    >>> found = kgen.metrics.importance_bound(np.log([[1.0, 3.0], [2.0, 2.0]]))
    >>> np.exp(found["log_likelihood"]).round(9).tolist(), round(found["effective_samples"], 9)
    ([2.0, 2.0], 1.8)

    Reference: Burda et al., Importance Weighted Autoencoders, 2015, eq. 8.
    https://arxiv.org/abs/1509.00519
    """
    log_weights = checked("log_weights", log_weights, 2)
    highest = log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights - highest)
    bound = highest[:, 0] + np.log(weights.mean(axis=1))
    effective = np.square(weights.sum(axis=1)) / np.square(weights).sum(axis=1)
    error = bound.std(ddof=1) / np.sqrt(len(bound)) if len(bound) > 1 else np.nan
    return {
        "log_likelihood": bound,
        "mean": float(bound.mean()),
        "standard_error": float(error),
        "effective_samples": float(effective.mean()),
    }
