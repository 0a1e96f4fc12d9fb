"""Negative log-likelihoods -log p(x | parameters), one value an example, in nats."""

import math

from keras import ops

_LOG_2_PI = math.log(2.0 * math.pi)


def bits_per_dim(nll, image_shape):
    """A negative log-likelihood of discrete pixels in nats an image, as bits a pixel and channel.

    Args:
        nll: float, array or tensor, in nats.
        image_shape: tuple (height, width, channels).
    """
    return nll / (math.prod(image_shape) * math.log(2.0))


def _sum_over_pixels(nll):
    return ops.sum(nll, axis=tuple(range(1, len(nll.shape))))


def bernoulli_nll(x, logits):
    """-sum log Bernoulli(x; sigmoid(logits)).

    Args:
        x: binary tensor of shape (batch, ...), 0 or 1. Grey values would not make it a likelihood.
        logits: tensor of the same shape.

    Returns:
        Tensor of shape (batch,).
    """
    return _sum_over_pixels(ops.softplus(logits) - x * logits)


def categorical_nll(one_hot, logits):
    """-log Categorical(x; softmax(logits)).

    Args:
        one_hot: tensor of shape (batch, categories).
        logits: tensor of the same shape: the softmax is taken here, once.

    Returns:
        Tensor of shape (batch,).
    """
    return ops.logsumexp(logits, axis=-1) - ops.sum(one_hot * logits, axis=-1)


def levels_nll(values, logits):
    """-sum log Categorical(values; softmax(logits)), a softmax a pixel and colour.

    Args:
        values: int tensor of shape (batch, ...), in 0..levels - 1.
        logits: tensor of shape (batch, ..., levels).

    Returns:
        Tensor of shape (batch,).
    """
    chosen = ops.take_along_axis(logits, values[..., None], axis=-1)[..., 0]
    return _sum_over_pixels(ops.logsumexp(logits, axis=-1) - chosen)


def normal_nll(x, mean, log_var):
    """-sum log N(x; mean, exp(log_var)), a density.

    Args:
        x: tensor of shape (batch, ...).
        mean: tensor of the same shape.
        log_var: tensor of the same shape, the logarithm of the variance.

    Returns:
        Tensor of shape (batch,).
    """
    squared_error = ops.square(x - mean) * ops.exp(-log_var)
    return _sum_over_pixels(0.5 * (squared_error + log_var + _LOG_2_PI))


def discretized_logistic_nll(x, mean, log_scale, levels=256):
    """-sum log P(x), a logistic distribution integrated over each of `levels` bins.

    P(x) = sigmoid(a) - sigmoid(b),  a, b = (x - mean +- 1 / (levels - 1)) / scale, where the first
    and last bin reach to infinity, so that the probabilities of all levels sum to 1. It is computed
    as log sigmoid(a) + log sigmoid(-b) + log(1 - exp(b - a)), which is exact and finite everywhere.

    Args:
        x: tensor of shape (batch, ...) on the grid of `levels` values from -1 to 1.
        mean: tensor of the same shape.
        log_scale: tensor of the same shape, the logarithm of the logistic's scale.
        levels: int. Number of grey levels. Defaults to 256.

    Returns:
        Tensor of shape (batch,).

    Reference: Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
    2016. https://arxiv.org/abs/1606.04934
    """
    return -_sum_over_pixels(log_of_bin(x, mean, log_scale, levels))


def log_of_bin(x, mean, log_scale, levels):
    """The terms of `discretized_logistic_nll`, with the other sign: log P of each number."""
    half_bin = 1.0 / (levels - 1)
    inverse_scale = ops.exp(-log_scale)
    a = (x - mean + half_bin) * inverse_scale
    b = (x - mean - half_bin) * inverse_scale
    log_below = ops.where(x > 1.0 - half_bin, 0.0, ops.log_sigmoid(a))
    log_above = ops.where(x < -1.0 + half_bin, 0.0, ops.log_sigmoid(-b))
    inside = ops.logical_and(x > -1.0 + half_bin, x < 1.0 - half_bin)
    log_width = ops.where(inside, ops.log(-ops.expm1(-2.0 * half_bin * inverse_scale)), 0.0)
    return log_below + log_above + log_width


def logistic_mixture_nll(x, logits, means, log_scales, levels=256):
    """-sum log sum_k w_k prod_c P_k(x_c), of logistic distributions over the bins of the levels.

    Args:
        x: tensor of shape (batch, ..., colors) on the grid of `levels` values from -1 to 1.
        logits: tensor of shape (batch, ..., components), whose softmax is w.
        means: tensor of shape (batch, ..., colors, components).
        log_scales: tensor of that shape, the logarithms of the logistics' scales.
        levels: int. Defaults to 256.

    Returns:
        Tensor of shape (batch,).

    Reference: Salimans et al., PixelCNN++: Improving the PixelCNN with Discretized Logistic Mixture
    Likelihood and Other Modifications, 2017. https://arxiv.org/abs/1701.05517
    """
    log_p = ops.sum(log_of_bin(x[..., None], means, log_scales, levels), axis=-2)
    mixed = ops.logsumexp(logits + log_p, axis=-1) - ops.logsumexp(logits, axis=-1)
    return -_sum_over_pixels(mixed)
