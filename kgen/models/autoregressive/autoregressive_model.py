"""The family of models that make an image pixel by pixel, each given all before it."""

import math

import keras
import numpy as np
from keras import ops

from kgen import fields
from kgen.models.draws import Draws
from kgen.losses import bernoulli_nll, bits_per_dim, levels_nll
from kgen.models.generative_model import draw_seed
from kgen.models.image_model import ImageModel, preset_dtype
from kgen.models.in_batches import with_progress
from kgen.networks import CausalNetwork
from kgen.warn import warn

ROWS_AT_A_TIME = 8  # after which the progress is shown


class AutoregressiveModel(ImageModel):
    """A model of p(x) = prod_i p(x_i | x_1 ... x_(i-1)), pixels row by row and colours in turn.

    It minimises -log p(x), exact, summed over pixels and averaged over the batch, in nats. A
    subclass gives `make_network`.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises.
        network: `kgen.networks.CausalNetwork` from images in [-1, 1] to (batch, height, width,
            channels * levels) logits, of which i belongs to colour i mod channels; with 2 levels to
            (batch, height, width, channels) logits of the upper one. None for the preset.
        filters: int. The preset's h. Defaults to the paper's 128 for colour, 16 for grey images.
        blocks: int. The preset's blocks. Defaults to the paper's 15 for colour, 7 for grey images.
        num_classes: int or None. With it the model is conditional and labels are required.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    log_names = ("loss", "bits_per_dim")
    default_batch_size = 16

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        levels: int = 256,
        network: keras.Model | None = None,
        filters: int | None = None,
        blocks: int | None = None,
        num_classes: int | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(image_shape, num_classes=num_classes, seed=seed, **kwargs)
        if not 2 <= levels <= 256:
            raise ValueError(f"Expected levels in 2..256. Received: levels={levels}")
        self.levels = levels
        is_colour = self.image_shape[-1] > 1
        self.filters = (128 if is_colour else 16) if filters is None else filters
        self.blocks = (15 if is_colour else 7) if blocks is None else blocks
        if self.filters < 1 or self.blocks < 1:
            raise ValueError(
                "Expected filters and blocks of at least 1. Received: "
                f"filters={self.filters}, blocks={self.blocks}"
            )
        with preset_dtype(self.dtype_policy):
            self.network = network or self.make_network()
        self._check_network()
        self._told = []
        self.built = True

    def make_network(self):
        """The preset."""
        raise NotImplementedError

    @property
    def num_outputs(self):
        """Numbers that the network gives for a pixel and colour."""
        return 1 if self.levels == 2 else self.levels

    def _check_network(self):
        height, width, colors = self.image_shape
        expected = (self.image_shape, (height, width, colors * self.num_outputs), self.num_classes)
        received, network = None, self.network
        if isinstance(network, CausalNetwork):
            x, y = keras.KerasTensor((1, *network.image_shape)), keras.KerasTensor((1,), "int32")
            outputs = network(x if network.num_classes is None else [x, y])
            received = (network.image_shape, outputs.shape[1:], network.num_classes)
        if received != expected:
            described = "from {} to {}, with num_classes={}"
            raise ValueError(
                f"Expected a kgen.networks.CausalNetwork {described.format(*expected)}. Received: "
                f"network={network.name} {described.format(*received) if received else network!r}"
            )

    def players(self):
        return {"network": [self.network]}

    def default_optimizers(self):
        return {"network": keras.optimizers.Adam(1e-3, name="network")}

    def training_step(self, x, y):
        self.minimize(self.negative_log_likelihood, "network", x, y, self.seed_generator, True)

    def evaluation_step(self, x, y):
        self.negative_log_likelihood(x, y, self.evaluation_seed_generator, False)

    def negative_log_likelihood(self, x, y, seed, training):
        """The loss on one batch of images in [0, 1]; logs it."""
        uniform = keras.random.uniform(ops.shape(x), seed=seed) if self.levels == 2 else None
        nll = self._nll(self.quantise(x, uniform), y, training)
        self.log(loss=nll, bits_per_dim=bits_per_dim(nll, self.image_shape))
        return ops.mean(nll)

    def quantise(self, x, uniform):
        """Images in [0, 1] as integers in 0..levels - 1.

        Args:
            x: tensor or array (batch, height, width, channels).
            uniform: noise in [0, 1) of the same shape, for 2 levels.
        """
        if self.levels == 2:
            return ops.cast(uniform < x, "int32")
        return ops.cast(ops.round(x * (self.levels - 1)), "int32")

    def _logits(self, values, y, training=False):
        x = 2.0 * ops.cast(values, "float32") / (self.levels - 1) - 1.0
        inputs = x if self.num_classes is None else [x, y]
        return ops.cast(self.network(inputs, training=training), "float32")

    def _nll(self, values, y, training=False):
        logits = self._logits(values, y, training)
        if self.levels == 2:
            return bernoulli_nll(ops.cast(values, "float32"), logits)
        logits = ops.reshape(logits, (-1, *self.image_shape[:2], self.levels, self.image_shape[2]))
        return levels_nll(values, ops.swapaxes(logits, -1, -2))

    def figures(self, logs):
        """The log-likelihood in nats an image, and bits/dim."""
        return {"log_likelihood": -logs["loss"], "bits_per_dim": logs["bits_per_dim"]}

    def log_likelihood(self, images, labels=None, seed=None, batch_size=100):
        """The log-likelihood log p(x) of each image, exact.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            seed: int or None. Seeds the binarization of grey images, with 2 levels.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        x = self.prepare_images(images)
        y = self.prepare_labels(labels, len(x))
        values = self._quantised(x, np.random.default_rng(draw_seed(seed)))
        values = ops.convert_to_numpy(values)
        return self.run_in_batches(self._log_likelihood, [values, y], batch_size)

    def _log_likelihood(self, values, y):
        return -self._nll(values, y)

    def _quantised(self, x, rng):
        uniform = rng.random(ops.shape(x), dtype="float32") if self.levels == 2 else None
        return self.quantise(x, uniform)

    def sample(self, num, labels=None, seed=None, temperature=1.0, batch_size=64):
        """Images, pixel by pixel from p(x_i | x_1 ... x_(i-1)).

        Args:
            num: int. How many.
            labels: int array (num,) or one int, for a conditional model.
            seed: int or None. The same seed gives the same images; None draws one.
            temperature: float above 0. Divides the logits: below 1 likelier pixels.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        if num < 1:
            raise ValueError(f"Expected num of at least 1. Received: num={num}")
        y = self.prepare_labels(labels, num)
        rng = np.random.default_rng(draw_seed(seed))
        known = np.zeros((num, *self.image_shape), "int32")
        hidden = np.ones(self.image_shape[:2], bool)
        return self._fill(known, hidden, y, rng, temperature, batch_size)

    def complete(
        self, images, mask, labels=None, copies=1, seed=None, temperature=1.0, batch_size=64
    ):
        """Images whose hidden pixels are drawn given all that comes before them in scan order.

        What is shown comes back quantised, with 2 levels binarized once for all copies. What is
        shown after a hidden pixel stays, and has no influence on it.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: int array (num,) or one int, for a conditional model.
            copies: int. Completions of each image.
            seed: int or None. The same seed gives the same images; None draws one.
            temperature: float above 0. Divides the logits: below 1 likelier pixels.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].
        """
        x = self.prepare_images(images)
        y = self.prepare_labels(labels, len(x))
        mask = np.asarray(mask)
        shapes = (self.image_shape[:2], (len(x), *self.image_shape[:2]))
        if mask.shape not in shapes or mask.dtype != bool:
            raise ValueError(
                f"Expected a bool mask of shape {shapes[0]} or {shapes[1]}, True where a pixel is "
                f"hidden. Received: {mask.dtype} of shape {mask.shape}"
            )
        if copies < 1:
            raise ValueError(f"Expected copies of at least 1. Received: copies={copies}")
        rng = np.random.default_rng(draw_seed(seed))
        known = np.repeat(ops.convert_to_numpy(self._quantised(x, rng)), copies, axis=0)
        y = None if y is None else np.repeat(y, copies)
        if mask.ndim == 3:
            mask = np.repeat(mask, copies, axis=0)
        images = self._fill(known, mask, y, rng, temperature, batch_size)
        return images.reshape(len(x), copies, *self.image_shape)

    def _fill(self, known, hidden, y, rng, temperature, batch_size):
        """Draws the hidden pixels of integer images, some images and rows of them at a time."""
        if not temperature > 0:
            raise ValueError(f"Expected temperature above 0. Received: {temperature=}")
        if batch_size < 1:
            raise ValueError(f"Expected batch_size of at least 1. Received: {batch_size=}")
        num, height = known.shape[:2]
        given = {
            "uniform": rng.random(known.shape, dtype="float32"),
            "known": np.where(hidden[..., None], -1, known).astype("float32"),  # -1: hidden
        }
        # Batches and blocks of rows of one size each, so that nothing compiles twice.
        batch_size = min(batch_size, num)
        rows = math.ceil(height / math.ceil(height / ROWS_AT_A_TIME))
        padding = [(0, -num % batch_size), (0, -height % rows), (0, 0), (0, 0)]
        given = {name: np.pad(array, padding) for name, array in given.items()}
        y = None if y is None else np.pad(y, padding[:1])
        made = np.zeros(given["known"].shape, "float32")
        temperature = np.float32(temperature)
        starts = [(i, j) for i in range(0, len(made), batch_size) for j in range(0, height, rows)]
        for i, j in with_progress(starts):
            batch, block = slice(i, i + batch_size), slice(j, j + rows)
            if j == 0:
                memory = self.compiled_function(self._start)(given["uniform"][batch, :1])
            part = {name: array[batch, block] for name, array in given.items()}
            values, memory = self.compiled_function(self._make_rows)(
                part, None if y is None else y[batch], temperature, memory
            )
            made[batch, block] = ops.convert_to_numpy(values)
        return made[:num, :height]

    def _start(self, like):
        return self.network.start(ops.shape(like)[0])

    def _make_rows(self, given, y, temperature, memory):
        def logits(outputs, color):
            return ops.cast(outputs[:, color :: self.image_shape[-1]], "float32")

        def choose_of_two(outputs, color, threshold):
            return ops.where(logits(outputs, color) > threshold, 1.0, -1.0)

        def choose(outputs, color, uniform, known):
            """The level whose interval of the distribution function the number falls into."""
            p = ops.softmax(logits(outputs, color) / temperature, axis=-1)
            below = ops.cumsum(p, axis=-1)[:, :-1] <= uniform
            value = ops.sum(ops.cast(below, "float32"), axis=-1, keepdims=True)
            value = ops.where(known < 0, value, known)
            return value * (2.0 / (self.levels - 1)) - 1.0

        uniform, known = given["uniform"], given["known"]
        if self.levels == 2:
            # uniform < sigmoid(logit / temperature), for the logit; of all pixels at once.
            threshold = temperature * (ops.log(uniform) - ops.log1p(-uniform))
            threshold = ops.where(known < 0, threshold, ops.where(known > 0, -np.inf, np.inf))
            x, memory = self.network.generate(choose_of_two, [threshold], memory, y)
        else:
            x, memory = self.network.generate(choose, [uniform, known], memory, y)
        return 0.5 * (x + 1.0), memory

    def signatures(self):
        def fill(known, y, noise):
            given = {"uniform": Draws(noise).random(ops.shape(known)), "known": known}
            return self._make_rows(given, y, 1.0, self._start(known))[0]

        def generate(y, noise):
            return {"image": fill(-ops.ones((noise.num, *self.image_shape)), y, noise)}

        def complete(y, image, mask, noise):
            known = ops.cast(self._quantised(image, noise and Draws(noise)), "float32")
            return {"image": fill(ops.where(mask[..., None], -1.0, known), y, noise)}

        def log_likelihood(y, image, noise=None):
            nats = self._log_likelihood(self._quantised(image, noise and Draws(noise)), y)
            return {"nats": nats, "bits_per_dim": bits_per_dim(-nats, self.image_shape)}

        image, seed = {"image": self.image_input}, {"seed": fields.Seed()}
        mask = {"mask": fields.Mask(self.image_shape[:2])}
        return super().signatures() | {
            "generate": (generate, seed),
            "complete": (complete, image | mask | seed),
            # Binarization alone is random.
            "log_likelihood": (log_likelihood, image | seed if self.levels == 2 else image),
        }

    def _check_images(self, x):
        super()._check_images(x)
        is_integer = np.issubdtype(x.dtype, np.integer)
        if is_integer and 0 < x.max() < self.levels <= 32:
            self._tell_once(
                "integers",
                f"The images are integers up to {x.max()}, which count as of 255. If they are "
                f"the model's {self.levels} levels, divide them by {self.levels - 1}.",
            )
        if self.levels == 2:
            return
        in_255 = x if is_integer else 255.0 * x
        is_8_bit = np.abs(in_255 - np.rint(in_255)).max() < 1e-3
        step = (self.levels - 1) / 255
        distance = np.abs(in_255 * step - np.rint(in_255 * step)).max()
        if distance > (0.5 * step if is_8_bit else 0.0) + 1e-3:  # more than 8 bits round
            self._tell_once(
                "between",
                f"The images have values between the {self.levels} levels: the model sees the "
                "nearest.",
            )

    def _tell_once(self, kind, message):
        if kind not in self._told:
            self._told.append(kind)
            warn(message)

    def get_config(self):
        return super().get_config() | {
            "levels": self.levels,
            "network": self.network,
            "filters": self.filters,
            "blocks": self.blocks,
        }
