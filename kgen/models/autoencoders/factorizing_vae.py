"""VAEs that pay for latents that depend on each other."""

from kgen import priors
from kgen.models.autoencoders.vae import VAE


class FactorizingVAE(VAE):
    """A VAE of the ELBO and one normal sample of independent latents, with one term more.

    Args:
        *args: as of `VAE`.
        **kwargs: as of `VAE`.
    """

    _fixed = {"posterior_family": "normal", "objective": "elbo", "num_samples": 1}

    def __init__(self, *args, **kwargs):
        for name, value in self._fixed.items():
            if kwargs.get(name, value) != value:
                raise ValueError(
                    f"Expected {name}={value!r}, of which the loss of {type(self).__name__} is. "
                    f"Received: {name}={kwargs[name]!r}"
                )
        super().__init__(*args, **kwargs)
        if not isinstance(self.prior, priors.Normal):
            raise ValueError(
                "Expected prior='normal', whose divergence falls into what each latent and all "
                f"together add. Received: {type(self.prior).__name__}"
            )
