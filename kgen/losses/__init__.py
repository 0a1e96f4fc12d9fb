"""The maths, as pure functions of tensors: one value an example, likelihoods in nats."""

from kgen.losses.adversarial import (
    hinge_discriminator_loss,
    least_squares_discriminator_loss,
    least_squares_generator_loss,
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    relativistic_average_loss,
    relativistic_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from kgen.losses.divergence import (
    aggregate_log_weights,
    gaussian_kl,
    merge_normals,
    total_correlation,
)
from kgen.losses.likelihood import (
    bernoulli_nll,
    bits_per_dim,
    categorical_nll,
    discretized_logistic_nll,
    levels_nll,
    logistic_mixture_nll,
    normal_nll,
)
from kgen.losses.penalty import gradient_penalty, r1_penalty

__all__ = [
    "aggregate_log_weights",
    "bernoulli_nll",
    "bits_per_dim",
    "categorical_nll",
    "discretized_logistic_nll",
    "gaussian_kl",
    "gradient_penalty",
    "hinge_discriminator_loss",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "levels_nll",
    "logistic_mixture_nll",
    "merge_normals",
    "minimax_discriminator_loss",
    "minimax_generator_loss",
    "non_saturating_generator_loss",
    "normal_nll",
    "r1_penalty",
    "relativistic_average_loss",
    "relativistic_loss",
    "total_correlation",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]
