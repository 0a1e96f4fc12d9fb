"""VAEs that pay for latents that depend on each other."""

import keras

from kgen.models.autoencoders.vae import VAE


class FactorizingVAE(VAE):
    """A VAE of the ELBO and a normal q(z|x) of independent latents, with one term more.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z.
        encoder: as of `VAE`.
        decoder: as of `VAE`.
        architecture: as of `VAE`.
        width: as of `VAE`.
        depth: as of `VAE`.
        likelihood: as of `VAE`.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None.
        seed: int or None.
    """

    # Of a VAE's arguments, those that the papers' losses leave no choice of.
    _fixed = ("beta", "free_bits", "posterior_family", "objective", "num_samples")

    def __init__(self, *args, **kwargs):
        for name in self._fixed:
            if name in kwargs:
                raise ValueError(
                    f"Expected no {name}: the loss of {type(self).__name__} leaves no choice of "
                    f"it. Received: {name}={kwargs[name]!r}"
                )
        super().__init__(*args, **kwargs)

    def players(self):
        return {"vae": [self.encoder, self.decoder]}

    def default_optimizers(self):
        return {"vae": keras.optimizers.Adam(1e-3, name="vae")}

    def get_config(self):
        config = super().get_config()
        return {name: value for name, value in config.items() if name not in self._fixed}
