"""The denoising diffusion probabilistic model."""

import math

import keras
import numpy as np
from keras import ops

from kgen.checks import choice, flag
from kgen.fields import Seed, Time
from kgen.losses import bits_per_dim
from kgen.models.diffusion import schedule as schedules
from kgen.models.diffusion.diffusion_model import DiffusionModel
from kgen.models.in_batches import with_progress
from kgen.seeds import seeds_of

PREDICTIONS = ("eps", "x0", "v")
VARIANCES = ("small", "large", "learned")
WEIGHTINGS = ("simple", "min_snr", "bound")


@keras.saving.register_keras_serializable("kgen")
class DDPM(DiffusionModel):
    """Denoising diffusion: a network that finds the noise in images with noise of any amount.

    It minimises  E_{t, x_0, eps} ||eps - eps_theta(sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps, t)||^2,
    eq. 14, averaged over pixels, t uniform in 0 ... T - 1.

    Args:
        image_shape: tuple (height, width, channels).
        network: keras.Model from [image, t], with a condition from [image, t, condition, given],
            to (batch, height, width, channels), twice the channels with a learned variance; or
            None for the preset.
        architecture: "unet", the paper's, or "dit", a transformer (Peebles & Xie 2022).
        width: int. Of the preset: a U-Net's channels of the first blocks, the paper's 128 from
            32x32 on and 32 below by default; a transformer's numbers of a patch, 384 or 128.
        dropout: float in [0, 1). Of the preset's blocks. Defaults to the paper's 0.1.
        patch: int. Of the preset: each square of so many pixels a side is one, which takes less
            time. Defaults to 1, a transformer's to 2.
        schedule: "linear", "cosine", "sigmoid", or an array of betas.
        timesteps: int. T of a schedule by name. Defaults to 1000; betas have their own.
        prediction: what the network gives: "eps", the noise; "x0", the image; or "v", a mixture of
            both (Salimans & Ho 2022, https://arxiv.org/abs/2202.00512).
        variance: of the model's steps: "small", of the posterior; "large", of the noise; or
            "learned", between both (Nichol & Dhariwal 2021, eq. 15), trained by the bound.
        weighting: "simple", the squared error of what the network gives; "min_snr", with less of
            what is nearly clear (Hang et al. 2023, gamma of 5, https://arxiv.org/abs/2303.09556);
            or "bound", the bound on log p(x) itself.
        clip: bool. Keeps the x_0 that is expected in the range of images, in the verbs.
        self_condition: bool. Shows the network, behind the image, its own last guess of it (Chen et
            al. 2022, https://arxiv.org/abs/2208.04202): it takes twice the channels.
        drop_condition: float in [0, 1]. The part of the images whose condition is left out in
            training, without which there is no guidance. Defaults to 0.1.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
            Defaults to the paper's 0.9999.
        sampler: "ddim", "ancestral", "dpm_solver", "heun" or a sampler's object. What `sample`
            takes. Defaults to "ddim" of 50 steps; the paper's is "ancestral" of all.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(8, 8, 8, 1)
    >>> ddpm = kgen.DDPM((8, 8, 1), width=8, timesteps=20)
    >>> ddpm.compile()
    >>> history = ddpm.fit(images, verbose=0)
    >>> ddpm.sample(2, seed=0, steps=5).shape
    (2, 8, 8, 1)

    Reference: Ho et al., Denoising Diffusion Probabilistic Models, 2020.
    https://arxiv.org/abs/2006.11239
    """

    log_names = ("loss",)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        network: keras.Model | None = None,
        architecture: str = "unet",
        width: int | None = None,
        dropout: float = 0.1,
        patch: int | None = None,
        schedule: str = "linear",
        timesteps: int = 1000,
        prediction: str = "eps",
        variance: str = "small",
        weighting: str = "simple",
        clip: bool = True,
        self_condition: bool = False,
        drop_condition: float = 0.1,
        ema_decay: float | None = 0.9999,
        sampler: str = "ddim",
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        self.prediction = choice("prediction", prediction, PREDICTIONS)
        self.variance = choice("variance", variance, VARIANCES)
        self.weighting = choice("weighting", weighting, WEIGHTINGS)
        *_, channels = image_shape
        super().__init__(
            image_shape,
            network,
            outputs=channels * (2 if variance == "learned" else 1),
            meaning=prediction + " and then the part of the variance" * (variance == "learned"),
            architecture=architecture,
            width=width,
            dropout=dropout,
            patch=patch,
            self_condition=self_condition,
            drop_condition=drop_condition,
            ema_decay=ema_decay,
            sampler=sampler,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.clip = flag("clip", clip)
        self._times = schedules.get(schedule, timesteps)
        self.timesteps = len(self._times)
        self.schedule = schedule if isinstance(schedule, str) else tuple(map(float, schedule))
        self.own_sampler()

    @property
    def most_steps(self):
        """T."""
        return len(self._times)

    @property
    def time(self):
        return Time(0, self.most_steps - 1, "int32")

    def path(self, sampler):
        return self._times.path(self._times.times(sampler.steps, sampler.spacing or "even"))

    def loss_of_each(self, x_0, y, noise, training=True):  # Algorithm 1
        t = noise.integers((ops.shape(x_0)[0],), 0, self.most_steps)
        eps = noise.normal(ops.shape(x_0))
        row = self.level(t)
        x_t = row["signal"] * x_0 + row["noise"] * eps  # eq. 4
        outputs = self.outputs(x_t, row, y, noise, training)
        if self.weighting == "bound":
            return self.most_steps * self._in_bits(self._bound_at(x_0, x_t, t, row, outputs, False))
        loss = self._squared_error(x_0, eps, row, outputs)
        if self.variance == "learned":
            mean, part = ops.split(outputs, 2, axis=-1)
            outputs = ops.concatenate([ops.stop_gradient(mean), part], axis=-1)
            bound = self._in_bits(self._bound_at(x_0, x_t, t, row, outputs, False))
            loss = loss + self.most_steps / 1000.0 * bound
        return loss

    def _squared_error(self, x_0, eps, row, outputs):
        """Of what the network gives, a number an image."""
        given = outputs[..., : self.image_shape[-1]]
        snr = ops.square(row["signal"] / row["noise"])[:, 0, 0, 0]
        if self.prediction == "eps":
            target, of_x0 = eps, snr  # the error of x_0 by that of eps
        elif self.prediction == "x0":
            target, of_x0 = x_0, ops.ones_like(snr)
        else:
            target, of_x0 = row["signal"] * eps - row["noise"] * x_0, snr + 1.0
        error = ops.mean(ops.square(target - given), axis=(1, 2, 3))
        return error if self.weighting == "simple" else ops.minimum(snr, 5.0) / of_x0 * error

    def level(self, t):
        columns = {name: getattr(self._times, name) for name in _COLUMNS}
        tensors = {n: ops.convert_to_tensor(a.astype("float32")) for n, a in columns.items()}
        row = {n: ops.take(a, t, axis=0) for n, a in tensors.items()} | {"t": t}
        return {n: ops.reshape(ops.cast(a, "float32"), (-1, 1, 1, 1)) for n, a in row.items()}

    def x0_of(self, outputs, x, row, clip=None):
        given = outputs[..., : self.image_shape[-1]]
        if self.prediction == "eps":
            x_0 = (x - row["noise"] * given) / row["signal"]
        elif self.prediction == "x0":
            x_0 = given
        else:
            x_0 = row["signal"] * x - row["noise"] * given
        if self.clip if clip is None else clip:
            x_0 = ops.clip(x_0, -1.0, 1.0)
        return x_0, self._log_variance(outputs, row) if "log_small" in row else None

    def _log_variance(self, outputs, row):
        """Of p(x_{t-1}|x_t)."""
        if self.variance != "learned":
            return row[f"log_{self.variance}"]
        part = 0.5 * (outputs[..., self.image_shape[-1] :] + 1.0)
        return part * row["log_large"] + (1.0 - part) * row["log_small"]  # eq. 15

    def _bound_at(self, x_0, x_t, t, row, outputs, clip=None):
        """L_t, eq. 5, (batch,) in nats: of t = 0 of images of 256 levels.

        What is learned is not clipped, as there is no gradient beyond.
        """
        guess, log_variance = self.x0_of(outputs, x_t, row, clip)
        mean = row["of_x0"] * guess + row["of_xt"] * x_t  # eq. 7
        error = row["of_x0"] * (x_0 - guess)
        ratio = row["log_small"] - log_variance
        kl = 0.5 * (ops.exp(ratio) - 1.0 - ratio + ops.square(error) * ops.exp(-log_variance))
        nll = discretized_normal_nll(x_0, mean, log_variance)
        return ops.where(ops.equal(t, 0), nll, ops.sum(kl + ops.zeros_like(x_0), axis=(1, 2, 3)))

    def _in_bits(self, nats):
        return bits_per_dim(nats, self.image_shape)

    def bound(self, images, labels=None, *, seed=None, batch_size: int = 64):
        """The terms of the bound on -log p(x) of each image, eq. 5.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            seed: int, None, which draws one, or an int array (num,). Seeds the noise of each t.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, T + 1) in nats: L_0 ... L_{T-1}, and L_T, which no network changes.
        """
        x = self.image.check(images)
        seeds, parts, at_a_time = seeds_of(seed, len(x)), [], min(50, self.most_steps)
        starts = range(0, self.most_steps, at_a_time)
        for start in with_progress(starts):
            rows = {"image": x, "seed": seeds, "start": np.full(len(x), start, "int32")}
            given = {"show_progress": False, "batch_size": batch_size, "num": at_a_time}
            parts.append(self.run(self._bound_from, rows, labels, **given))
        prior = self._prior(np.rint(x.astype("float64") * 255.0)).sum(axis=(1, 2, 3))
        terms = np.concatenate(parts, axis=1)[:, : self.most_steps]
        return np.concatenate([terms, prior[:, None].astype("float32")], axis=1)

    def _prior(self, values):
        """L_T = KL(q(x_T|x_0) || N(0, I)) of each of an array of values of 0 ... 255."""
        bar = float(self._times.alphas_bar[-1])
        x_0 = 2.0 * values / 255.0 - 1.0
        return 0.5 * (bar * x_0 * x_0 - bar - math.log1p(-bar))

    def _bound_from(self, y, image, noise, start, num):
        """L_t of the t from `start` on, (batch, num)."""
        x_0 = 2.0 * ops.round(image * 255.0) / 255.0 - 1.0
        columns = ops.arange(num)

        def turn(i, terms):
            t = ops.minimum(start + i, self.most_steps - 1)
            row = self.level(t)
            x_t = row["signal"] * x_0 + row["noise"] * noise.at(start + i).normal(ops.shape(x_0))
            outputs = self.guided(x_t, row, y)
            found = self._bound_at(x_0, x_t, t, row, outputs)
            return terms + ops.cast(ops.equal(columns, i), "float32") * found[:, None]

        first = ops.zeros_like(x_0[:, :1, 0, 0]) + ops.zeros((1, num))
        return ops.fori_loop(0, num, turn, first)

    def log_likelihood(self, images, labels=None, *, seed=None, batch_size: int = 64):
        """The bound on log p(x) of each image of 8 bits: minus the sum of `bound`.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            seed: int, None, which draws one, or an int array (num,). Seeds the noise of each t.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        terms = self.bound(images, labels, seed=seed, batch_size=batch_size)
        return -terms.sum(axis=1, dtype="float64")

    def signatures(self):
        def log_likelihood(y, image, noise):
            first = ops.zeros_like(image[:, 0, 0, 0], dtype="int32")
            terms = self._bound_from(y, image, noise, first, self.most_steps)
            prior = ops.sum(self._prior(ops.round(image * 255.0)), axis=(1, 2, 3))
            nats = -ops.sum(terms, axis=1) - prior
            return {"nats": nats, "bits_per_dim": self._in_bits(-nats)}

        given = {"image": self.image, "seed": Seed()}
        return super().signatures() | {"log_likelihood": (log_likelihood, given)}

    def get_config(self):
        return super().get_config() | {
            "schedule": self.schedule,
            "timesteps": self.timesteps,
            "prediction": self.prediction,
            "variance": self.variance,
            "weighting": self.weighting,
            "clip": self.clip,
        }


_COLUMNS = ("signal", "noise", "of_x0", "of_xt", "log_small", "log_large")


def discretized_normal_nll(x, mean, log_variance):
    """-sum log P(x), a normal distribution integrated over each of 256 bins, the outer ones open.

    Args:
        x: tensor (batch, height, width, channels) of the 256 levels in [-1, 1].
        mean: tensor of the same shape.
        log_variance: tensor that broadcasts to it.

    Returns:
        Tensor (batch,), in nats.

    Reference: Ho et al. 2020, eq. 13.
    """
    scale = ops.exp(-0.5 * log_variance) / math.sqrt(2.0)
    upper, lower = ((x - mean + side / 255.0) * scale for side in (1.0, -1.0))
    upper = ops.where(x > 0.999, 1.0, 0.5 * (1.0 + ops.erf(upper)))
    lower = ops.where(x < -0.999, 0.0, 0.5 * (1.0 + ops.erf(lower)))
    return -ops.sum(ops.log(ops.maximum(upper - lower, 1e-12)), axis=(1, 2, 3))
