"""What an encoder says of a code: q(z|x)."""

from kgen.posteriors.full_normal import FullNormal
from kgen.posteriors.iaf import IAF
from kgen.posteriors.normal import Normal
from kgen.posteriors.posterior import Codes, Posterior

__all__ = ["IAF", "Codes", "FullNormal", "Normal", "Posterior", "get"]

POSTERIORS = {"normal": Normal, "full": FullNormal, "iaf": IAF}


def get(posterior):
    """A posterior by its name, or as it is.

    Args:
        posterior: "normal", "full", "iaf" or a `Posterior`.
    """
    if isinstance(posterior, Posterior):
        return posterior
    if not isinstance(posterior, str) or posterior not in POSTERIORS:
        raise ValueError(
            f"Expected a posterior in {list(POSTERIORS)}, or an object of kgen.posteriors. "
            f"Received: {posterior!r}"
        )
    return POSTERIORS[posterior]()
