"""The variational autoencoder, beta-VAE, importance-weighted and conditional VAE."""

import math

import keras
from keras import ops

from kgen import backend, checks, distributions, posteriors, priors
from kgen.checks import whole_number
from kgen.models.autoencoders.bounded import Bounded, distribution_of
from kgen.models.autoencoders.encoder_decoder import EncoderDecoder
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import SamplesPrior
from kgen.models.scalar import Scalar

OBJECTIVES = ("elbo", "iwae", "dreg")


@keras.saving.register_keras_serializable("kgen")
class VAE(Bounded, SamplesPrior, EncoderDecoder):
    """Variational autoencoder: an autoencoder whose code is a distribution, so that it can sample.

    It minimises  E_q(z|x)[-log p(x|z)] + beta KL(q(z|x) || N(0, I)),  eq. 3, with
    q(z|x) = N(mean, exp(log_var)) from the encoder, one sample z = mean + std * eps, summed over
    pixels and latents and averaged over the batch, in nats. With beta = 1 it is -ELBO. With
    objective="iwae" it is the importance-weighted autoencoder (Burda et al. 2015,
    https://arxiv.org/abs/1509.00519), of k samples z_i ~ q(z|x) an image:

        -E log 1/k sum_i w_i,   w_i = p(x, z_i) / q(z_i|x)

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 50, as in Burda et al. 2015.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            2 * latent_dim), mean and log-variance side by side, or what the posterior's family
            asks for; or None for the preset.
        decoder: keras.Model from (batch, latent_dim) to the likelihood's parameters: logits (batch,
            height, width, channels) for "bernoulli", twice the channels, mean and then log-variance
            or log-scale, for the normal and the logistic; or None for the preset.
        architecture: "dense" or "convolutional". The presets. Defaults to "dense".
        width: int. Units of the dense presets' layers, 200 by default; channels of the
            convolutional ones next to the image, 32 by default.
        depth: int. Layers of the dense presets, 2 by default; the convolutional ones' follow from
            the image's size.
        likelihood: p(x|z). "bernoulli" binarizes images anew in each step, for what is nearly
            black and white; "discretized_logistic" is exact for 8-bit images; "normal" is a density
            of pixels in [0, 1], whose variance the decoder gives, and "fixed_normal" one of a
            variance for all, as the squared error has; "categorical" and "logistic_mixture" are
            exact for 8-bit images too; or an object of `kgen.distributions`, such as
            `FixedNormal(std=0.2)`. Defaults to "bernoulli" for grey images and
            "discretized_logistic" for colour.
        beta: float, or a Keras schedule over steps for a warm-up. Weight of the divergence (Higgins
            et al. 2017). Defaults to 1.
        free_bits: float, a Keras schedule or None. Nats that the divergence of each latent, on
            average over a batch, costs nothing below: it then counts as so many (Kingma et al.
            2016, eq. 15, https://arxiv.org/abs/1606.04934). Defaults to None.
        posterior_family: what q(z|x) is. "normal", of independent latents; "full", whose latents
            depend on each other; "iaf", inverse autoregressive flow; or an object of
            `kgen.posteriors`, such as `IAF(steps=4)`. Defaults to "normal".
        objective: "elbo"; "iwae", the bound above; or "dreg", the same bound, with a gradient of
            the encoder that varies less (Tucker et al. 2018, https://arxiv.org/abs/1810.04152). Of
            the last the players are "encoder" and "decoder". Defaults to "elbo".
        num_samples: int. Samples of z an image in a step, k. Defaults to 1, of which "iwae" is the
            ELBO.
        prior: p(z). "normal", N(0, I); "vamp", a mixture of posteriors of images that are learned;
            "flow", what a learned flow makes of N(0, I); or an object of `kgen.priors`, such as
            `VampPrior(components=100)`. But for the first the divergence is an estimate by the
            samples. Defaults to "normal".
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is a conditional VAE (Sohn et al.
            2015): both networks take `[input, condition]`.
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
    beta = Scalar()
    free_bits = Scalar(optional=True)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 50,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        architecture: str = "dense",
        width: int | None = None,
        depth: int | None = None,
        likelihood: str | None = None,
        beta: float = 1.0,
        free_bits: float | None = None,
        posterior_family: str = "normal",
        objective: str = "elbo",
        num_samples: int = 1,
        prior: str = "normal",
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        *size, channels = checks.image_shape("image_shape", image_shape)
        latent_dim = whole_number("latent_dim", latent_dim)
        prior = priors.of_codes(prior, latent_dim)
        likelihood, distribution = distribution_of(likelihood, channels)
        family = posteriors.get(posterior_family)
        _check_objective(objective, family, free_bits)
        _check_prior(prior, free_bits)
        is_conditional = num_classes is not None or condition is not None
        prior.check_model(family, objective, is_conditional)
        kwargs.setdefault("decoded_shape", (*size, distribution.num_outputs(channels)))
        decoders = ["decoder"] if distributions.is_unbounded(distribution) else []
        kwargs.setdefault("unbounded", ["encoder", *decoders])
        super().__init__(
            image_shape,
            latent_dim,
            encoder,
            decoder,
            encoded_size=family.num_outputs(latent_dim),
            meanings={"encoder": family.meaning},
            architecture=architecture,
            width=width,
            depth=depth,
            prior=prior,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.distribution = distribution
        self.likelihood = likelihood
        self.beta = beta
        self.free_bits = free_bits
        self.posterior_family = posterior_family
        self.family = family
        with preset_dtype(self.dtype_policy):
            self.posterior_network = family.network(self.latent_dim)
            self.prior_network = prior.network(self.latent_dim, self.image_shape)
        self.objective = objective
        self.num_samples = whole_number("num_samples", num_samples)

    def players(self):
        encoders = [self.encoder, *filter(None, [self.posterior_network])]
        decoders = [self.decoder, *filter(None, [self.prior_network])]
        if self.objective == "dreg":
            return {"encoder": encoders, "decoder": decoders}
        return {"vae": [*encoders, *decoders]}

    def default_optimizers(self):
        # Burda et al. 2015, section 5.
        return {
            player: keras.optimizers.Adam(1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-4, name=player)
            for player in self.players()
        }

    def adapt(self, images):
        """Starts the decoder at the mean image, as the code of Burda et al. 2015 does.

        It sets the bias of the decoder's last layer, and the pseudo-inputs of a `VampPrior` to
        training images; call it once, before training.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, of which the first
                10,000 images count.
        """
        images = self.adapt_prior(images)
        self.start_at_mean(self.decoder, images, self.distribution.output_for)

    def adapt_prior(self, images):
        """Fits what a learned prior has before training, and returns images that stand for them."""
        if self.prior.is_learned:
            images = self.first_images(images)
            self.prior.adapt(self.prior_network, images)
        return images

    def training_step(self, x, y, noise):
        if self.objective == "dreg":
            players = ["encoder", "decoder"]
            self.minimize_together(self.doubly_reparameterized, players, x, y, noise)
        else:
            self.minimize(self._negative_bound, "vae", x, y, noise)

    def evaluation_step(self, x, y, noise):
        self._negative_bound(x, y, noise, training=False)

    def _negative_bound(self, *batch, **how):
        loss = self.negative_elbo if self.objective == "elbo" else self.negative_iwae
        return loss(*batch, **how)

    def divergence_weight(self):
        """What the divergence is multiplied by in this step."""
        return self.now("beta")

    def negative_elbo(self, x, y, noise, training=True):
        """The loss on one batch of images in [0, 1]; logs it and its two terms."""
        x = self.distribution.observe(x, noise)
        nll, q = self.log_weights(x, y, noise, self.num_samples, training)
        nll, kl = ops.mean(nll, axis=1), self._kl(q, training)
        loss = nll + self.divergence_weight() * (kl + self._free(q))
        self.log(loss=loss, reconstruction_loss=nll, kl_loss=kl)
        return ops.mean(loss)

    def negative_iwae(self, x, y, noise, training=True):
        """The importance-weighted loss on one batch of images in [0, 1]; logs it and the ELBO's."""
        x = self.distribution.observe(x, noise)
        nll, q = self.log_weights(x, y, noise, self.num_samples, training)
        return self._weighted(nll, self.log_ratio(q, training))[0]

    def _weighted(self, nll, log_ratio):
        """Minus the bound, which it logs, and w~, of -log p(x|z) and log p(z) / q(z|x)."""
        log_weights = self.divergence_weight() * log_ratio - nll
        loss = math.log(self.num_samples) - ops.logsumexp(log_weights, axis=1)
        terms = {"reconstruction_loss": nll, "kl_loss": -log_ratio}
        self.log(loss=loss, **{name: ops.mean(each, axis=1) for name, each in terms.items()})
        return ops.mean(loss), ops.softmax(log_weights, axis=1)

    def doubly_reparameterized(self, x, y, noise):
        """What the encoder and what the decoder minimises, of the importance-weighted bound.

        The decoder's gradient, and a learned prior's with it, is that of the bound, sum_i w~_i d
        log w_i, with the normalised weights w~. The encoder's goes through z alone, sum_i w~_i^2 d
        log w_i / dz_i dz_i (Tucker et al. 2018, eq. 8 and algorithm 1), and is 0 of each sample
        where q(z|x) = p(z|x). With w = p(x|z) (p(z) / q(z|x))^beta the factor is (1 - beta) w~ +
        beta w~^2.
        """
        x = self.distribution.observe(x, noise)
        nll, q = self.log_weights(x, y, noise, self.num_samples, training=True)
        log_prior = self._prior(training=True).log_prob(q.z)
        weights = ops.stop_gradient(self._weighted(nll, log_prior - q.log_q)[1])
        through_z = log_prior - q.fixed_log_q()
        beta = self.divergence_weight()
        factor = (1.0 - beta) * weights + beta * ops.square(weights)
        encoder_loss = factor * (nll - beta * through_z)
        decoder_loss = weights * (nll - beta * log_prior)
        return [ops.mean(ops.sum(each, axis=1)) for each in (encoder_loss, decoder_loss)]

    def log_ratio(self, q, training=False):
        """Log p(z) - log q(z|x) of `kgen.posteriors.Codes`, (batch, k), in nats."""
        return self._prior(training).log_prob(q.z) - q.log_q

    def _prior(self, training=False):
        """P(z) with what it has learned, a `kgen.priors.Prior`."""

        def encode(images):
            return self.family, self._read_network(self.encoder, images, None, training)

        return self.prior.bound(self.prior_network, encode)

    def _draw_latents(self, y, noise):
        return self._prior().draw(noise, noise.num)

    def _kl(self, q, training):
        """KL(q(z|x) || p(z)), (batch,): the number, or where there is none its estimate."""
        kl = q.kl() if isinstance(self.prior, priors.Normal) else None
        return -ops.mean(self.log_ratio(q, training), axis=1) if kl is None else kl

    def _free(self, q):
        """What is added to the divergence of a batch where a latent's is below `free_bits`."""
        free_bits = self.now("free_bits")
        if free_bits is None:
            return 0.0
        kl = backend.mean_over_replicas(q.mean_kl_by_latent())
        return ops.sum(ops.maximum(free_bits - kl, 0.0))

    def log_weights(self, x, y, noise, k, training=False):
        """What every bound on log p(x) is made of, of k samples z ~ q(z|x).

        Args:
            x: tensor (batch, height, width, channels), as the distribution observes images.
            y: the condition, or None.
            noise: `kgen.noise.Noise`.
            k: int.
            training: bool.

        Returns:
            -log p(x|z) (batch, k), and the samples, `kgen.posteriors.Codes`.
        """
        q = self._draw(x, y, noise, k, training)
        return self._nll(x, y, q.z, training), q

    def _draw(self, x, y, noise, k, training):
        outputs = self._read_network(self.encoder, x, y, training)
        return self.family.draw(outputs, noise, k, self.posterior_network)

    def _nll(self, x, y, z, training):
        """-log p(x|z) of codes (batch, k, latent_dim), (batch, k)."""
        k = z.shape[1]
        z = ops.reshape(z, (-1, self.latent_dim))
        if k > 1:
            x = ops.repeat(x, k, axis=0)
            y = None if y is None else ops.repeat(y, k, axis=0)
        nll = self.distribution.nll(x, self._of_pixels(x, z, y, training))
        return ops.reshape(nll, (-1, k))

    def _of_pixels(self, x, z, y, training):
        """The likelihood's, of images of which p(x|z) is asked."""
        return self._read_network(self.decoder, z, y, training)

    def figures(self, logs):
        """The ELBO in nats an image, its two terms, and bits/dim of levels, 3 or more."""
        figures = super().figures(logs)
        if self.objective != "elbo" and self._is_bound:
            figures = {"iwae_bound": -logs["loss"]} | figures
        return figures

    @property
    def _is_bound(self):
        """Whether the importance-weighted loss has been a bound all the time."""
        return self.beta == 1.0

    def posterior(self, images, labels=None, *, batch_size=256):
        """The posterior q(z|x) of images, of which `encode` gives the mean.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy arrays mean and log_var, each (num, latent_dim).
        """
        if not self.family.has_density:
            raise ValueError(
                "Expected a posterior of which mean and variance are known, 'normal' or 'full'. "
                f"Received: {type(self.family).__name__}; encode gives its middle"
            )
        answer = self.answer("posterior", labels, batch_size=batch_size, image=images)
        return answer["mean"], answer["log_var"]

    def _log_weights_of(self, y, image, noise, turn, k):
        x = self.distribution.observe(image, noise)
        nll, q = self.log_weights(x, y, noise.at(turn), k)
        return self.log_ratio(q) - nll

    def _numbers_of_each(self):
        # What a prior compares a code with may take four times what an image does.
        return max(super()._numbers_of_each(), self.prior.footprint(self.latent_dim) // 4)

    def _encode(self, x, y, training=False):
        outputs = self._read_network(self.encoder, x, y, training)
        return self.family.center(outputs, self.posterior_network)

    def _decode(self, z, y, training=False):
        return self.distribution.mean(self._read_network(self.decoder, z, y, training))

    def signatures(self):
        def posterior(y, image):
            outputs = self._read_network(self.encoder, image, y, False)
            mean = self.family.center(outputs, self.posterior_network)
            return {"mean": mean, "log_var": self.family.log_var(outputs)}

        found = super().signatures()
        if self.family.has_density:
            found["posterior"] = posterior, {"image": self.image}
        return found

    def get_config(self):
        return super().get_config() | {
            "likelihood": self.likelihood,
            "beta": self.beta,
            "free_bits": self.free_bits,
            "posterior_family": self.posterior_family,
            "objective": self.objective,
            "num_samples": self.num_samples,
            "prior": self.prior,
        }


def _check_objective(objective, family, free_bits):
    """Raises a ValueError of an objective that there is not, or not with the other arguments."""
    if objective not in OBJECTIVES:
        raise ValueError(f"Expected objective in {OBJECTIVES}. Received: objective={objective!r}")
    if objective == "dreg" and not family.has_density:
        raise ValueError(
            "Expected a posterior whose density of any code is known, 'normal' or 'full', for "
            f"objective='dreg'; objective='iwae' takes any. Received: {type(family).__name__}"
        )
    if objective != "elbo" and free_bits is not None:
        raise ValueError(
            "Expected free_bits=None but for objective='elbo', whose divergence is a term of its "
            f"own. Received: {objective=}, {free_bits=}"
        )


def _check_prior(prior, free_bits):
    """Raises a ValueError of free bits where no latent has a divergence of its own."""
    if free_bits is not None and not isinstance(prior, priors.Normal):
        raise ValueError(
            "Expected free_bits=None but for prior='normal': the divergence from another is of all "
            f"latents together, without each one's share. Received: {free_bits=}, and "
            f"{type(prior).__name__}"
        )
