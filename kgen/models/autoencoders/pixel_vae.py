"""The variational autoencoder whose decoder is a PixelCNN."""

import math

import keras
import numpy as np
from keras import ops

from kgen import backend, checks, networks
from kgen.checks import whole_number
from kgen.fields import FeatureMap, Seed, Vector
from kgen.models.autoencoders.vae import VAE
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel
from kgen.models.autoregressive.gated_pixel_cnn import GatedPixelCNN
from kgen.models.kept import is_rebuilt
from kgen.models.levels import OfLevels
from kgen.models.network_check import check_preset_only
from kgen.models.scalar import Scalar
from kgen.seeds import seeds_of


@keras.saving.register_keras_serializable("kgen")
class PixelVAE(OfLevels, VAE):
    """PixelVAE: a variational autoencoder whose decoder ends in a PixelCNN.

    p(x|z) = prod_i p(x_i | x_1 ... x_(i-1), z),  eq. 2: the decoder makes features of z for each
    pixel, and a PixelCNN sees them beside the pixels before. The code need not tell what those tell
    already. As a PixelCNN that sees far enough would leave nothing to the code, it is a shallow
    one, and the divergence's weight rises from 0 to `beta` in the first `warmup` steps.

    Called as a layer it gives the mean of each pixel given those before it and the image's code.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 64.
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises. Defaults to
            256.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            2 * latent_dim), as of `kgen.VAE`; or None for the preset.
        decoder: keras.Model from (batch, latent_dim) to what the PixelCNN takes as its condition,
            features (batch, height, width, n), or (batch, n) to have the same at each pixel; or
            None for the preset.
        pixel_cnn: `kgen.AutoregressiveModel` of image_shape and levels, whose condition is
            `kgen.fields.FeatureMap((height, width, n))` or `kgen.fields.Vector(n)`, in one order
            and without an average of its weights; or None for a `kgen.GatedPixelCNN` of features.
        pixel_width: int. Channels of each stack of that, and the preset decoder's features.
            Defaults to 32.
        pixel_depth: int. Its blocks after the first. Defaults to 4.
        warmup: int. Steps in which the divergence's weight rises from 0 to `beta`. Defaults to
            10,000.
        architecture: "dense" or "convolutional". The presets of encoder and decoder. A decoder to
            a vector is dense, of `width` and `depth` with the first alone. Defaults to
            "convolutional".
        likelihood: p(x_i | x_1 ... x_(i-1), z), as of `kgen.GatedPixelCNN`. Defaults to "bernoulli"
            for 2 levels, else "categorical".
        **kwargs: those of `kgen.VAE`.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.PixelVAE((8, 8, 1), 4, levels=2, width=4, pixel_width=4, pixel_depth=1)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Gulrajani et al., PixelVAE: A Latent Variable Model for Natural Images, 2016.
    https://arxiv.org/abs/1611.05013
    """

    for_8_bits = "levels=256"
    default_architecture = "convolutional"
    warmup = Scalar()

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 64,
        levels: int = 256,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        pixel_cnn: keras.Model | None = None,
        pixel_width: int | None = None,
        pixel_depth: int | None = None,
        warmup: int = 10_000,
        architecture: str = "convolutional",
        likelihood: str | None = None,
        **kwargs,
    ):
        shape = checks.image_shape("image_shape", image_shape)
        check_preset_only(pixel_cnn, "likelihood", likelihood)
        pixel_width = whole_number("pixel_width", pixel_width, optional=True)
        given = pixel_cnn
        if pixel_cnn is None:
            condition = _features_of(decoder) or FeatureMap((*shape[:2], pixel_width or 32))
            pixel_cnn = GatedPixelCNN(
                shape,
                levels,
                width=pixel_width or 32,
                depth=pixel_depth or 4,
                likelihood=likelihood,
                condition=condition,
                dtype=kwargs.get("dtype"),
            )
        _check(pixel_cnn, shape, levels)
        super().__init__(
            shape,
            latent_dim,
            encoder,
            decoder,
            architecture=architecture,
            likelihood=pixel_cnn.distribution,
            decoded_shape=pixel_cnn.condition.shape,
            unbounded=["encoder"],
            **kwargs,
        )
        self.set_sizes(given, pixel_width=pixel_width, pixel_depth=pixel_depth)
        self.levels = pixel_cnn.levels
        self.pixel_cnn = pixel_cnn
        self.likelihood = likelihood
        self.warmup = warmup

    @property
    def binarizes(self):
        return self.levels == 2

    def decoder_preset(self, output_shape):
        if len(output_shape) == 3:
            return super().decoder_preset(output_shape)
        sizes = self.dense_sizes() if self.architecture == "dense" else {}
        decoder = networks.dense_decoder(
            self.code_size, (1, 1, *output_shape), condition=self.condition, **sizes
        )
        return keras.Model(decoder.input, keras.layers.Flatten()(decoder.output), name="decoder")

    def players(self):
        players = super().players()
        *_, decoders = players.values()
        decoders.append(self.pixel_cnn.network)
        return players

    def adapt(self, images):
        """Sets the pseudo-inputs of a `kgen.priors.VampPrior` to training images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them, of which the first 10,000 images count.
        """
        self.adapt_prior(images)

    def divergence_weight(self):
        progress = ops.cast(self.steps + 1, "float32") / ops.maximum(self.now("warmup"), 1.0)
        return super().divergence_weight() * ops.minimum(progress, 1.0)

    @property
    def _is_bound(self):
        return super()._is_bound and self.warmup == 0

    def _features(self, z, y, training=False):
        return self._read_network(self.decoder, z, y, training)

    def _of_pixels(self, x, z, y, training):
        return self.pixel_cnn._outputs(x, self._features(z, y, training), training)

    def _numbers_of_each(self):
        of_pixel = max(2 * sum(self.pixel_cnn.condition.shape[-1:]), self.pixel_cnn.num_outputs)
        return max(super()._numbers_of_each(), math.prod(self.image_shape[:2]) * of_pixel)

    def _reconstruct(self, x, y, training=False):
        """The mean of each pixel given the nearest levels of those before it, and the code."""
        z = self._encode(x, y, training)
        x = ops.round(x * (self.levels - 1)) / (self.levels - 1)
        return self.distribution.mean(self._of_pixels(x, z, y, training))

    def _decode(self, z, y, noise):
        generate, _ = self.pixel_cnn.signatures()["generate"]
        return generate(self._features(z, y), noise)["image"]

    def _generate(self, y, noise):
        return self._decode(self._draw_latents(y, noise), y, noise)

    def _start(self, y, noise, z=None, image=None):
        """Codes, those of images or of the prior, and what draws the pixels."""
        if image is not None:
            z = self._encode(image, y)
        elif z is None:
            z = self._draw_latents(y, noise)
        return {"z": z} | self.pixel_cnn.what_draws(None, noise)

    def _made(self, rows, labels, temperature, batch_size):
        y = self.conditions(labels, len(rows["seed"]))
        given = self.run(self._start, rows, y, show_progress=False, batch_size=batch_size)
        z = given.pop("z")

        def features(images):  # of a batch at a time, as they may be many
            of_images = None if y is None else y[images]
            return self.compiled_function(self._features)(z[images], of_images)

        with backend.synchronized():  # in `fit` it is this model whose state is looked at
            return self.pixel_cnn.made(given, features, temperature, batch_size)

    def sample(
        self, num, labels=None, *, temperature: float = 1.0, seed=None, batch_size: int = 64
    ):
        """Images, a code from the prior and then pixel by pixel from p(x_i | ..., z).

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            temperature: float above 0. Divides the pixels' logits: below 1 likelier pixels.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others, but for a pixel now and then
                whose number falls on an edge.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        rows = {"seed": seeds_of(seed, num)}
        return self._made(rows, labels, temperature, batch_size)

    def decode(self, z, labels=None, *, temperature: float = 1.0, seed=0, batch_size: int = 64):
        """Images of latent vectors, pixel by pixel.

        Args:
            z: array (num, latent_dim).
            labels: int array (num,) or one int, or the condition, for a conditional model.
            temperature: float above 0. Divides the pixels' logits: below 1 likelier pixels.
            seed: int, None, which draws one, or an int array (num,). By default the same each time.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        z = Vector(self.code_size).check(ops.convert_to_numpy(z), "z")
        rows = {"z": z, "seed": seeds_of(seed, len(z))}
        return self._made(rows, labels, temperature, batch_size)

    def reconstruct(
        self, images, labels=None, *, temperature: float = 1.0, seed=0, batch_size: int = 64
    ):
        """Images of the codes of images: what the code tells, pixel by pixel.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            temperature: float above 0. Divides the pixels' logits: below 1 likelier pixels.
            seed: int, None, which draws one, or an int array (num,). By default the same each time.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        x = self.image.check(images)
        rows = {"image": x, "seed": seeds_of(seed, len(x))}
        return self._made(rows, labels, temperature, batch_size)

    def interpolate(
        self,
        start,
        end,
        labels=None,
        *,
        steps: int = 11,
        spherical: bool = False,
        temperature: float = 1.0,
        seed=0,
        batch_size: int = 64,
    ):
        """Images on the way from each of `start` to its partner in `end`.

        Pixels of a way are drawn by the same numbers, so that what differs is the code's.

        Args:
            start: latent vectors (num, latent_dim), or images (num, height, width, channels), which
                are encoded first, floats in [0, 1] or integers in 0..255.
            end: array of the same shape.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Images on a way, both ends among them.
            spherical: bool. Along the great circle instead of the straight line.
            temperature: float above 0. Divides the pixels' logits: below 1 likelier pixels.
            seed: int, None, which draws one, or an int array (num,). By default the same each time.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, steps, height, width, channels) in [0, 1].
        """
        ends = self._codes_of(start, end, labels, batch_size)
        z, y = self._on_the_way(*ends, labels, steps, spherical)
        seeds = np.repeat(seeds_of(seed, len(z) // steps), steps)
        drawn = {"temperature": temperature, "seed": seeds, "batch_size": batch_size}
        return self.decode(z, y, **drawn).reshape(-1, steps, *self.image_shape)

    def signatures(self):
        def decode(y, z, noise):
            return {"image": self._decode(z, y, noise)}

        def reconstruct(y, image, noise):
            return {"image": self._decode(self._encode(image, y), y, noise)}

        seed = {"seed": Seed()}
        return super().signatures() | {
            "decode": (decode, {"z": Vector(self.code_size)} | seed),
            "reconstruct": (reconstruct, {"image": self.image} | seed),
        }

    def get_config(self):
        return super().get_config() | {
            "levels": self.levels,
            "pixel_cnn": self.pixel_cnn,
            "pixel_width": self.pixel_width,
            "pixel_depth": self.pixel_depth,
            "warmup": self.warmup,
        }


def _features_of(decoder):
    """The field of what a user's decoder gives, or None."""
    shape = tuple(getattr(decoder, "output_shape", None) or ())[1:]
    if len(shape) == 1:
        return Vector(*shape)
    return FeatureMap(shape) if len(shape) == 3 else None


def _check(pixel_cnn, image_shape, levels):
    """Raises a ValueError unless the PixelCNN is of such images and of features."""
    received = repr(pixel_cnn)[:80]
    if isinstance(pixel_cnn, AutoregressiveModel):
        found = pixel_cnn.image_shape, pixel_cnn.levels
        is_of_features = isinstance(pixel_cnn.condition, (FeatureMap, Vector))
        orders = len(getattr(pixel_cnn.network, "orders", [None]))
        alone = pixel_cnn.average is None and (orders == 1 or is_rebuilt())
        if found == (image_shape, levels) and is_of_features and alone:
            return
        received = (
            f"{type(pixel_cnn).__name__} of image_shape={found[0]}, levels={found[1]}, condition="
            f"{pixel_cnn.condition}, ema_decay={pixel_cnn.ema_decay}, {orders=}"
        )
    height, width, _ = image_shape
    raise ValueError(
        f"Expected pixel_cnn as a kgen.AutoregressiveModel of {image_shape=}, {levels=}, the "
        f"condition kgen.fields.FeatureMap(({height}, {width}, n)) or kgen.fields.Vector(n), and "
        f"ema_decay=None, of one order. Received: {received}"
    )
