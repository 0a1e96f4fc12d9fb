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
    """-D(G(z)), also of the hinge loss.

    Reference: Arjovsky et al., Wasserstein GAN, 2017. https://arxiv.org/abs/1701.07875
    """
    return -_per_example(fake_logits)


def wasserstein_critic_loss(real_logits, fake_logits):
    """D(G(z)) - D(x): minus the estimate of the Wasserstein distance.

    Reference: Arjovsky et al., Wasserstein GAN, 2017. https://arxiv.org/abs/1701.07875
    """
    return _per_example(fake_logits) - _per_example(real_logits)


def hinge_discriminator_loss(real_logits, fake_logits):
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))): what is right by more than 1 counts no more.

    Reference: Lim & Ye, Geometric GAN, 2017. https://arxiv.org/abs/1705.02894
    """
    return _per_example(ops.relu(1.0 - real_logits)) + _per_example(ops.relu(1.0 + fake_logits))


def relativistic_loss(winner_logits, loser_logits):
    """-log sigmoid(D(winner) - D(loser)), each example against its partner.

    The discriminator's winners are real images, the generator's its own.

    Reference: Jolicoeur-Martineau, The relativistic discriminator, 2018, eq. 3 and 4.
    https://arxiv.org/abs/1807.00734
    """
    return _per_example(ops.softplus(loser_logits - winner_logits))


def relativistic_average_loss(winner_logits, loser_logits):
    """-log sigmoid(D(winner) - E D(loser)) - log(1 - sigmoid(D(loser) - E D(winner))).

    The discriminator's winners are real images, the generator's its own.

    Reference: Jolicoeur-Martineau, The relativistic discriminator, 2018, eq. 7 and 8.
    https://arxiv.org/abs/1807.00734
    """
    winner = ops.softplus(ops.mean(loser_logits) - winner_logits)
    return _per_example(winner + ops.softplus(loser_logits - ops.mean(winner_logits)))
