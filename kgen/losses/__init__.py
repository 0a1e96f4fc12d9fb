"""The maths, as pure functions of tensors: one value an example, in nats."""

from kgen.losses.divergence import gaussian_kl
from kgen.losses.likelihood import bernoulli_nll, bits_per_dim, discretized_logistic_nll, normal_nll

__all__ = ["bernoulli_nll", "bits_per_dim", "discretized_logistic_nll", "gaussian_kl", "normal_nll"]
