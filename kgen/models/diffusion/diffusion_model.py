"""The family of models that go from noise to images, and what they answer."""

import keras
import numpy as np
from keras import ops

from kgen.checks import number, whole_number
from kgen.fields import Mask
from kgen.models.average import Average, without_average
from kgen.models.diffusion import samplers
from kgen.models.image_model import ImageModel, Samples, preset_dtype
from kgen.models.kept import is_rebuilt
from kgen.models.latents import slerp
from kgen.models.scalar import ScalarOf
from kgen.networks import unet
from kgen.networks.convolutional import halvings
from kgen.seeds import seeds_of


class DiffusionModel(Samples, ImageModel):
    """A network that tells an image from noise at each time, and the verbs of it.

    A subclass says in `path(sampler)` at which times a sampler asks, and in `x0_of(outputs, x,
    row)` what the network's outputs mean. Inside, images are in [-1, 1].

    Args:
        image_shape: tuple (height, width, channels).
        network: keras.Model from [image, t], with a condition from [image, t, condition, given],
            to (batch, height, width, outputs), or None for the preset, `kgen.networks.unet`.
        outputs: int. Channels that the network gives.
        meaning: str. What is in them, in words.
        width: int. Channels of the preset's first blocks. Defaults to 128 from 32x32 on, 32 below.
        dropout: float in [0, 1). Of the preset's blocks.
        patch: int. Of the preset: each square of so many pixels a side is one.
        drop_condition: float in [0, 1]. The part of the images whose condition is left out in
            training, without which there is no guidance.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        sampler: `kgen.models.diffusion.samplers.Sampler` or its name. What `sample` takes.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    ema_decay = ScalarOf(lambda model: model.average, "decay")
    default_batch_size = 64

    def __init__(
        self,
        image_shape,
        network=None,
        outputs=None,
        meaning="",
        width=None,
        dropout=0.1,
        patch=1,
        drop_condition=0.1,
        ema_decay=0.9999,
        sampler="ddim",
        num_classes=None,
        condition=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape, num_classes=num_classes, condition=condition, seed=seed, **kwargs
        )
        self.set_sizes(network, width=width)
        self.dropout = number("dropout", dropout, at_least=0.0)
        self.patch = whole_number("patch", patch)
        self.drop_condition = number("drop_condition", drop_condition, at_least=0.0)
        if self.drop_condition > 1.0:
            raise ValueError(f"Expected drop_condition in [0, 1]. Received: {drop_condition=}")
        if network is not None and (patch, dropout) != (1, 0.1) and not is_rebuilt():
            raise ValueError(
                "Expected no patch or dropout with a network of your own, as they are the "
                f"preset's. Received: {patch=}, {dropout=}"
            )
        self.sampler = sampler
        outputs = outputs or self.image_shape[-1]
        if network is None:
            with preset_dtype(self.dtype_policy):
                network = self._preset(outputs)
        self.network = network
        self._check_network(outputs, meaning)
        self.average = None
        if ema_decay is not None:
            self.average = Average(network, ema_decay, self._symbolic_inputs())

    def _preset(self, outputs):
        """The paper's U-Net: down to 4 pixels of the shorter side, 8 from 64x64 on."""
        sizes = halvings(*(side // self.patch for side in self.image_shape[:2]), coarsest=7)
        levels = len(sizes) if len(sizes) < 4 else max(4, len(sizes) - 1)
        few = [max(size) for size in sizes[1:levels] if max(size) <= 16]
        return unet(
            self.image_shape,
            width=self.width or (128 if min(sizes[0]) >= 32 else 32),
            multipliers=(1, *(2,) * (levels - 1)),
            attention_at=few[:1],  # where pixels are few enough to be compared
            dropout=self.dropout,
            patch=self.patch,
            channels=outputs,
            condition=self.condition,
            name="network",
        )

    def _symbolic_inputs(self):
        inputs = [keras.KerasTensor((None, *self.image_shape)), keras.KerasTensor((None,))]
        if self.condition is not None:
            field = self.condition
            inputs.append(keras.KerasTensor((None, *field.shape), dtype=field.dtype))
            inputs.append(keras.KerasTensor((None,)))
        return inputs

    def _check_network(self, outputs, meaning):
        takes = "[image, t]" if self.condition is None else "[image, t, condition, given]"
        wanted = (None, *self.image_shape[:2], outputs)
        try:
            given = self.network(self._symbolic_inputs()).shape
        except Exception as error:  # of whatever a user's network raises
            raise ValueError(
                f"Expected a network of {takes}, an image (batch, {str(self.image_shape)[1:]} and "
                f"times (batch,). Received: network={self.network!r:.80}: {error}"
            ) from error
        if given != wanted:
            raise ValueError(
                f"Expected a network to (batch, {str(wanted[1:])[1:]}, {meaning} of each channel. "
                f"Received: {self.network.name}, which gives {given}"
            )

    def players(self):
        return {"network": [self.network]}

    @property
    def averaged(self):
        """The network of the verbs: with averaged weights, if there are such."""
        return self.network if self.average is None else self.average.network

    @property
    def most_steps(self):
        """The times that the model has, or None where there are any number."""
        return None

    def update_average(self):
        """Moves the average of the weights, if there is one."""
        if self.average is not None:
            self.average.update(self.network, self.steps + 1)

    def path(self, sampler):
        """The `kgen.models.diffusion.schedule.Path` of a sampler.

        Raises:
            ValueError: it has more steps than the model.
        """
        raise NotImplementedError

    def x0_of(self, outputs, x, row):
        """What the network's outputs say of the image at the bottom of x.

        Args:
            outputs: tensor (batch, height, width, outputs), float32.
            x: tensor (batch, height, width, channels).
            row: dict of float32 scalars or (batch, 1, 1, 1): signal and noise of x, and what a
                sampler's rows have.

        Returns:
            x_0 as x is, and the logarithm of the variance of the model's step, or None where the
            sampler has one of its own.
        """
        raise NotImplementedError

    def outputs(self, x, t, y, noise=None, training=False):
        """The network's outputs in training, for which some conditions are left out.

        Args:
            x: tensor (batch, height, width, channels).
            t: tensor (batch,), as the network is told.
            y: the condition, or None.
            noise: `kgen.noise.Noise` that draws which; None leaves none out.
            training: bool.
        """
        network = self.network if training else self.averaged
        inputs = [x, t]
        if self.condition is not None:
            given = ops.ones_like(t)
            if noise is not None:
                given = ops.cast(noise.uniform(ops.shape(t)) >= self.drop_condition, "float32")
            inputs += [y, given]
        return ops.cast(network(inputs, training=training), "float32")

    def guided(self, x, t, y, guidance):
        """The network's outputs with and without the condition, apart as `guidance` says.

        Reference: Ho & Salimans, Classifier-Free Diffusion Guidance, 2022, eq. 6, whose w is
        guidance - 1. https://arxiv.org/abs/2207.12598
        """
        network = self.averaged
        if self.condition is None:
            return ops.cast(network([x, t]), "float32")
        ones, zeros = ops.ones_like(t), ops.zeros_like(t)
        if guidance in (0.0, 1.0):
            return ops.cast(network([x, t, y, ones if guidance else zeros]), "float32")
        twice = [ops.concatenate([a, b]) for a, b in ((x, x), (t, t), (y, y), (ones, zeros))]
        with_it, without = ops.split(ops.cast(network(twice), "float32"), 2)
        channels = self.image_shape[-1]
        mixed = without + guidance * (with_it - without)
        return ops.concatenate([mixed[..., :channels], with_it[..., channels:]], axis=-1)

    def _guess(self, x, row, y, guidance=1.0):
        """What `x0_of` says of images that are all at the time of `row`."""
        t = row["t"] * ops.ones_like(x[:, 0, 0, 0])
        return self.x0_of(self.guided(x, t, y, guidance), x, row)

    def walk(self, x, y, noise, sampler, guidance=1.0, known=None, repeats=1):
        """From x at a sampler's first time to an image, in a compiled loop.

        Args:
            x: tensor (batch, height, width, channels), noise.
            y: the condition, or None.
            noise: `kgen.noise.Noise`, or None for a sampler that draws nothing.
            sampler: `kgen.models.diffusion.samplers.Sampler`.
            guidance: float.
            known: pair of an image in [-1, 1] and a tensor (batch, height, width, 1), 1 where it is
                known; or None.
            repeats: int. How often a step is taken where something is known, so that the rest
                comes to agree with it: RePaint's resampling, with jumps of one step.

        Returns:
            Tensor like x, in [-1, 1].
        """
        path = self.path(sampler)
        row_of = _rows_of(path.levels() | sampler.rows(path))
        draws = sampler.is_random or known is not None

        def x0_of(x, row):
            return self._guess(x, row, y, guidance)

        def turn(i, state):
            x, last = state
            row = row_of(i // repeats)
            own = noise.at(i) if draws else None
            if known is not None:
                image, mask = known
                noisy = row["signal"] * image + row["noise"] * own.normal(ops.shape(x))
                x = mask * noisy + (1.0 - mask) * x
            x, x0 = sampler.step(x, row, x0_of, last, own)
            if repeats > 1:
                again = self._one_step_back(x, row, own)
                x = ops.where(ops.equal(i % repeats, repeats - 1), x, again)
            return x, x0

        x, _ = ops.fori_loop(0, repeats * len(path.t), turn, (x, ops.zeros_like(x)))
        if known is not None:
            image, mask = known
            x = mask * image + (1.0 - mask) * x
        return ops.clip(x, -1.0, 1.0)

    @staticmethod
    def _one_step_back(x, row, noise):
        """Noise again, of as much as the step took away: q(x_t | x_{t-1})."""
        kept = row["signal"] / row["next_signal"]
        variance = ops.square(row["noise"]) - ops.square(kept * row["next_noise"])
        return kept * x + ops.sqrt(ops.maximum(variance, 0.0)) * noise.normal(ops.shape(x))

    def _generate(self, y, noise, sampler=None, guidance=1.0):
        x = noise.normal((noise.num, *self.image_shape))
        x = self.walk(x, y, noise, sampler or self._sampler(), guidance)
        return 0.5 * (x + 1.0)

    def sample(
        self,
        num,
        labels=None,
        *,
        sampler=None,
        steps: int | None = None,
        guidance: float = 1.0,
        seed=None,
        batch_size: int = 64,
    ):
        """Images that the model makes up.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            sampler: "ancestral", "ddim", "dpm_solver", "heun" or a sampler's object. Defaults to
                the model's.
            steps: int. Times at which the network is asked. Defaults to the sampler's.
            guidance: float of at least 0. How much the condition counts: 1 as it is, 0 not at all,
                more at the cost of variety.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        given = self._checked(sampler, steps, guidance)
        rows = {"seed": seeds_of(seed, num)}
        return self.run(self._generate, rows, labels, batch_size=batch_size, **given)

    def _sampler(self, sampler=None, steps=None):
        """A sampler by name or object, the model's where it is None, that it has times for."""
        sampler = self.sampler if sampler is None else sampler
        found = samplers.get(sampler, steps)
        if isinstance(sampler, str) and steps is None and self.most_steps is not None:
            found = samplers.get(found, min(found.steps or self.most_steps, self.most_steps))
        self.path(found)
        return found

    def _checked(self, sampler, steps, guidance):
        """A sampler that the model has times for, and a guidance that it was trained for."""
        sampler = self._sampler(sampler, steps)
        guidance = number("guidance", guidance, at_least=0.0)
        if guidance != 1.0 and (self.condition is None or not self.drop_condition):
            raise ValueError(
                "Expected guidance=1 of a model without a condition, or of one trained with "
                f"drop_condition=0, which knows no image without its condition. Received: "
                f"{guidance=}"
            )
        return {"sampler": sampler, "guidance": guidance}

    def complete(
        self,
        images,
        mask,
        labels=None,
        *,
        copies: int = 1,
        steps: int | None = None,
        resamplings: int = 1,
        seed=None,
        batch_size: int = 64,
    ):
        """Images whose hidden pixels are drawn beside what is shown, which stays.

        At each time what is shown takes the place of what was drawn there, with as much noise as
        all else (Song et al. 2021, appendix I). Alone that lets the rest agree with it little: with
        `resamplings` each step is taken so often, with the noise of one put back in between.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            copies: int. Completions of each image.
            steps: int. Times at which the network is asked. Defaults to the model's sampler's.
            resamplings: int. How often each step is taken. Defaults to 1; the paper's is 10.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].

        Reference: Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic
        Models, 2022, algorithm 1. https://arxiv.org/abs/2201.09865
        """
        x = self.image.check(images)
        copies = whole_number("copies", copies)
        sampler = samplers.Ancestral(self._sampler(None, steps).steps)
        rows = {
            "image": np.repeat(x, copies, axis=0),
            "mask": np.repeat(Mask(self.image_shape[:2]).rows(mask, len(x)), copies, axis=0),
            "seed": seeds_of(seed, len(x), copies),
        }
        y = self.conditions(labels, len(x))
        y = None if y is None else np.repeat(y, copies, axis=0)
        repeats = whole_number("resamplings", resamplings)
        found = self.run(
            self._complete, rows, y, batch_size=batch_size, sampler=sampler, repeats=repeats
        )
        return found.reshape(len(x), copies, *self.image_shape)

    def _complete(self, y, image, mask, noise, sampler, repeats):
        x = noise.normal((noise.num, *self.image_shape))
        known = 2.0 * image - 1.0, 1.0 - ops.cast(mask, "float32")[..., None]
        filled = 0.5 * (self.walk(x, y, noise, sampler, 1.0, known, repeats) + 1.0)
        return ops.where(ops.cast(mask, "bool")[..., None], filled, image)

    def encode(self, images, labels=None, *, steps: int | None = None, batch_size: int = 64):
        """The noise from which `decode` makes about these images: the ODE backwards.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Times at which the network is asked; the more, the nearer. Defaults to 50.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels), about N(0, 1).

        Reference: Song et al. 2020, section 4.3. https://arxiv.org/abs/2010.02502
        """
        rows, sampler = {"image": self.image.check(images)}, self._sampler("ddim", steps)
        return self.run(self._encode, rows, labels, batch_size=batch_size, sampler=sampler)

    def _encode(self, y, image, sampler):
        path = self.path(sampler)
        row_of = _rows_of({name: column[::-1] for name, column in path.levels().items()})

        def eps_of(x, row):
            x0, _ = self._guess(x, row, y)
            return x0, (x - row["signal"] * x0) / row["noise"]

        def turn(i, x):
            row, after = row_of(i), row_of(i + 1)
            x0, eps = eps_of(x, row)
            return after["signal"] * x0 + after["noise"] * eps

        first = row_of(0)
        x0 = 2.0 * image - 1.0
        x = first["signal"] * x0
        x = x + first["noise"] * eps_of(x, first)[1]
        return ops.fori_loop(0, len(path.t) - 1, turn, x)

    def decode(self, noise, labels=None, *, steps: int | None = None, batch_size: int = 64):
        """The images that DDIM makes of noise, of which it draws no more.

        Args:
            noise: array (num, height, width, channels), as `encode` gives it.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Times at which the network is asked. Defaults to 50.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        noise = np.asarray(noise, "float32")
        if noise.shape[1:] != self.image_shape or not np.isfinite(noise).all():
            raise ValueError(
                f"Expected noise (num, {str(self.image_shape)[1:]}, finite. Received: an array of "
                f"shape {noise.shape}"
            )
        sampler = self._sampler("ddim", steps)
        rows = {"x": noise}
        return self.run(self._decode, rows, labels, batch_size=batch_size, sampler=sampler)

    def _decode(self, y, x, sampler):
        return 0.5 * (self.walk(x, y, None, sampler) + 1.0)

    def interpolate(
        self,
        start,
        end,
        labels=None,
        *,
        steps: int = 11,
        sampler_steps: int | None = None,
        batch_size: int = 64,
    ):
        """The images on the way from each of `start` to its partner in `end`.

        Args:
            start: images (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            end: array of the same shape.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Images on a way, both ends among them.
            sampler_steps: int. Times at which the network is asked, on the way to noise and back.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, steps, height, width, channels) in [0, 1].
        """
        given = {"steps": sampler_steps, "batch_size": batch_size}
        ends = [self.encode(each, labels, **given) for each in (start, end)]
        steps, num = whole_number("steps", steps, at_least=2), len(ends[0])
        flat = (each.reshape(num, 1, -1) for each in ends)
        way = slerp(*flat, np.linspace(0.0, 1.0, steps)[None, :, None]).astype("float32")
        y = self.conditions(labels, num)
        y = None if y is None else np.repeat(y, steps, axis=0)
        images = self.decode(way.reshape(-1, *self.image_shape), y, **given)
        return images.reshape(num, steps, *self.image_shape)

    def published(self):
        if self.average is None:
            return super().published()
        return without_average(self, "network")

    def get_config(self):
        return super().get_config() | {
            "network": self.network,
            "width": self.width,
            "dropout": self.dropout,
            "patch": self.patch,
            "drop_condition": self.drop_condition,
            "ema_decay": self.ema_decay,
            "sampler": self.sampler,
        }


def _rows_of(table):
    """The rows of a table of float64 columns, as float32 scalars: a callable of their number."""
    columns = {name: ops.convert_to_tensor(a.astype("float32")) for name, a in table.items()}
    return lambda i: {name: ops.take(column, i, axis=0) for name, column in columns.items()}
