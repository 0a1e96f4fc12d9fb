"""Where latent vectors come from: p(z)."""

from kgen.checks import whole_number
from kgen.priors.codes import Codes
from kgen.priors.flow import Flow
from kgen.priors.normal import Normal
from kgen.priors.plane import Mixture, SwissRoll
from kgen.priors.prior import LearnedPrior, Prior
from kgen.priors.uniform import Uniform
from kgen.priors.vamp_prior import VampPrior

__all__ = [
    "Codes",
    "Flow",
    "LearnedPrior",
    "Mixture",
    "Normal",
    "Prior",
    "SwissRoll",
    "Uniform",
    "VampPrior",
    "get",
]

PRIORS = {"uniform": Uniform, "normal": Normal, "mixture": Mixture, "swiss_roll": SwissRoll}
LEARNED = {"vamp": VampPrior, "flow": Flow}


def get(prior, size):
    """A prior of vectors of a length, by its name or as it is.

    Args:
        prior: "uniform", "normal", "mixture", "swiss_roll" or a `Prior` with nothing to learn.
        size: int. Length of z.
    """
    size = whole_number("latent_dim", size)
    if isinstance(prior, LearnedPrior) or (isinstance(prior, str) and prior in LEARNED):
        raise ValueError(
            "Expected a prior with nothing to learn, which a kgen.VAE alone teaches. Received: "
            f"prior={prior if isinstance(prior, str) else type(prior).__name__}"
        )
    if isinstance(prior, Prior):
        if prior.size != size:
            raise ValueError(
                f"Expected a prior of vectors of length {size}. Received: one of {prior.size}"
            )
        return prior
    if not isinstance(prior, str) or prior not in PRIORS:
        raise ValueError(f"Expected prior in {list(PRIORS)}, or a Prior. Received: prior={prior!r}")
    return PRIORS[prior](size)


def of_codes(prior, size):
    """A prior of the codes of a VAE, learned ones among them, by its name or as it is.

    Args:
        prior: "normal", "vamp", "flow" or a `Prior` that has a density everywhere.
        size: int. Length of z.
    """
    name = prior if isinstance(prior, str) else None
    if name in LEARNED:
        return LEARNED[name]()
    if isinstance(prior, LearnedPrior):
        return prior
    if not isinstance(prior, Prior) and name not in PRIORS:
        raise ValueError(
            "Expected prior in ['normal', 'vamp', 'flow'], or an object of kgen.priors. Received: "
            f"{prior=}"
        )
    prior = get(prior, size)
    if not prior.has_full_support:
        raise ValueError(
            "Expected a prior with a density above 0 of every code, as the posterior has, or the "
            f"divergence is infinite. Received: {type(prior).__name__}"
        )
    return prior
