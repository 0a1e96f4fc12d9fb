"""Divergences between distributions, in nats."""

from keras import ops


def gaussian_kl(mean, log_var):
    """KL(N(mean, exp(log_var)) || N(0, I)), summed over all axes but the first.

    1/2 sum(mean^2 + var - 1 - log var)   (Kingma & Welling 2013, appendix B)

    Args:
        mean: tensor of shape (batch, ...).
        log_var: tensor of the same shape, the logarithm of the variance.

    Returns:
        Tensor of shape (batch,), at least 0.
    """
    kl = 0.5 * (ops.square(mean) + ops.expm1(log_var) - log_var)
    return ops.sum(kl, axis=tuple(range(1, len(kl.shape))))
