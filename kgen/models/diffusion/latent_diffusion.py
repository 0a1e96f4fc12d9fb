"""Diffusion among the codes of an autoencoder."""

import keras
import numpy as np
from keras import ops

from kgen.models.autoencoders.encoder_decoder import EncoderDecoder
from kgen.models.diffusion.ddpm import DDPM
from kgen.models.diffusion.diffusion_model import DiffusionModel
from kgen.models.diffusion.edm import EDM
from kgen.models.diffusion.in_steps import SampledInSteps
from kgen.models.image_model import ImageModel
from kgen.models.kept import is_rebuilt

_DECODING = 2**30  # a turn that no way from noise has


@keras.saving.register_keras_serializable("kgen")
class LatentDiffusion(SampledInSteps, ImageModel):
    """A diffusion model of what a trained autoencoder makes of images, decoded when it samples.

    Codes are brought to mean 0 and variance 1 by `adapt`, and are
    to the diffusion model images of one pixel. Its loss, path, guidance and samplers are its own.

    Unlike the paper, codes are vectors, and of a VAE the posterior's means.

    Args:
        autoencoder: `kgen.VAE`, `kgen.Autoencoder` or another `kgen.EncoderDecoder`, trained, with
            the diffusion model's condition or none. It is copied as it is now.
        diffusion: `kgen.DDPM` with `clip=False`, `kgen.EDM` with a `sigma_data` of 1, or
            `kgen.FlowMatching`, of `image_shape=(1, 1, code_size)`.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(16, 8, 8, 1)
    >>> vae = kgen.VAE((8, 8, 1), latent_dim=4)
    >>> latent = kgen.LatentDiffusion(vae, kgen.FlowMatching((1, 1, 4), width=16))
    >>> latent.adapt(images)
    >>> latent.compile()
    >>> history = latent.fit(images, verbose=0)
    >>> latent.sample(2, seed=0, steps=10).shape
    (2, 8, 8, 1)

    Reference: Rombach et al., High-Resolution Image Synthesis with Latent Diffusion Models, 2021.
    https://arxiv.org/abs/2112.10752
    """

    default_batch_size = 64

    def __init__(
        self,
        autoencoder: keras.Model,
        diffusion: keras.Model,
        seed: int | None = None,
        **kwargs,
    ):
        _check(autoencoder, diffusion)
        super().__init__(
            autoencoder.image_shape, condition=diffusion.condition, seed=seed, **kwargs
        )
        # A copy, as the user may go on training theirs, and without what is for training alone.
        self.autoencoder = autoencoder if is_rebuilt() else autoencoder.published()
        self.autoencoder.trainable = False
        self.diffusion = diffusion
        size = (autoencoder.code_size,)
        self._mean, self._std = (
            self.add_weight(shape=size, initializer=first, trainable=False, name=name)
            for first, name in (("zeros", "code_mean"), ("ones", "code_std"))
        )

    def players(self):
        return {"network": [self.diffusion.network]}

    def default_optimizers(self):
        return self.diffusion.default_optimizers()

    def adapt(self, images):
        """Measures the codes of images, which are brought to mean 0 and variance 1.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, with labels where the
                autoencoder is conditional; of them the first 10,000 images count.
        """
        batches = self.first_batches(images, condition=self.autoencoder.condition)
        codes = np.concatenate([self.autoencoder.encode(x, y) for x, y in batches])
        self._mean.assign(codes.mean(axis=0))
        self._std.assign(np.maximum(codes.std(axis=0), 1e-6))

    def training_step(self, x, y, noise):
        self.minimize(self.denoising_loss, "network", x, y, noise)
        self.diffusion.update_average(self.steps + 1)

    def evaluation_step(self, x, y, noise):
        self.denoising_loss(x, y, noise, training=False)

    def denoising_loss(self, x, y, noise, training=True):
        """The diffusion model's loss on the codes of one batch of images in [0, 1]; logs it."""
        z = self.autoencoder._encode(x, self._of_autoencoder(y))
        z = ops.stop_gradient(ops.cast((z - self._mean) / self._std, "float32"))[:, None, None]
        loss = self.diffusion.loss_of_each(z, y, noise, training)
        self.log(loss=loss)
        return ops.mean(loss)

    def _of_autoencoder(self, y):
        return None if self.autoencoder.condition is None else y

    def _generate(self, y, noise, sampler=None, guidance=1.0):
        sampler = sampler or self.diffusion.own_sampler()
        x = self.diffusion.start(noise, noise.num)
        z = self.diffusion.walk(x, y, noise, sampler, guidance, bounded=False)[:, 0, 0]
        z = ops.cast(z * self._std + self._mean, "float32")
        decode, given = self.autoencoder.signatures()["decode"]
        draws = {"noise": noise.at(_DECODING)} if "seed" in given else {}
        return decode(self._of_autoencoder(y), z=z, **draws)["image"]

    def sampling(self, sampler, steps, guidance):
        return self.diffusion.sampling(sampler, steps, guidance)

    def published(self):
        copy = type(self)(self.autoencoder.published(), self.diffusion.published(), seed=self.seed)
        copy._mean.assign(self._mean)
        copy._std.assign(self._std)
        return copy

    def get_config(self):
        config = super().get_config()
        for of_parts in ("image_shape", "num_classes", "condition"):
            del config[of_parts]
        return config | {"autoencoder": self.autoencoder, "diffusion": self.diffusion}


def _check(autoencoder, diffusion):
    """Raises a ValueError if two models are not one."""
    if not isinstance(autoencoder, EncoderDecoder):
        raise ValueError(
            "Expected autoencoder as a kgen.VAE, kgen.Autoencoder or another kgen.EncoderDecoder. "
            f"Received: {autoencoder!r:.80}"
        )
    wanted = (1, 1, autoencoder.code_size)
    if not isinstance(diffusion, DiffusionModel) or diffusion.image_shape != wanted:
        of = getattr(diffusion, "image_shape", None)
        raise ValueError(
            f"Expected diffusion as a kgen.DDPM, kgen.EDM or kgen.FlowMatching of images {wanted}, "
            f"which the codes are. Received: {diffusion!r:.80} of {of}"
        )
    if autoencoder.condition not in (None, diffusion.condition):
        raise ValueError(
            "Expected an autoencoder without a condition, or with the diffusion model's. Received: "
            f"{autoencoder.condition} and {diffusion.condition}"
        )
    if isinstance(diffusion, EDM) and diffusion.sigma_data != 1.0 and not is_rebuilt():
        raise ValueError(
            "Expected an EDM with sigma_data=1.0, the deviation that codes are brought to. "
            f"Received: sigma_data={diffusion.sigma_data}"
        )
    if isinstance(diffusion, DDPM):
        is_of_levels = diffusion.variance == "learned" or diffusion.weighting == "bound"
        if diffusion.clip or is_of_levels:
            raise ValueError(
                "Expected a DDPM with clip=False, without a learned variance and the bound as its "
                "loss: codes are not in [-1, 1] and have no 256 levels. Received: "
                f"clip={diffusion.clip}, variance={diffusion.variance!r}, "
                f"weighting={diffusion.weighting!r}"
            )
