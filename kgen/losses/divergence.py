"""Divergences between distributions, in nats."""

import math

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


def merge_normals(mean, log_var, other_mean, other_log_var):
    """The normal distribution whose density is as the product of two densities.

    var = 1 / (1 / var_1 + 1 / var_2),  mean = var (mean_1 / var_1 + mean_2 / var_2): each counts by
    its precision (Sonderby et al. 2016, https://arxiv.org/abs/1602.02282).

    Args:
        mean: tensor.
        log_var: tensor of the same shape.
        other_mean: tensor of the same shape.
        other_log_var: tensor of the same shape.

    Returns:
        Its mean and log-variance.
    """
    share = ops.sigmoid(other_log_var - log_var)
    merged = other_mean + share * (mean - other_mean)
    return merged, -ops.logaddexp(-log_var, -other_log_var)


def aggregate_log_weights(num, dataset_size=None):
    """How much each q(z_i | x_j) of a batch counts in an estimate of log q(z_i), (num, num).

    Stratified sampling (Chen et al. 2018, https://arxiv.org/abs/1802.04942, appendix C.2), of N
    images and M = num - 1: 1 / N where i = j, (N - M) / (N M) for one other, 1 / M for the rest.

    Args:
        num: int or scalar tensor. Images of the batch, at most N.
        dataset_size: int or None. N; without it all count 1 / num.

    Returns:
        Float32 tensor, of which exp sums to 1 in each row.
    """
    own = ops.eye(num, dtype="float32")
    num = ops.cast(num, "float32")
    if dataset_size is None:
        return ops.zeros_like(own) - ops.log(num)
    size, others = float(dataset_size), ops.maximum(num - 1.0, 1.0)
    of_own = -math.log(size) * ops.cast(num > 1.0, "float32")  # one alone is all that there is
    left = ops.log(ops.maximum(size - others, 1.0) / (size * others))
    rest = ops.where(ops.roll(own, 1, axis=1) > 0, left, -ops.log(others))
    return ops.where(own > 0, of_own, rest)


def total_correlation(log_q_by_latent, log_weights):
    """The logarithm of an aggregate q(z), and that of q(z) / prod q(z_j), whose mean is its TC.

    KL(q(z) || prod q(z_j)),  with q(z) = sum_j w_j q(z | x_j)   (Chen et al. 2018, eq. 2)

    Args:
        log_q_by_latent: tensor (num, batch, latent_dim), log q of each latent given each image.
        log_weights: tensor that broadcasts to (num, batch).

    Returns:
        Tensors (num,), in nats.
    """
    joint = ops.logsumexp(ops.sum(log_q_by_latent, axis=-1) + log_weights, axis=1)
    marginals = ops.logsumexp(log_q_by_latent + log_weights[..., None], axis=1)
    return joint, joint - ops.sum(marginals, axis=-1)
