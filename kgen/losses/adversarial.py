"""Losses of two players, of unbounded logits: one value an example.

Logits are tensors of shape (batch, 1), or (batch, ...) with a mean over all axes but the first.
"""

from keras import ops


def _per_example(values):
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))


def non_saturating_generator_loss(fake_logits):
    """-log D(G(z)): strong where the discriminator rejects.

    Reference: Goodfellow et al., Generative Adversarial Nets, 2014, section 3.
    https://arxiv.org/abs/1406.2661
    """
    return _per_example(ops.softplus(-fake_logits))


def minimax_generator_loss(fake_logits):
    """The zero-sum game's log(1 - D(G(z))): its gradient vanishes where the discriminator rejects.

    Reference: Goodfellow et al., Generative Adversarial Nets, 2014, eq. 1.
    https://arxiv.org/abs/1406.2661
    """
    return -_per_example(ops.softplus(fake_logits))


def minimax_discriminator_loss(real_logits, fake_logits, label_smoothing=0.0):
    """-log D(x) - log(1 - D(G(z))), D the sigmoid of the logits.

    Args:
        real_logits: tensor of shape (batch, ...).
        fake_logits: tensor of the same shape.
        label_smoothing: float in [0, 1). Real images count as real by 1 - label_smoothing, fakes
            as fake in full (Salimans et al. 2016, https://arxiv.org/abs/1606.03498).

    Returns:
        Tensor of shape (batch,).
    """
    real = ops.softplus(-real_logits) + label_smoothing * real_logits
    return _per_example(real) + _per_example(ops.softplus(fake_logits))


def least_squares_generator_loss(fake_logits, c=1.0):
    """1/2 (D(G(z)) - c)^2.

    Reference: Mao et al., Least Squares Generative Adversarial Networks, 2016, eq. 2.
    https://arxiv.org/abs/1611.04076
    """
    return 0.5 * _per_example(ops.square(fake_logits - c))


def least_squares_discriminator_loss(real_logits, fake_logits, a=0.0, b=1.0):
    """1/2 (D(x) - b)^2 + 1/2 (D(G(z)) - a)^2.

    Reference: Mao et al., Least Squares Generative Adversarial Networks, 2016, eq. 2.
    https://arxiv.org/abs/1611.04076
    """
    real = _per_example(ops.square(real_logits - b))
    return 0.5 * (real + _per_example(ops.square(fake_logits - a)))


def wasserstein_generator_loss(fake_logits):
    """-D(G(z)).

    Reference: Arjovsky et al., Wasserstein GAN, 2017. https://arxiv.org/abs/1701.07875
    """
    return -_per_example(fake_logits)


def wasserstein_critic_loss(real_logits, fake_logits):
    """D(G(z)) - D(x): minus the estimate of the Wasserstein distance.

    Reference: Arjovsky et al., Wasserstein GAN, 2017. https://arxiv.org/abs/1701.07875
    """
    return _per_example(fake_logits) - _per_example(real_logits)
