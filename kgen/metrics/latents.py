"""What a code tells: its active units, and what a linear classifier reads of it."""

import numpy as np

from kgen.checks import number
from kgen.metrics.arrays import checked


def active_units(means, threshold=0.01):
    """How many numbers of a code tell anything of the image: the variance of their mean is larger.

    Args:
        means: array (num, latent_dim), the means of q(z | x) of as many images.
        threshold: float. Defaults to the paper's 0.01.

    Returns:
        int.

    Example:
    >>> kgen.metrics.active_units([[0.0, 1.0, 5.0], [0.1, -1.0, 5.0]])
    1

    Reference: Burda et al., Importance Weighted Autoencoders, 2015, section 5.2.
    https://arxiv.org/abs/1509.00519
    """
    means = checked("means", means, 2, at_least=2)
    threshold = number("threshold", threshold)
    return int((means.var(axis=0, ddof=1) > threshold).sum())


def linear_probe(codes, labels, test_codes, test_labels):
    """The accuracy on test images of a linear classifier of codes.

    Args:
        codes: array (num, latent_dim), of training images.
        labels: array (num,), ints.
        test_codes: array (any num, latent_dim).
        test_labels: array of as many.

    Returns:
        float in [0, 1].
    """
    from sklearn.linear_model import LogisticRegression  # as its import takes a second
    from sklearn.preprocessing import StandardScaler

    codes, labels = examples(codes, labels, "labels", 1)
    test_codes, test_labels = examples_of_test(codes, labels, test_codes, test_labels, "labels")
    varying_columns(labels[:, None], "label")
    scaler = StandardScaler().fit(codes)
    probe = LogisticRegression(max_iter=1000).fit(scaler.transform(codes), labels)
    return float(probe.score(scaler.transform(test_codes), test_labels))


def examples(codes, factors, name="factors", ndim=2):
    """Codes, checked, and what their images are of: whole numbers, a row for each."""
    codes, factors = checked("codes", codes, 2, at_least=2), np.asarray(factors)
    if factors.ndim != ndim or factors.dtype.kind not in "iu" or len(factors) != len(codes):
        shape = f"({len(codes)}, num_{name})" if ndim == 2 else f"({len(codes)},)"
        raise ValueError(
            f"Expected {name} as whole numbers {shape}, a row for each code. Received: {name} of "
            f"shape {factors.shape} and {factors.dtype}"
        )
    return codes, factors


def examples_of_test(codes, factors, test_codes, test_factors, name="factors"):
    """Those of test images, with as many numbers and factors as the others."""
    test_codes, test_factors = examples(test_codes, test_factors, name, factors.ndim)
    found, wanted = (
        (x.shape[1], y.shape[1:]) for x, y in ((test_codes, test_factors), (codes, factors))
    )
    if found != wanted:
        raise ValueError(
            f"Expected test_codes and test_{name} as codes and {name} are, of shapes {codes.shape} "
            f"and {factors.shape} but for their number. Received: {test_codes.shape} and "
            f"{test_factors.shape}"
        )
    return test_codes, test_factors


def varying_columns(factors, what="factor"):
    """Which of the factors vary; of the others there is nothing to tell."""
    found = np.flatnonzero(np.ptp(factors, axis=0) > 0)
    if not len(found):
        raise ValueError(f"Expected a {what} that varies. Received: {what}s that are all constant")
    return found
