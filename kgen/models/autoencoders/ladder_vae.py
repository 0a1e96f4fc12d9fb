"""The ladder variational autoencoder."""

import itertools

import keras
import numpy as np
from keras import ops

from kgen import backend, checks, networks, pictures, priors
from kgen.checks import whole_number, whole_numbers
from kgen.losses import gaussian_kl, merge_normals
from kgen.models.autoencoders.bounded import Bounded, distribution_of
from kgen.models.autoencoders.reconstructs import Reconstructs
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import SamplesPrior
from kgen.models.scalar import Scalar
from kgen.posteriors.normal import LIMIT
from kgen.seeds import seeds_of


@keras.saving.register_keras_serializable("kgen")
class LadderVAE(Bounded, SamplesPrior, Reconstructs):
    """Ladder VAE: a hierarchy of latents, whose posterior comes down the ladder as the prior does.

    The encoder gives of each level i a mean and a variance, and so does what is above it; between
    the levels z_1, at the bottom, to z_L:

        p(z) = N(z_L; 0, I) prod_i N(z_i; mean_p(z_(i+1)), var_p(z_(i+1)))
        q(z_i|x, z_(i+1)) = N(z_i; mean, var),  var = 1 / (1 / var_q + 1 / var_p)
        mean = var (mean_q / var_q + mean_p / var_p)

    and q(z_L|x) = N(mean_q, var_q). It minimises -E log p(x|z_1) + beta sum_i KL(q(z_i|.) ||
    p(z_i|.)), of one sample of all levels. With one level it is a VAE.

    Its code is z_1 to z_L side by side, which `split` takes apart. An image is made of z_1 alone,
    for which those above are the prior.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dims: tuple of int. Latents of each level, from the bottom, each fewer than before.
            Defaults to the paper's (64, 32, 16, 8, 4).
        units: tuple of int, as many. Of both hidden layers of each level, on either way; the first
            are the decoder's too. Defaults to the paper's (512, 256, 128, 64, 32).
        likelihood: p(x|z_1), as of `kgen.VAE`. Defaults to "bernoulli" for grey images and
            "discretized_logistic" for colour.
        beta: float, or a Keras schedule over steps. Weight of the divergence, which the paper lets
            grow from 0 to 1 in 200 epochs. Defaults to 1.
        free_bits: float, a Keras schedule or None. Nats that the divergence of each level, on
            average over a batch, costs nothing below. Defaults to None.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it each network takes `[input, condition]`.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.LadderVAE((8, 8, 1), latent_dims=(4, 2), units=(16, 8))
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> [z.shape for z in model.split(model.encode(images))]
    [(64, 4), (64, 2)]
    >>> model.resample(images[:3], level=2, seed=0).shape
    (3, 8, 8, 1)

    Reference: Sonderby et al., Ladder Variational Autoencoders, 2016.
    https://arxiv.org/abs/1602.02282
    """

    default_batch_size = 256
    prior_is_conditional = True
    log_names = ("loss", "reconstruction_loss", "kl_loss")
    beta = Scalar()
    free_bits = Scalar(optional=True)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dims: tuple[int, ...] = (64, 32, 16, 8, 4),
        units: tuple[int, ...] = (512, 256, 128, 64, 32),
        likelihood: str | None = None,
        beta: float = 1.0,
        free_bits: float | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        *size, channels = checks.image_shape("image_shape", image_shape)
        latent_dims = whole_numbers("latent_dims", latent_dims)
        units = whole_numbers("units", units)
        shrinks = all(below > above for below, above in itertools.pairwise(latent_dims))
        if not latent_dims or not shrinks or len(units) != len(latent_dims):
            raise ValueError(
                "Expected latent_dims of one level or more, from the bottom, each fewer than the "
                f"one before, and units for each. Received: {latent_dims=}, {units=}"
            )
        likelihood, distribution = distribution_of(likelihood, channels)
        super().__init__(
            image_shape,
            sum(latent_dims),
            prior=priors.Normal(sum(latent_dims)),
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.latent_dims = latent_dims
        self.units = units
        self.distribution = distribution
        self.likelihood = likelihood
        self.beta = beta
        self.free_bits = free_bits
        shape = (*size, distribution.num_outputs(channels))
        with preset_dtype(self.dtype_policy):
            self.encoder = networks.ladder_encoder(
                self.image_shape, latent_dims, units, self.condition
            )
            # Of each level but the top what that above it says.
            self.steps_down = [
                networks.ladder_step(above, 2 * below, width, self.condition, f"step_{i}")
                for i, (below, above, width) in enumerate(
                    zip(latent_dims, latent_dims[1:], units[1:], strict=False), 1
                )
            ]
            self.decoder = networks.ladder_step(
                latent_dims[0], shape, units[0], self.condition, "decoder"
            )
        self.add_logs(*self._names_of_kl())

    def _names_of_kl(self):
        return [f"level_{i}_kl_loss" for i, _ in enumerate(self.latent_dims, 1)]

    def players(self):
        return {"vae": [self.encoder, *self.steps_down, self.decoder]}

    def default_optimizers(self):
        return {"vae": keras.optimizers.Adam(1e-3, name="vae")}

    def adapt(self, images):
        """Starts the decoder at the mean image; call it once, before training.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them, of which the first 10,000 images count.
        """
        self.start_at_mean(self.decoder, images, self.distribution.output_for)

    def training_step(self, x, y, noise):
        self.minimize(self.negative_elbo, "vae", x, y, noise)

    def evaluation_step(self, x, y, noise):
        self.negative_elbo(x, y, noise, training=False)

    def negative_elbo(self, x, y, noise, training=True):
        """The loss on one batch of images in [0, 1]; logs it, its terms, and each level's."""
        x = self.distribution.observe(x, noise)
        levels = self._draw(x, y, noise, 1, training)
        nll = self._nll(x, y, levels[0].z, training)
        kls = [level.kl() for level in levels]
        kl = sum(kls)
        loss = nll + self.now("beta") * (kl + self._free(kls))
        of_levels = dict(zip(self._names_of_kl(), kls, strict=True))
        self.log(loss=loss, reconstruction_loss=nll, kl_loss=kl, **of_levels)
        return ops.mean(loss)

    def _free(self, kls):
        """What is added to the divergence of a batch where a level's is below `free_bits`."""
        free_bits = self.now("free_bits")
        if free_bits is None:
            return 0.0
        means = backend.mean_over_replicas(ops.stack([ops.mean(kl) for kl in kls]))
        return ops.sum(ops.maximum(free_bits - means, 0.0))

    def _draw(self, x, y, noise, k, training, keep_from=1):
        """Samples of all levels from the top, list of `Level` from the bottom.

        Args:
            x: tensor (batch, height, width, channels), as the distribution observes images; or None
                for samples of the prior.
            y: the condition, or None.
            noise: `kgen.noise.Noise`.
            k: int. Samples an image, (batch k) rows.
            training: bool.
            keep_from: int. Levels below it are drawn from the prior.
        """
        said = None if x is None else self._said(x, y, k, training)
        y = _repeated(y, k)
        num = noise.num if x is None else ops.shape(x)[0]
        levels = []
        for i in reversed(range(len(self.latent_dims))):
            size = self.latent_dims[i]
            eps = ops.reshape(noise.normal((num, k, size)), (-1, size))
            p = self._above(i, levels, y, training) if levels else (ops.zeros_like(eps),) * 2
            q = p
            if said is not None and i + 1 >= keep_from:
                q = merge_normals(*said[i], *p) if levels else said[i]
            levels.append(Level(q, p, eps))
        return levels[::-1]

    def _said(self, x, y, k, training):
        """Of each level the mean and log-variance that the encoder says, (batch k, latents)."""
        outputs = _repeated(self._read_network(self.encoder, x, y, training), k)
        ends = itertools.pairwise(np.cumsum([0, *(2 * size for size in self.latent_dims)]).tolist())
        return [_parameters(outputs[:, start:end]) for start, end in ends]

    def _above(self, i, levels, y, training):
        """The mean and log-variance of level i, counted from 0, that the one above it says."""
        return _parameters(self._read_network(self.steps_down[i], levels[-1].z, y, training))

    def _nll(self, x, y, z, training):
        return self.distribution.nll(x, self._read_network(self.decoder, z, y, training))

    def _log_weights_of(self, y, image, noise, turn, k):
        x = self.distribution.observe(image, noise)
        levels = self._draw(x, y, noise.at(turn), k, False)
        nll = self._nll(_repeated(x, k), _repeated(y, k), levels[0].z, False)
        return ops.reshape(sum(level.log_ratio() for level in levels) - nll, (-1, k))

    def _numbers_of_each(self):
        # Of each level too: what posterior and prior say of it, the numbers drawn, and z.
        return super()._numbers_of_each() + 6 * sum(self.latent_dims)

    def _encode(self, x, y, training=False):
        """Means, of each level given the means of those above it."""
        said, levels = self._said(x, y, 1, training), []
        for i in reversed(range(len(self.latent_dims))):
            q = said[i]
            if levels:
                q = merge_normals(*q, *self._above(i, levels, y, training))
            levels.append(Level(q, q, ops.zeros_like(q[0])))
        return _side_by_side(levels[::-1])

    def _decode(self, z, y, training=False):
        bottom = z[:, : self.latent_dims[0]]
        return self.distribution.mean(self._read_network(self.decoder, bottom, y, training))

    def _draw_latents(self, y, noise):
        return _side_by_side(self._draw(None, y, noise, 1, False))

    def split(self, codes):
        """The latents of each level, of codes as `encode` and `draw_latents` give them.

        Args:
            codes: array (num, sum(latent_dims)).

        Returns:
            list of arrays (num, latents), from the bottom.
        """
        return np.split(np.asarray(codes), np.cumsum(self.latent_dims)[:-1], axis=-1)

    def resample(self, images, labels=None, *, level=2, seed=None, batch_size=256):
        """What images have in common with those that are alike from a level up.

        Latents of the level and of those above it are drawn as the image says, from the posterior;
        those below it as the prior says, given these. Of level 1 it is a reconstruction.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            level: int in 1..L. The lowest level that is kept.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        level = whole_number("level", level, 1, len(self.latent_dims))
        x = self.image.check(images)
        rows = {"image": x, "seed": seeds_of(seed, len(x))}
        return self.run(self._resample, rows, labels, batch_size=batch_size, level=level)

    def _resample(self, y, image, noise, level):
        x = self.distribution.observe(image, noise)
        levels = self._draw(x, y, noise, 1, False, keep_from=level)
        return self._decode(levels[0].z, y)

    def report(self, data):
        images, labels = self.examples(data, 8)
        rows = [images / 255.0 if images.dtype.kind in "iu" else images]
        for level, _ in enumerate(self.latent_dims, 1):
            rows.append(self.resample(images, labels, level=level, seed=0))
        picture = pictures.grid(np.concatenate(rows), len(images))
        return super().report(data) | {"levels.png": picture}

    def get_config(self):
        config = super().get_config()
        del config["latent_dim"]  # their sum
        return config | {
            "latent_dims": self.latent_dims,
            "units": self.units,
            "likelihood": self.likelihood,
            "beta": self.beta,
            "free_bits": self.free_bits,
        }


class Level:
    """A sample of the latents of one level.

    Args:
        q: pair of tensors (batch, latents), the posterior's mean and log-variance.
        p: the prior's, given the level above.
        eps: tensor of the same shape, standard normal numbers.
    """

    def __init__(self, q, p, eps):
        self.q, self.p, self.eps = q, p, eps
        self.z = q[0] + ops.exp(0.5 * q[1]) * eps

    def kl(self):
        """KL(q || p), (batch,), in nats."""
        (mean, log_var), (mean_p, log_var_p) = self.q, self.p
        return gaussian_kl((mean - mean_p) * ops.exp(-0.5 * log_var_p), log_var - log_var_p)

    def log_ratio(self):
        """Log p(z) - log q(z) of the sample, (batch,), in nats."""
        mean_p, log_var_p = self.p
        away = ops.square(self.z - mean_p) * ops.exp(-log_var_p) - ops.square(self.eps)
        return -0.5 * ops.sum(away + log_var_p - self.q[1], axis=-1)


def _parameters(outputs):
    mean, log_var = ops.split(outputs, 2, axis=-1)
    return mean, ops.clip(log_var, -LIMIT, LIMIT)


def _repeated(x, k):
    return x if x is None or k == 1 else ops.repeat(x, k, axis=0)


def _side_by_side(levels):
    return ops.concatenate([level.z for level in levels], axis=-1)
