"""What a network's outputs mean: p(x | parameters) of binary, real-valued, 8-bit pixels."""

from kgen.distributions.bernoulli import Bernoulli
from kgen.distributions.categorical import Categorical
from kgen.distributions.discretized_logistic import DiscretizedLogistic
from kgen.distributions.fixed_normal import FixedNormal
from kgen.distributions.logistic_mixture import LogisticMixture
from kgen.distributions.normal import Normal

__all__ = [
    "Bernoulli",
    "Categorical",
    "DiscretizedLogistic",
    "FixedNormal",
    "LogisticMixture",
    "Normal",
    "get",
]

DISTRIBUTIONS = {
    "bernoulli": Bernoulli,
    "normal": Normal,
    "fixed_normal": FixedNormal,
    "discretized_logistic": DiscretizedLogistic,
    "categorical": Categorical,
    "logistic_mixture": LogisticMixture,
}


def get(likelihood):
    """The distribution of pixels of a name in `DISTRIBUTIONS`, or of an object with its methods."""
    if hasattr(likelihood, "nll") and not isinstance(likelihood, type):
        return likelihood
    if not isinstance(likelihood, str) or likelihood not in DISTRIBUTIONS:
        raise ValueError(
            f"Expected likelihood in {list(DISTRIBUTIONS)}, or an object of kgen.distributions. "
            f"Received: likelihood={likelihood!r}"
        )
    return DISTRIBUTIONS[likelihood]()


def is_unbounded(distribution):
    """Whether its parameters are numbers of any size; False of a user's that does not say."""
    return getattr(distribution, "unbounded", False)
