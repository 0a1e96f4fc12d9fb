"""The variational autoencoder, beta-VAE and conditional VAE."""

import math

import keras
import numpy as np
from keras import ops

from kgen.distributions import LIKELIHOODS
from kgen import fields
from kgen.models.draws import Draws
from kgen.losses import bits_per_dim, gaussian_kl
from kgen.models.autoencoders.autoencoder import Autoencoder
from kgen.models.generative_model import draw_seed
from kgen.models.in_batches import with_progress
from kgen.models.latent_model import SamplesPrior


@keras.saving.register_keras_serializable("kgen")
class VAE(SamplesPrior, Autoencoder):
    """Variational autoencoder: an autoencoder whose code is a distribution, so that it can sample.

    It minimises  E_q(z|x)[-log p(x|z)] + beta KL(q(z|x) || N(0, I)),  eq. 3, with
    q(z|x) = N(mean, exp(log_var)) from the encoder, one sample z = mean + std * eps, summed over
    pixels and latents and averaged over the batch, in nats. With beta = 1 it is -ELBO.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 50, as in Burda et al. 2015.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            2 * latent_dim), mean and log-variance side by side, or None for the preset.
        decoder: keras.Model from (batch, latent_dim) to the likelihood's parameters: logits (batch,
            height, width, channels) for "bernoulli", twice the channels otherwise, mean and then
            log-variance or log-scale; or None for the preset.
        network: "dense" or "convolutional". The presets. Defaults to "dense".
        likelihood: p(x|z). "bernoulli" binarizes grey images anew in each step; "normal" is a
            density of pixels in [0, 1]; "discretized_logistic" is exact for 8-bit images, for
            colour. Defaults to "bernoulli".
        beta: float. Weight of the divergence (Higgins et al. 2017). Defaults to 1.
        num_classes: int or None. With it the model is a conditional VAE (Sohn et al. 2015): both
            networks take `[input, label]`.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> vae = kgen.VAE(image_shape=(8, 8, 1), latent_dim=4)
    >>> vae.compile()
    >>> history = vae.fit(images, verbose=0)
    >>> vae.sample(16, seed=0).shape
    (16, 8, 8, 1)

    Reference: Kingma & Welling, Auto-Encoding Variational Bayes, 2013.
    https://arxiv.org/abs/1312.6114
    """

    log_names = ("loss", "reconstruction_loss", "kl_loss")

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 50,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        network: str = "dense",
        likelihood: str = "bernoulli",
        beta: float = 1.0,
        num_classes: int | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        if likelihood not in LIKELIHOODS:
            raise ValueError(
                f"Expected likelihood in {list(LIKELIHOODS)}. Received: likelihood={likelihood!r}"
            )
        if beta < 0:
            raise ValueError(f"Expected beta of at least 0. Received: beta={beta}")
        self._likelihood = LIKELIHOODS[likelihood]
        super().__init__(
            image_shape,
            latent_dim=latent_dim,
            encoder=encoder,
            decoder=decoder,
            network=network,
            num_classes=num_classes,
            seed=seed,
            **kwargs,
        )
        self.likelihood = likelihood
        self.beta = beta

    def _encoded_size(self):
        return 2 * self.latent_dim

    def _decoded_shape(self):
        height, width, channels = self.image_shape
        return (height, width, channels * self._likelihood.parameters)

    def players(self):
        return {"vae": [self.encoder, self.decoder]}

    def default_optimizers(self):
        # Burda et al. 2015, section 5.
        return {
            "vae": keras.optimizers.Adam(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-4, name="vae")
        }

    def adapt(self, images):
        """Starts the decoder at the mean image, as the code of Burda et al. 2015 does.

        It sets the bias of the decoder's last layer; call it once, before training.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, of which the first
                10,000 images count.
        """
        self.start_at_mean(self.decoder, images, self._likelihood.output_for)

    def training_step(self, x, y):
        self.minimize(self.negative_elbo, "vae", x, y, self.seed_generator, True)

    def evaluation_step(self, x, y):
        self.negative_elbo(x, y, self.evaluation_seed_generator, False)

    def negative_elbo(self, x, y, seed, training):
        """The loss on one batch of images in [0, 1]; logs it and its two terms."""
        x = self._likelihood.observe(x, lambda shape: keras.random.uniform(shape, seed=seed))
        mean, log_var = self._encode(x, y, training=training)
        # z ~ q(z|x) = N(mean, exp(log_var))
        z = mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=seed)
        nll = self._likelihood.nll(x, self._decode_parameters(z, y, training=training))
        kl = gaussian_kl(mean, log_var)
        loss = nll + self.beta * kl
        self.log(loss=loss, reconstruction_loss=nll, kl_loss=kl)
        return ops.mean(loss)

    def figures(self, logs):
        """The ELBO in nats an image, its two terms, and its bits/dim where pixels are discrete."""
        elbo = -(logs["reconstruction_loss"] + logs["kl_loss"])
        figures = {"elbo": elbo} | {k: v for k, v in logs.items() if k != "loss"}
        if self._likelihood.discrete:
            figures["bits_per_dim"] = bits_per_dim(-elbo, self.image_shape)
        return figures

    def encode(self, images, labels=None, batch_size=256):
        """The posterior q(z|x) of images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy arrays mean and log_var, each (num, latent_dim).
        """
        return super().encode(images, labels, batch_size=batch_size)

    def elbo(self, images, labels=None, num_samples=1, seed=None, batch_size=100):
        """The evidence lower bound of each image, at beta = 1.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            num_samples: int. Samples of z an image.
            seed: int or None. Seeds z and the binarization.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        total = 0.0
        for log_weights in self._log_weights(images, labels, num_samples, seed, batch_size):
            total += log_weights.sum(axis=1)
        return total / num_samples

    def log_likelihood(self, images, labels=None, num_samples=100, seed=None, batch_size=100):
        """The importance-weighted bound on log p(x) of each image.

        log 1/K sum_k p(x, z_k) / q(z_k|x),  z_k ~ q(z|x)   (Burda et al. 2015, eq. 8): the ELBO for
        K = 1, log p(x) in the limit, never falling with K in expectation.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            num_samples: int. K; any number fits in memory.
            seed: int or None. Seeds z and the binarization.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        total = -np.inf
        for log_weights in self._log_weights(images, labels, num_samples, seed, batch_size):
            total = np.logaddexp(total, np.logaddexp.reduce(log_weights, axis=1))
        return total - np.log(num_samples)

    def _log_weights(self, images, labels, num_samples, seed, batch_size):
        """Yields log p(x, z) - log q(z|x) of a few samples z at a time, (num, samples)."""
        if num_samples < 1:
            raise ValueError(f"Expected num_samples of at least 1. Received: {num_samples=}")
        rng = np.random.default_rng(draw_seed(seed))
        x = self.prepare_images(images)
        y = self.prepare_labels(labels, len(x))
        x = self._likelihood.observe(x, lambda shape: rng.random(shape, dtype="float32"))
        x = ops.convert_to_numpy(x)
        # So many samples that the decoder's images take 16 MiB.
        pixels = batch_size * math.prod(self.image_shape)
        at_a_time = max(1, min(num_samples, 64, 2**22 // pixels))
        starts = range(0, num_samples, at_a_time)
        for start in with_progress(starts):
            eps = rng.standard_normal((len(x), at_a_time, self.latent_dim), dtype="float32")
            log_weights = self.run_in_batches(
                self._log_weights_of, [x, y, eps], batch_size, show_progress=False
            )
            yield log_weights[:, : num_samples - start].astype("float64")

    def _log_weights_of(self, x, y, eps):
        samples = ops.shape(eps)[1]
        mean, log_var = (ops.expand_dims(t, 1) for t in self._encode(x, y))
        z = mean + ops.exp(0.5 * log_var) * eps
        rows = ops.reshape(z, (-1, self.latent_dim))
        y = None if y is None else ops.repeat(y, samples)
        nll = self._likelihood.nll(ops.repeat(x, samples, axis=0), self._decode_parameters(rows, y))
        # log N(z; 0, I) - log N(z; mean, exp(log_var))
        log_prior_ratio = 0.5 * ops.sum(ops.square(eps) + log_var - ops.square(z), axis=-1)
        return log_prior_ratio - ops.reshape(nll, (-1, samples))

    def _encode(self, x, y, training=False):
        mean, log_var = ops.split(super()._encode(x, y, training=training), 2, axis=-1)
        return mean, ops.clip(log_var, -20.0, 20.0)  # exp must not overflow

    def _decode_parameters(self, z, y, training=False):
        return ops.cast(self.decoder(self.join(z, y), training=training), "float32")

    def _decode(self, z, y, training=False):
        return self._likelihood.mean(self._decode_parameters(z, y, training=training))

    def _reconstruct(self, x, y, training=False):
        mean, _ = self._encode(x, y, training=training)
        return self._decode(mean, y, training=training)

    def signatures(self):
        def encode(y, image):
            mean, log_var = self._encode(image, y)
            return {"mean": mean, "log_var": log_var}

        def elbo(y, image, noise):
            x = self._likelihood.observe(image, Draws(noise).random)
            eps = Draws(noise).standard_normal((noise.num, 1, self.latent_dim))
            return {"elbo": self._log_weights_of(x, y, eps)[:, 0]}

        image = {"image": self.image_input}
        return super().signatures() | {
            "encode": (encode, image),
            "elbo": (elbo, image | {"seed": fields.Seed()}),
        }

    def get_config(self):
        return super().get_config() | {"likelihood": self.likelihood, "beta": self.beta}
