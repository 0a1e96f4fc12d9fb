"""Where latent vectors come from: p(z)."""

from kgen.checks import whole_number
from kgen.priors.codes import Codes
from kgen.priors.normal import Normal
from kgen.priors.plane import Mixture, SwissRoll
from kgen.priors.prior import Prior
from kgen.priors.uniform import Uniform

__all__ = ["Codes", "Mixture", "Normal", "Prior", "SwissRoll", "Uniform", "get"]

PRIORS = {"uniform": Uniform, "normal": Normal, "mixture": Mixture, "swiss_roll": SwissRoll}


def get(prior, size):
    """A prior of vectors of a length, by its name or as it is.

    Args:
        prior: "uniform", "normal", "mixture", "swiss_roll" or a `Prior`.
        size: int. Length of z.
    """
    size = whole_number("latent_dim", size)
    if isinstance(prior, Prior):
        if prior.size != size:
            raise ValueError(
                f"Expected a prior of vectors of length {size}. Received: one of {prior.size}"
            )
        return prior
    if not isinstance(prior, str) or prior not in PRIORS:
        raise ValueError(f"Expected prior in {list(PRIORS)}, or a Prior. Received: prior={prior!r}")
    return PRIORS[prior](size)
