"""The family of models that are a bijection between images and normal noise."""

import math

import numpy as np
from keras import ops

from kgen import checks, pictures, priors
from kgen.checks import number, whole_number
from kgen.fields import Seed
from kgen.losses import bits_per_dim
from kgen.models.average import Average, without_average
from kgen.models.image_model import preset_dtype
from kgen.models.in_batches import with_progress
from kgen.models.latent_model import Encodes, LatentModel, SamplesPrior
from kgen.models.levels import OfLevels
from kgen.models.scalar import ScalarOf
from kgen.networks import InvertibleNetwork
from kgen.noise import SeededNoise
from kgen.seeds import seed_words, seeds_of

MOST_ADAPTED = 256  # images, as Glow's code has it


class FlowModel(OfLevels, Encodes, SamplesPrior, LatentModel):
    """An invertible network f from images to z of N(0, I): log p(x) = log N(f(x)) + log|det f'|.

    Pixels of so many levels are first spread evenly over the intervals between these, v = (level +
    u) / levels with u in [0, 1), anew each time they are seen. The density of v, which it
    maximises, is then a bound on the probability of the levels (Theis et al. 2016,
    https://arxiv.org/abs/1511.01844, section 3.1).

    Args:
        image_shape: tuple (height, width, channels).
        network: `kgen.networks.InvertibleNetwork` of this shape and condition, or None for the
            preset.
        preset: callable of the image's shape, `sizes` and `condition`, by name, that makes one.
        sizes: dict of int or None by name, which size the preset.
        levels: int. Values of a pixel and colour.
        alpha: float in [0, 0.5), or None. What goes into the network is logit(alpha + (1 - 2 alpha)
            v), which takes the edges of [0, 1] apart; with None it is v - 1/2.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    log_names = ("loss", "bits_per_dim")
    ema_decay = ScalarOf(lambda model: model.average, "decay")
    default_batch_size = 64

    def __init__(
        self,
        image_shape,
        network=None,
        preset=None,
        sizes=None,
        levels=256,
        alpha=0.05,
        ema_decay=None,
        num_classes=None,
        condition=None,
        seed=None,
        **kwargs,
    ):
        size = math.prod(checks.image_shape("image_shape", image_shape))
        super().__init__(
            image_shape,
            size,
            priors.Normal(size),
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.levels = whole_number("levels", levels, at_least=2, at_most=256)
        self.alpha = number("alpha", alpha, at_least=0.0, optional=True)
        if self.alpha is not None and self.alpha >= 0.5:
            raise ValueError(f"Expected alpha in [0, 0.5), or None. Received: {alpha=}")
        self.set_sizes(network, **(sizes or {}))
        if network is None:
            given = {name: getattr(self, name) for name in sizes or {} if sizes[name] is not None}
            with preset_dtype(self.dtype_policy):
                network = preset(self.image_shape, condition=self.condition, **given)
        self.network = network
        self._check_network()
        self.average = None
        if ema_decay is not None:
            self.average = Average(network, ema_decay)
        self._is_adapted = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False, name="is_adapted"
        )

    def _check_network(self):
        expected, received = (self.image_shape, self.condition), None
        if isinstance(self.network, InvertibleNetwork):
            own = self.network.condition
            if own is not None and self.condition is not None and own.takes_as(self.condition):
                own = self.condition  # with other names
            received = self.network.image_shape, own
        if received != expected:
            described = "of {} with condition={}"
            raise ValueError(
                f"Expected a kgen.networks.InvertibleNetwork {described.format(*expected)}. "
                "Received: network="
                + (described.format(*received) if received else f"{self.network!r:.80}")
            )

    def players(self):
        return {"network": [self.network]}

    def adapt(self, images):
        """Starts each `kgen.layers.ActNorm` at what makes its outputs normal on some images.

        Call it once, before training. A model that has its statistics keeps them.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`, with labels where the
                model is conditional; of them the first 256 images count.
        """
        if self._has_started():
            self.tell_once("adapted", "The model has been adapted or trained: nothing is changed.")
            return
        batches = self.first_batches(images, MOST_ADAPTED, self.condition)
        x, y = zip(*batches, strict=True)
        x, y = np.concatenate(x), None if self.condition is None else np.concatenate(y)
        seeds = seed_words(seeds_of(0, len(x)))
        found = self.compiled_function(self._measure)({"y": y, "image": x, "seed": seeds})
        for act_norm, (bias, log_scale) in zip(self.network.act_norms(), found, strict=True):
            act_norm.bias.assign(bias)
            act_norm.log_scale.assign(log_scale)
        if self.average is not None:
            self.average.network.set_weights(self.network.get_weights())
        self._is_adapted.assign(1)

    def _has_started(self):
        return bool(
            int(ops.convert_to_numpy(self._is_adapted)) or int(ops.convert_to_numpy(self.steps))
        )

    def _measure(self, rows):
        values = self.quantise(rows["image"])
        h, _ = self._to_reals(values, SeededNoise(rows["seed"]).uniform(ops.shape(values)))
        return self.network.measure(h, rows["y"])

    def check_outputs(self):
        super().check_outputs()
        if not self._has_started() and self.network.act_norms():
            self.tell_once(
                "unadapted",
                "The model was not adapted, and its normalizations start at nothing: "
                "model.adapt(images) before fit starts them at the images' statistics.",
            )

    def training_step(self, x, y, noise):
        self.minimize(self.negative_log_likelihood, "network", x, y, noise)
        if self.average is not None:
            self.average.update(self.network, self.steps + 1)

    def evaluation_step(self, x, y, noise):
        self.negative_log_likelihood(x, y, noise, self.averaged, training=False)

    def negative_log_likelihood(self, x, y, noise, network=None, training=True):
        """The loss on one batch of images in [0, 1]; logs it."""
        nll = -self._log_probability(x, y, noise, network or self.network, training)
        self.log(loss=nll, bits_per_dim=bits_per_dim(nll, self.image_shape))
        return ops.mean(nll)

    @property
    def averaged(self):
        """The network that the verbs go through."""
        return self.network if self.average is None else self.average.network

    def quantise(self, x):
        """The levels of images in [0, 1], float32 in 0..levels - 1."""
        return ops.round(x * (self.levels - 1))

    def _to_reals(self, values, u):
        """Levels, spread, as the network takes them; and log|det| (batch,) of the density of v."""
        v = (values + u) / self.levels
        if self.alpha is None:
            return v - 0.5, ops.zeros_like(v[:, 0, 0, 0])
        # Without alpha some v round to the ends of [0, 1], whose logits are infinite.
        p = ops.clip(self.alpha + (1.0 - 2.0 * self.alpha) * v, 2.0**-33, 1.0 - 2.0**-24)
        log_p, log_q = ops.log(p), ops.log1p(-p)
        log_det = math.log1p(-2.0 * self.alpha) - log_p - log_q
        return log_p - log_q, ops.sum(log_det, axis=(1, 2, 3))

    def _to_images(self, h):
        """Images in [0, 1] of what `_to_reals` gives: the middle of an interval is its level."""
        if self.alpha is None:
            v = h + 0.5
        else:
            v = (ops.sigmoid(h) - self.alpha) / (1.0 - 2.0 * self.alpha)
        return ops.clip((v * self.levels - 0.5) / (self.levels - 1), 0.0, 1.0)

    def _log_probability(self, x, y, noise, network, training=False):
        """The bound on log p(x) of each image, (batch,), in nats."""
        values = self.quantise(x)
        h, log_det = self._to_reals(values, noise.uniform(ops.shape(values)))
        found = network(h, y, training=training)
        z, log_det_of_network = (ops.cast(each, "float32") for each in found)
        of_v = self.prior.log_prob(z) + log_det_of_network + log_det
        return of_v - self.latent_dim * math.log(self.levels)

    def _encode(self, x, y, training=False):
        h, _ = self._to_reals(self.quantise(x), 0.5)
        return ops.cast(self.averaged(h, y)[0], "float32")

    def _decode(self, z, y):
        network = self.averaged
        h = network.inverse(ops.cast(z, network.compute_dtype), y)
        return self._to_images(ops.cast(h, "float32"))

    def sample(
        self, num, labels=None, *, temperature: float = 1.0, seed=None, batch_size: int = 256
    ):
        """Images of noise from the prior.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            temperature: float of at least 0. Multiplies the noise: below 1 likelier images, 0 the
                one at the middle.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        temperature = number("temperature", temperature, at_least=0.0)
        z = temperature * self.draw_latents(num, seed=seed)
        return self.decode(z, labels, batch_size=batch_size)

    def log_likelihood(
        self, images, labels=None, *, num_samples: int = 1, seed=None, batch_size: int = 100
    ):
        """A bound on log p(x) of each image, of its levels.

        log 1/K sum_k p(v_k) - size log(levels), v_k the image with noise of its own: in the limit
        log p(x).

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            num_samples: int. K, draws of the noise between the levels.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        x = self.image.check(images)
        self.tell_of_levels(np.asarray(images))
        rows, total = {"image": x, "seed": seeds_of(seed, len(x))}, -np.inf
        for turn in with_progress(range(whole_number("num_samples", num_samples))):
            rows["turn"] = np.full(len(x), turn, "int32")
            given = {"show_progress": False, "batch_size": batch_size}
            found = self.run(self._log_likelihood, rows, labels, **given)
            with np.errstate(invalid="ignore"):  # of weights that are NaN, as the bound then is
                total = np.logaddexp(total, found.astype("float64"))
        return total - math.log(num_samples)

    def _log_likelihood(self, y, image, noise, turn):
        return self._log_probability(image, y, noise.at(turn), self.averaged)

    def figures(self, logs):
        """The log-likelihood in nats an image, and bits/dim."""
        return {"log_likelihood": -logs["loss"]} | {k: v for k, v in logs.items() if k != "loss"}

    def report(self, data):
        images, labels = self.examples(data, 8)
        half = len(images) // 2
        labels = None if labels is None else labels[:half]
        ways = pictures.interpolation(self, images[:half], images[half : 2 * half], labels=labels)
        return super().report(data) | {"interpolations.png": ways}

    def signatures(self):
        def log_likelihood(y, image, noise):
            nats = self._log_likelihood(y, image, noise, 0)
            return {"nats": nats, "bits_per_dim": bits_per_dim(-nats, self.image_shape)}

        given = {"image": self.image, "seed": Seed()}
        return super().signatures() | {"log_likelihood": (log_likelihood, given)}

    def published(self):
        return super().published() if self.average is None else without_average(self, "network")

    def get_config(self):
        config = super().get_config()
        del config["latent_dim"]  # the image's size
        return config | {
            "network": self.network,
            "levels": self.levels,
            "alpha": self.alpha,
            "ema_decay": self.ema_decay,
        }
