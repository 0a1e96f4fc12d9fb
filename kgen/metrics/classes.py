"""How many kinds of samples there are: by a classifier, and of a mixture whose modes are known."""

import numpy as np

from kgen.checks import number, whole_number
from kgen.metrics.arrays import checked


def inception_score(logits, splits=10, seed=0):
    """Exp E KL(p(y | x) || p(y)) of a classifier's answers on generated images.

    From 1, where the answers tell nothing, to the number of classes, where each is sure and all are
    as frequent. With the reference's Inception network it is the inception score; with another
    classifier it is of that one's classes alone.

    Args:
        logits: array (num, classes), what the softmax is taken of; logarithms of probabilities do,
            where none is 0.
        splits: int. The score is of so many parts of the images, after a shuffle, of two images at
            least; of hardly more images than classes it is too low. Defaults to 10.
        seed: int. Shuffles.

    Returns:
        The mean over the parts and their standard deviation, floats.

    Example:
    >>> mean, _ = kgen.metrics.inception_score(np.log([[0.9, 0.1], [0.1, 0.9]]), splits=1)
    >>> round(mean, 9)
    1.444934811

    Reference: Salimans et al., Improved Techniques for Training GANs, 2016, section 4.
    https://arxiv.org/abs/1606.03498
    """
    splits = whole_number("splits", splits)
    seed = whole_number("seed", seed, at_least=0)
    logits = checked("logits", logits, 2, at_least=2 * splits)
    logits = logits[np.random.default_rng(seed).permutation(len(logits))]
    log_p = logits - logits.max(axis=1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    scores = []
    for part in np.array_split(log_p, splits):
        p = np.exp(part)
        mean = p.mean(axis=0)
        entropy = -np.sum(mean * np.log(np.where(mean > 0.0, mean, 1.0)))
        scores.append(np.exp(np.mean(np.sum(p * part, axis=1)) + entropy))
    return float(np.mean(scores)), float(np.std(scores))


def mode_counts(points, modes, std):
    """How many modes of a mixture of Gaussians points find, and how evenly.

    A point within three standard deviations of a mode is of high quality; a mode is found if such a
    point is nearest to it.

    Args:
        points: array (num, d), what a model draws.
        modes: array (num_modes, d), the means.
        std: float above 0. The modes' standard deviation.

    Returns:
        dict: modes, how many are found; high_quality, the part of the points; reverse_kl, the
        divergence of the counts over the modes from equal ones, in nats, infinite without any.

    Reference: Lin et al., PacGAN: The Power of Two Samples in Generative Adversarial Networks,
    2017, section 4.1. https://arxiv.org/abs/1712.04086
    """
    points, modes = checked("points", points, 2), checked("modes", modes, 2)
    std = number("std", std, above=0.0)
    if points.shape[1] != modes.shape[1]:
        raise ValueError(
            f"Expected points and modes of one length. Received: points {points.shape} and modes "
            f"{modes.shape}"
        )
    distances = np.linalg.norm(points[:, None] - modes, axis=-1)
    good = distances.min(axis=1) <= 3.0 * std
    counts = np.bincount(distances[good].argmin(axis=1), minlength=len(modes))
    part = counts[counts > 0] / max(1, counts.sum())
    return {
        "modes": int((counts > 0).sum()),
        "high_quality": float(good.mean()),
        "reverse_kl": float(np.sum(part * np.log(part * len(modes)))) if len(part) else np.inf,
    }
