"""The prior by an invertible flow."""

import keras
from keras import ops

from kgen import networks
from kgen.checks import whole_number, whole_numbers
from kgen.priors.normal import Normal
from kgen.priors.prior import LearnedPrior, Prior


class Flowed(Prior):
    """What a flow takes to N(0, I).

    Args:
        network: `kgen.networks.InvertibleNetwork` of images (1, 1, size).
    """

    def __init__(self, network):
        super().__init__(network.image_shape[-1])
        self.network_of_it = network

    def draw(self, noise, num):
        eps = ops.cast(noise.normal((num, self.size)), self.network_of_it.compute_dtype)
        return ops.cast(self.network_of_it.inverse(eps)[:, 0, 0], "float32")

    def log_prob(self, z):
        eps, log_det = self.network_of_it(ops.reshape(z, (-1, 1, 1, self.size)))
        eps, log_det = (ops.cast(each, "float32") for each in (eps, log_det))
        return ops.reshape(Normal(self.size).log_prob(eps) + log_det, ops.shape(z)[:-1])


@keras.saving.register_keras_serializable("kgen", name="FlowPrior")
class Flow(LearnedPrior):
    """A flow f of affine couplings from z to noise.

    log p(z) = log N(f(z); 0, I) + log|det df/dz|;  a draw is the inverse of f of noise. Both take
    one pass. In the beginning f is the identity and the prior N(0, I).

    Args:
        steps: int of at least 1. Couplings, of one half of the latents and of the other in turn.
            Defaults to 6.
        units: tuple of int. Of each coupling's hidden layers. Defaults to (200, 200).

    Reference: Dinh et al., Density Estimation Using Real NVP, 2016. https://arxiv.org/abs/1605.08803
    """

    def __init__(self, steps=6, units=(200, 200)):
        super().__init__()
        self.steps = whole_number("steps", steps)
        self.units = whole_numbers("units", units)

    def network(self, latent_dim, image_shape):
        if latent_dim < 2:
            raise ValueError(
                "Expected two latents at least with a flow as the prior, of which one half moves "
                f"by the other. Received: {latent_dim=}"
            )
        return networks.vector_flow(latent_dim, self.steps, self.units)

    def bound(self, network, encode):
        return Flowed(network)

    def get_config(self):
        return {"steps": self.steps, "units": self.units}
