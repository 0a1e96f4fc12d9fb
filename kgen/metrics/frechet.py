"""The Frechet distance between two sets of features."""

import numpy as np

from kgen.checks import whole_number
from kgen.metrics.arrays import blocks, checked
from kgen.metrics.arrays import features as checked_features

_BLOCK = 1000  # rows that are held in float64 at once


class Moments:
    """The number, mean and covariance of features, added up in batches.

    Args:
        features: array (num, d), or None to begin with nothing.

    Example:
    >>> moments = kgen.metrics.Moments()
    >>> for batch in np.arange(12.0).reshape(3, 2, 2):
    ...     moments.update(batch)
    >>> moments.num, moments.mean.tolist(), moments.covariance.tolist()
    (6, [5.0, 6.0], [[14.0, 14.0], [14.0, 14.0]])
    """

    def __init__(self, features=None):
        self.num, self.mean, self._scatter = 0, None, None
        if features is not None:
            self.update(features)

    def update(self, features):
        """Adds features (num, d)."""
        features = checked_features("features", features)
        for rows in blocks(len(features), _BLOCK):
            self._add(features[rows].astype("float64"))

    def _add(self, features):
        if self.mean is None:
            self.mean = np.zeros(features.shape[1])
            self._scatter = np.zeros((features.shape[1],) * 2)
        if features.shape[1] != len(self.mean):
            raise ValueError(
                f"Expected features of length {len(self.mean)}, as those before. Received: "
                f"features of shape {features.shape}"
            )
        # Chan et al. 1983, eq. 2.1: no difference of large sums, whatever the mean.
        num, mean = len(features), features.mean(axis=0)
        shift, whole = mean - self.mean, self.num + num
        features = features - mean
        self._scatter += features.T @ features
        self._scatter += np.outer(shift, shift) * (self.num * num / whole)
        self.mean = self.mean + shift * (num / whole)
        self.num = whole

    @property
    def covariance(self):
        """The unbiased estimate (d, d), of num - 1."""
        if self.num < 2:
            raise ValueError(f"Expected features of at least 2 images. Received: {self.num}")
        return self._scatter / (self.num - 1)


def frechet_distance(fake, real):
    """||m - m'||^2 + tr(S + S' - 2 (S S')^1/2) of features' means and covariances.

    With the features of the reference's Inception network it is the FID; with others it is not, and
    is not to be called so. Singular covariances are right too, those of fewer images than features
    among them. It is biased: see `frechet_bias`.

    Args:
        fake: array (num, d), features of generated images, or `Moments`.
        real: the same of real images.

    Returns:
        float, at least 0.

    Example:
    >>> x = np.array([[0.0], [2.0]])
    >>> kgen.metrics.frechet_distance(x + 3.0, x)
    9.0

    Reference: Heusel et al., GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
    Equilibrium, 2017, eq. 6. https://arxiv.org/abs/1706.08500
    """
    fake, real = (each if isinstance(each, Moments) else Moments(each) for each in (fake, real))
    covariances = fake.covariance, real.covariance
    if len(fake.mean) != len(real.mean):
        raise ValueError(
            f"Expected features of one length. Received: fake with {len(fake.mean)} and real with "
            f"{len(real.mean)}"
        )
    traces = sum(map(np.trace, covariances))
    distance = np.square(fake.mean - real.mean).sum() + traces - 2.0 * _root_trace(*covariances)
    return max(0.0, float(distance))


def _root_trace(a, b):
    """The trace of (A B)^1/2, by the eigenvalues of A^1/2 B A^1/2, which is symmetric."""
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.sqrt(np.maximum(np.linalg.eigvalsh(root.T @ b @ root), 0.0)).sum()


def frechet_bias(covariance, num_fake, num_real=None):
    """About the distance of two samples of one normal distribution, which without bias were 0.

    (tr S + sum_ij l_i l_j (1 + [i = j]) / (2 (l_i + l_j))) (1 / N + 1 / M), l the eigenvalues of S:
    of d features of variance 1 and N = M it is 2 d / N + d (d + 1) / (2 N).

    Args:
        covariance: array (d, d), the real features', or int d for the identity.
        num_fake: int. N.
        num_real: int, or None for as many. M.

    Returns:
        float. Of the covariance of few samples it is too low: of 2 d of them by a fifth.
    """
    num_fake = whole_number("num_fake", num_fake)
    num_real = whole_number("num_real", num_real, optional=True)
    if np.ndim(covariance) == 0:
        values = np.ones(whole_number("covariance", covariance))
    else:
        covariance = checked("covariance", covariance, 2)
        if covariance.shape[0] != covariance.shape[1]:
            raise ValueError(
                f"Expected a covariance (d, d). Received: covariance of shape {covariance.shape}"
            )
        if not np.allclose(covariance, covariance.T, rtol=0.0, atol=1e-5 * covariance.max()):
            raise ValueError("Expected a covariance that is symmetric. Received: one that is not")
        values = np.linalg.eigvalsh(covariance)
        if values[0] < -1e-5 * abs(values[-1]):
            raise ValueError(
                "Expected a covariance without eigenvalues below 0. Received: one whose lowest is "
                f"{values[0]:g}"
            )
    values = values[values > 0.0]
    pairs = values[:, None] * values / (2.0 * (values[:, None] + values))
    of_one = values.sum() + pairs.sum() + np.trace(pairs)
    return float(of_one * (1.0 / num_fake + 1.0 / (num_real or num_fake)))
