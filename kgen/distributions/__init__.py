"""What a decoder's outputs mean: p(x | parameters) of binary, real-valued and 8-bit pixels."""

from kgen.distributions.bernoulli import Bernoulli
from kgen.distributions.discretized_logistic import DiscretizedLogistic
from kgen.distributions.normal import Normal

LIKELIHOODS = {
    "bernoulli": Bernoulli(),
    "normal": Normal(),
    "discretized_logistic": DiscretizedLogistic(),
}
