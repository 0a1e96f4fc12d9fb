"""The family of models that go from noise to images."""

import keras
from keras import ops

from kgen import pictures, samplers
from kgen.checks import choice, flag, number, whole_number
from kgen.models.average import Average, without_average
from kgen.models.diffusion.given_images import OfGivenImages
from kgen.models.diffusion.in_steps import SampledInSteps
from kgen.models.image_model import ImageModel, preset_dtype
from kgen.models.kept import is_rebuilt
from kgen.models.network_check import declared_otherwise
from kgen.models.scalar import ScalarOf
from kgen.networks import dense_denoiser, dit, unet
from kgen.networks.convolutional import halvings
from kgen.networks.timed import check_patch
from kgen.seeds import seeds_of


class DiffusionModel(OfGivenImages, SampledInSteps, ImageModel):
    """A network that tells an image from noise at each time, and the verbs of it.

    A subclass says in `path(sampler)` at which times a sampler asks, in `level(t)` what there is at
    a time, and in `x0_of(outputs, x, row)` what the network's outputs mean. Inside, images are in
    [-1, 1].

    Args:
        image_shape: tuple (height, width, channels).
        network: keras.Model from [image, t], with a condition from [image, t, condition, given],
            to (batch, height, width, outputs), or None for a preset.
        outputs: int. Channels that the network gives.
        meaning: str. What is in them, in words.
        architecture: "unet" or "dit", the preset: `kgen.networks.unet` or `kgen.networks.dit`; of
            images of one pixel both are `kgen.networks.dense_denoiser`.
        width: int. Of the preset: a U-Net's channels of the first blocks, 128 from 32x32 on and 32
            below by default; a transformer's numbers of a patch, 384 or 128.
        dropout: float in [0, 1). Of the preset's blocks.
        patch: int. Of the preset: each square of so many pixels a side is one. Defaults to 1, a
            transformer's to 2.
        self_condition: bool. Shows the network, behind the image, its own last guess of x_0: it
            takes twice the channels.
        drop_condition: float in [0, 1]. The part of the images whose condition is left out in
            training, without which there is no guidance.
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        sampler: `kgen.samplers.Sampler` or its name. What `sample` and a server take.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    ema_decay = ScalarOf(lambda model: model.average, "decay")
    default_batch_size = 64
    named_samplers = samplers.OF_X0
    most_steps = None  # the times that the model has, where they are counted

    def __init__(
        self,
        image_shape,
        network=None,
        outputs=None,
        meaning="",
        architecture="unet",
        width=None,
        dropout=0.1,
        patch=None,
        self_condition=False,
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
        self.architecture = choice("architecture", architecture, ("unet", "dit"))
        self.set_sizes(network, width=width, patch=patch)
        self.dropout = number("dropout", dropout, at_least=0.0)
        self.self_condition = flag("self_condition", self_condition)
        self.drop_condition = number("drop_condition", drop_condition, at_least=0.0)
        if self.drop_condition > 1.0:
            raise ValueError(f"Expected drop_condition in [0, 1]. Received: {drop_condition=}")
        if network is not None and (architecture, dropout) != ("unet", 0.1) and not is_rebuilt():
            raise ValueError(
                "Expected no architecture or dropout with a network of your own, as they are the "
                f"preset's. Received: {architecture=}, {dropout=}"
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

    @property
    def sampler(self):
        """What `sample` and a server take; another one may be set at any time."""
        return self._sampler

    @sampler.setter
    def sampler(self, sampler):
        samplers.get(sampler, None, self.named_samplers)
        self._sampler = sampler

    @property
    def _seen_shape(self):
        height, width, channels = self.image_shape
        return height, width, channels * (2 if self.self_condition else 1)

    def _preset(self, outputs):
        """The paper's U-Net: down to 4 pixels of the shorter side, 8 from 64x64 on."""
        given = {
            "dropout": self.dropout,
            "channels": outputs,
            "condition": self.condition,
            "name": "network",
        }
        if self.image_shape[:2] == (1, 1):
            check_patch(self.image_shape, self.patch or 1)
            return dense_denoiser(self._seen_shape, self.width or 128, **given)
        if self.architecture == "dit":
            is_large = min(self.image_shape[:2]) >= 32
            width, patch = self.width or (384 if is_large else 128), self.patch or 2
            depth, heads = (12 if is_large else 6), max(1, width // 64)
            return dit(self._seen_shape, width, depth, heads, patch, **given)
        patch = self.patch or 1
        sizes = halvings(*(side // patch for side in self.image_shape[:2]), coarsest=7)
        levels = len(sizes) if len(sizes) < 4 else max(4, len(sizes) - 1)
        few = [max(size) for size in sizes[1:levels] if max(size) <= 16]
        return unet(
            self._seen_shape,
            width=self.width or (128 if min(self.image_shape[:2]) >= 32 else 32),
            multipliers=(1, *(2,) * (levels - 1)),
            attention_at=few[:1],  # where pixels are few enough to be compared
            patch=patch,
            **given,
        )

    def _symbolic_inputs(self):
        inputs = [keras.KerasTensor((None, *self._seen_shape)), keras.KerasTensor((None,))]
        if self.condition is not None:
            field = self.condition
            inputs.append(keras.KerasTensor((None, *field.shape), dtype=field.dtype))
            inputs.append(keras.KerasTensor((None,)))
        return inputs

    def _check_network(self, outputs, meaning):
        takes = "[image, t]" if self.condition is None else "[image, t, condition, given]"
        wanted, inputs = (None, *self.image_shape[:2], outputs), self._symbolic_inputs()
        expected = (
            f"Expected a network of {takes}, an image (batch, {str(self._seen_shape)[1:]} and "
            f"times (batch,). Received: network={self.network!r:.80}"
        )
        if (declared := declared_otherwise(self.network, inputs)) is not None:
            raise ValueError(f"{expected}, which takes {declared}")
        try:
            given = self.network(inputs).shape
        except Exception as error:  # of whatever a user's network raises
            raise ValueError(f"{expected}: {error}") from error
        if given != wanted:
            raise ValueError(
                f"Expected a network to (batch, {str(wanted[1:])[1:]}, {meaning} of each channel. "
                f"Received: {self.network.name}, which gives {given}"
            )

    def players(self):
        return {"network": [self.network]}

    def default_optimizers(self):
        # Ho et al. 2020, appendix B; the norm is of Song & Ermon 2020's code, and of theirs.
        return {"network": keras.optimizers.Adam(2e-4, global_clipnorm=1.0, name="network")}

    def training_step(self, x, y, noise):
        self.minimize(self.denoising_loss, "network", x, y, noise)
        self.update_average(self.steps + 1)

    def evaluation_step(self, x, y, noise):
        self.denoising_loss(x, y, noise, training=False)

    def denoising_loss(self, x, y, noise, training=True):
        """The loss on one batch of images in [0, 1]; logs it."""
        loss = self.loss_of_each(2.0 * x - 1.0, y, noise, training)
        self.log(loss=loss)
        return ops.mean(loss)

    def loss_of_each(self, x_0, y, noise, training=True):
        """The loss on each of a batch of images in [-1, 1], (batch,)."""
        raise NotImplementedError

    def update_average(self, step):
        """Moves the average of the weights, if there is one, after so many steps."""
        if self.average is not None:
            self.average.update(self.network, step)

    @property
    def averaged(self):
        """The network of the verbs: with averaged weights, if there are such."""
        return self.network if self.average is None else self.average.network

    @property
    def time(self):
        """The `kgen.fields.Time` of a time t of this model."""
        raise NotImplementedError

    def path(self, sampler):
        """The `kgen.samplers.Path` of a sampler.

        Raises:
            ValueError: it has more steps than the model, or a spacing that the model has not.
        """
        raise NotImplementedError

    def level(self, t):
        """What there is at times t, (batch,) as `time` says: dict of (batch, 1, 1, 1).

        "signal" and "noise", of which x_t = signal x_0 + noise eps, and what else the model asks.
        """
        raise NotImplementedError

    def told(self, row):
        """What the network is told of the time of a row, of the shape of its signal."""
        return row["t"]

    def seen(self, x, row):
        """What the network sees of x at the time of a row."""
        return x

    def at_scale_of_image(self, x, noise):
        """X with so much noise, as it is shown: of a deviation of at most about 1."""
        return x

    def x0_of(self, outputs, x, row):
        """What the network's outputs say of the image at the bottom of x.

        Args:
            outputs: tensor (batch, height, width, outputs), float32.
            x: tensor (batch, height, width, channels).
            row: dict of float32 scalars or (batch, 1, 1, 1): signal and noise of x, and what a
                sampler's rows have.

        Returns:
            x_0 as x is, and what else the sampler asks for: for one that draws from the model's
            step the logarithm of its variance; for one of velocities that.
        """
        raise NotImplementedError

    def _asked(self, network, x, row, y, given, last, training=False):
        """The outputs of a network, float32."""
        t = ops.zeros_like(x[:, :1, :1, :1]) + self.told(row)
        seen = self.seen(x, row)
        if self.self_condition:
            seen = ops.concatenate([seen, last], axis=-1)
        inputs = [seen, t[:, 0, 0, 0]]
        if self.condition is not None:
            inputs += [y, given]
        return ops.cast(network(inputs, training=training), "float32")

    def outputs(self, x, row, y, noise, training=True):
        """The network's outputs in training, for which some conditions are left out.

        With self-conditioning half of the images are shown a first guess, of which there is no
        gradient (Chen et al., Analog Bits, 2022, algorithm 1, https://arxiv.org/abs/2208.04202).

        Args:
            x: tensor (batch, height, width, channels).
            row: dict, what there is at the time of each image.
            y: the condition, or None.
            noise: `kgen.noise.Noise`.
            training: bool. Else all conditions count, and each image has its first guess.
        """
        network = self.network if training else self.averaged
        given = ops.ones_like(x[:, 0, 0, 0])
        if training and self.condition is not None:
            given = ops.cast(noise.uniform(ops.shape(given)) >= self.drop_condition, "float32")
        last = ops.zeros_like(x)
        if self.self_condition:
            first = self._asked(network, x, row, y, given, last, training)
            guess = ops.stop_gradient(self.x0_of(first, x, row)[0])
            if training:
                shown = noise.uniform((*ops.shape(x)[:1], 1, 1, 1)) < 0.5
                guess = ops.where(shown, guess, last)
            last = guess
        return self._asked(network, x, row, y, given, last, training)

    def guided(self, x, row, y, guidance=1.0, last=None):
        """The network's outputs with and without the condition, apart as `guidance` says.

        Reference: Ho & Salimans, Classifier-Free Diffusion Guidance, 2022, eq. 6, whose w is
        guidance - 1. https://arxiv.org/abs/2207.12598
        """
        if self.self_condition and last is None:
            last = self.guess(x, row, y, guidance, ops.zeros_like(x))[0]
        network, ones = self.averaged, ops.ones_like(x[:, 0, 0, 0])
        if self.condition is None or guidance in (0.0, 1.0):
            return self._asked(network, x, row, y, guidance * ones, last)

        def twice(a):
            return a if a is None or not ops.shape(a) else ops.concatenate([a, a])

        rows = {name: twice(value) for name, value in row.items()}
        given = ops.concatenate([ones, 0.0 * ones])
        outputs = self._asked(network, twice(x), rows, twice(y), given, twice(last))
        with_it, without = ops.split(outputs, 2)
        channels = self.image_shape[-1]
        mixed = without + guidance * (with_it - without)
        return ops.concatenate([mixed[..., :channels], with_it[..., channels:]], axis=-1)

    def guess(self, x, row, y, guidance=1.0, last=None):
        """What `x0_of` says of images, by the averaged network.

        Args:
            x: tensor (batch, height, width, channels).
            row: dict of what there is at their time, scalars or (batch, 1, 1, 1).
            y: the condition, or None.
            guidance: float.
            last: tensor like x, an earlier guess of x_0; None makes one, with self-conditioning.
        """
        return self.x0_of(self.guided(x, row, y, guidance, last), x, row)

    def walk(
        self, x, y, noise, sampler, guidance=1.0, known=None, repeats=1, frames=None, bounded=True
    ):
        """From x at a sampler's first time to an image, in a compiled loop.

        Args:
            x: tensor (batch, height, width, channels), noise of deviation 1.
            y: the condition, or None.
            noise: `kgen.noise.Noise`, or None for a sampler that draws nothing.
            sampler: `kgen.samplers.Sampler`.
            guidance: float.
            known: pair of an image in [-1, 1] and a tensor (batch, height, width, 1), 1 where it is
                known; or None.
            repeats: int. How often a step is taken where something is known, so that the rest
                comes to agree with it: RePaint's resampling, with jumps of one step.
            frames: int or None. How many times of the way are kept, the start and the end too.
            bounded: bool. Whether images end in [-1, 1].

        Returns:
            Tensor like x; of frames (batch, frames, height, width, channels), each of the deviation
            of an image.
        """
        path = self.path(sampler)
        row_of = rows_of(path.levels() | sampler.rows(path))
        draws = sampler.is_random or known is not None
        num_steps = len(path.t)
        x = path.scale * x

        def turn(i, state):
            x, last, *film = state
            row = row_of(i // repeats)
            own = noise.at(i) if draws else None
            if known is not None:
                image, mask = known
                noisy = row["signal"] * image + row["noise"] * own.normal(ops.shape(x))
                x = mask * noisy + (1.0 - mask) * x

            def x0_of(x, row):
                return self.guess(x, row, y, guidance, last)

            x, x0 = sampler.step(x, row, x0_of, last, own)
            if repeats > 1:
                again = self._one_step_back(x, row, own)
                x = ops.where(ops.equal(i % repeats, repeats - 1), x, again)
            film = [self._with_frame(film[0], x, row, i + 1, num_steps)] if film else []
            return x, x0, *film

        state = x, ops.zeros_like(x)
        if frames:
            state += (ops.repeat(x[:, None] / path.scale, frames, axis=1),)
        x, _, *film = ops.fori_loop(0, repeats * num_steps, turn, state)
        if film:
            return film[0]
        if known is not None:
            image, mask = known
            x = mask * image + (1.0 - mask) * x
        return ops.clip(x, -1.0, 1.0) if bounded else x

    def walk_back(self, x, y, path):
        """From images in [-1, 1] to the noise that `walk` with DDIM begins at.

        Args:
            x: tensor (batch, height, width, channels).
            y: the condition, or None.
            path: `kgen.samplers.Path`, from noise to images.
        """
        row_of = rows_of({name: column[::-1] for name, column in path.levels().items()})

        def eps_of(x, row, last):
            x0, _ = self.guess(x, row, y, 1.0, last)
            return x0, (x - row["signal"] * x0) / row["noise"]

        def turn(i, state):
            x, last = state
            row, after = row_of(i), row_of(i + 1)
            x0, eps = eps_of(x, row, last)
            return after["signal"] * x0 + after["noise"] * eps, x0

        first, last = row_of(0), x
        x = first["signal"] * x
        x = x + first["noise"] * eps_of(x, first, last)[1]
        x, _ = ops.fori_loop(0, len(path.t) - 1, turn, (x, last))
        return x / path.scale

    def _with_frame(self, film, x, row, done, num_steps):
        """Frames of which those that are due after so many steps are x, at an image's scale."""
        frames = film.shape[1]
        due = ops.floor_divide(ops.arange(frames) * num_steps, frames - 1) >= done
        x = self.at_scale_of_image(x, row["next_noise"])
        return ops.where(due[None, :, None, None, None], x[:, None], film)

    @staticmethod
    def _one_step_back(x, row, noise):
        """Noise again, of as much as the step took away: q(x_t | x_{t-1})."""
        kept = row["signal"] / row["next_signal"]
        variance = ops.square(row["noise"]) - ops.square(kept * row["next_noise"])
        return kept * x + ops.sqrt(ops.maximum(variance, 0.0)) * noise.normal(ops.shape(x))

    def start(self, noise, num):
        """Where ways to images begin: tensor (num, height, width, channels) of deviation 1."""
        return noise.normal((num, *self.image_shape))

    def _generate(self, y, noise, sampler=None, guidance=1.0, frames=None):
        x = self.start(noise, noise.num)
        x = self.walk(x, y, noise, sampler or self.own_sampler(), guidance, frames=frames)
        return ops.clip(0.5 * (x + 1.0), 0.0, 1.0)

    def chain(
        self,
        num,
        labels=None,
        *,
        frames: int = 8,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float = 1.0,
        seed=None,
        batch_size: int = 64,
    ):
        """The way of each image of `sample` with the same arguments, from noise on.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            frames: int of at least 2. Times of each, evenly spaced, the first and the last too.
            sampler: a sampler's name or an object of `kgen.samplers`. Defaults to the model's.
            steps: int. Times at which the network is asked. Defaults to the sampler's.
            guidance: float of at least 0. How much the condition counts.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, frames, height, width, channels) in [0, 1].
        """
        given = self.sampling(sampler, steps, guidance)
        given["frames"] = whole_number("frames", frames, at_least=2)
        rows = {"seed": seeds_of(seed, num)}
        return self.run(self._generate, rows, labels, batch_size=batch_size, **given)

    def own_sampler(self, sampler=None, steps=None):
        """A sampler by name or object, the model's where it is None, that it has times for."""
        sampler = self.sampler if sampler is None else sampler
        found = samplers.get(sampler, steps, self.named_samplers)
        if isinstance(sampler, str) and steps is None and self.most_steps is not None:
            steps = min(found.steps or self.most_steps, self.most_steps)
            found = samplers.get(found, steps, self.named_samplers)
        self.path(found)
        return found

    def sampling(self, sampler, steps, guidance):
        sampler = self.own_sampler(sampler, steps)
        guidance = number("guidance", guidance, at_least=0.0)
        if guidance != 1.0 and (self.condition is None or not self.drop_condition):
            raise ValueError(
                "Expected guidance=1 of a model without a condition, or of one trained with "
                f"drop_condition=0, which knows no image without its condition. Received: "
                f"{guidance=}"
            )
        return {"sampler": sampler, "guidance": guidance}

    def report(self, data):
        labels = self.conditions_to_show(data)
        return super().report(data) | {"chain.png": pictures.chain(self, 8, labels, seed=0)}

    def published(self):
        if self.average is None:
            return super().published()
        return without_average(self, "network")

    def get_config(self):
        return super().get_config() | {
            "network": self.network,
            "architecture": self.architecture,
            "width": self.width,
            "dropout": self.dropout,
            "patch": self.patch,
            "self_condition": self.self_condition,
            "drop_condition": self.drop_condition,
            "ema_decay": self.ema_decay,
            "sampler": self.sampler,
        }


def rows_of(table):
    """The rows of a table of float64 columns, as float32 scalars: a callable of their number."""
    columns = {name: ops.convert_to_tensor(a.astype("float32")) for name, a in table.items()}
    return lambda i: {name: ops.take(column, i, axis=0) for name, column in columns.items()}
