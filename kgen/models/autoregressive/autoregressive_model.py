"""The family of models that make an image pixel by pixel, each given all before it."""

import math

import keras
import numpy as np
from keras import ops

from kgen import distributions, pictures
from kgen.checks import number, whole_number
from kgen.distributions.categorical import MOST_LEVELS
from kgen.fields import Mask, Seed
from kgen.losses import bits_per_dim
from kgen.models.average import Average, without_average
from kgen.models.image_model import ImageModel, preset_dtype
from kgen.models.in_batches import size_of_batches, with_progress
from kgen.models.levels import OfLevels
from kgen.models.scalar import ScalarOf
from kgen.networks import CausalNetwork
from kgen.seeds import seeds_of

ROWS_AT_A_TIME = 8  # after which the progress is shown


class AutoregressiveModel(OfLevels, ImageModel):
    """A model of p(x) = prod_i p(x_i | x_1 ... x_(i-1)), pixels row by row and colours in turn.

    It minimises -log p(x), exact, summed over pixels and averaged over the batch, in nats.

    Args:
        image_shape: tuple (height, width, channels).
        levels: int. Values of a pixel and colour. With 2 grey images are binarized anew each time
            they are seen, 256 is exact for 8-bit images, any number between quantises.
        network: `kgen.networks.CausalNetwork` from images in [-1, 1] to the likelihood's
            parameters, (batch, height, width, `num_outputs`), or None for the preset.
        preset: callable that makes the network where none is given, of the image's shape, the
            distribution, the condition and what of `sizes` is not None.
        sizes: dict. Arguments of `preset`, attributes of the model too.
        likelihood: p(x_i | x_1 ... x_(i-1)), "bernoulli", "categorical", "logistic_mixture" or an
            object of `kgen.distributions`. Defaults to "bernoulli" for 2 levels, else
            "categorical", or where `couples_colors` "logistic_mixture".
        ema_decay: float, a Keras schedule or None. Keeps an average of the weights, for the verbs.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, or None.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    default_batch_size = 16
    network_classes = (CausalNetwork,)
    couples_colors = False  # whether the preset sees no colour of the pixel itself
    ema_decay = ScalarOf(lambda model: model.average, "decay")

    def __init__(
        self,
        image_shape,
        levels=256,
        network=None,
        preset=None,
        sizes=None,
        likelihood=None,
        ema_decay=None,
        num_classes=None,
        condition=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape, num_classes=num_classes, condition=condition, seed=seed, **kwargs
        )
        self.levels = whole_number("levels", levels, at_least=2, at_most=MOST_LEVELS)
        self.likelihood = likelihood
        self.distribution = _distribution(likelihood, self.levels, self.couples_colors)
        self.set_sizes(network, **(sizes or {}))
        if network is None:
            given = {name: getattr(self, name) for name in sizes or {} if sizes[name] is not None}
            with preset_dtype(self.dtype_policy):
                network = preset(
                    self.image_shape, self.distribution, condition=self.condition, **given
                )
        self.network = network
        self._check_network()
        self.average = None
        if ema_decay is not None:
            self.average = Average(network, ema_decay, inputs=network.symbolic_inputs())
        if self.has_bits_per_dim:
            self.add_logs("bits_per_dim")

    @property
    def num_outputs(self):
        """Numbers that the network gives for a pixel."""
        return self.distribution.num_outputs(self.image_shape[-1])

    def averaged(self):
        """The network that the verbs go through; no property, by which files would name it."""
        return self.network if self.average is None else self.average.network

    def _check_network(self):
        condition, network = self.condition, self.network
        coupled = self.distribution.coupled
        if self.image_shape[-1] > 1 and getattr(network, "sees_colors", None) is coupled:
            raise ValueError(
                f"Expected coupled={not coupled}, as the network's outputs of a colour "
                + ("know" if coupled else "do not know")
                + " the pixel's colours before it. Received: a likelihood that is "
                + ("coupled" if coupled else "not coupled")
            )
        expected = self.image_shape, (*self.image_shape[:2], self.num_outputs), condition
        received = None
        if isinstance(network, self.network_classes):
            outputs, own = network(network.symbolic_inputs()), network.condition
            if own is not None and condition is not None and own.takes_as(condition):
                own = condition  # with other names
            received = network.image_shape, outputs.shape[1:], own
        if received != expected:
            described = "from {} to {}, with condition={}"
            classes = " or ".join(each.__name__ for each in self.network_classes)
            raise ValueError(
                f"Expected a kgen.networks.{classes} {described.format(*expected)}. Received: "
                f"network={network.name} {described.format(*received) if received else network!r}"
            )

    def players(self):
        return {"network": [self.network]}

    def default_optimizers(self):
        return {"network": keras.optimizers.Adam(1e-3, name="network")}

    def training_step(self, x, y, noise):
        self.minimize(self.negative_log_likelihood, "network", x, y, noise)
        self.update_average(self.steps + 1)

    def update_average(self, step):
        """Moves the average of the weights, if there is one, after so many updates of them."""
        if self.average is not None:
            self.average.update(self.network, step)

    def evaluation_step(self, x, y, noise):
        self.negative_log_likelihood(x, y, noise, training=False)

    def negative_log_likelihood(self, x, y, noise, training=True):
        """The loss on one batch of images in [0, 1]; logs it."""
        nll = self._nll(self.distribution.observe(x, noise), y, training)
        self.log(loss=nll, **self._in_bits(nll))
        return ops.mean(nll)

    @property
    def binarizes(self):
        return self.levels == 2

    @property
    def has_bits_per_dim(self):
        """Whether bits/dim are reported: binarized images have less to tell than others."""
        return self.levels > 2

    def _in_bits(self, nll):
        return (
            {"bits_per_dim": bits_per_dim(nll, self.image_shape)} if self.has_bits_per_dim else {}
        )

    def _outputs(self, x, y, training=False):
        """The likelihood's parameters at each pixel of images in [0, 1]."""
        network = self.network if training else self.averaged()
        return ops.cast(network(self.join(2.0 * x - 1.0, y), training=training), "float32")

    def _nll(self, x, y, training=False):
        return self.distribution.nll(x, self._outputs(x, y, training))

    def figures(self, logs):
        """The log-likelihood in nats an image, and bits/dim."""
        return {"log_likelihood": -logs["loss"]} | {k: v for k, v in logs.items() if k != "loss"}

    def log_likelihood(self, images, labels=None, *, seed=None, batch_size=100):
        """The log-likelihood log p(x) of each image, exact.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            seed: int, None, which draws one, or an int array (num,). Seeds the binarization of grey
                images, with 2 levels.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        self.image.check(images)
        self.tell_of_levels(np.asarray(images))
        given = {"image": images} | self._seed(seed, len(images))
        return self.answer("log_likelihood", labels, batch_size=batch_size, **given)["nats"]

    def _seed(self, seed, num):
        return {"seed": seeds_of(seed, num)} if self.levels == 2 else {}

    def sample(
        self, num, labels=None, *, temperature: float = 1.0, seed=None, batch_size: int = 64
    ):
        """Images, pixel by pixel from p(x_i | x_1 ... x_(i-1)).

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            temperature: float above 0. Divides the logits: below 1 likelier pixels.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others, but for a pixel now and then
                whose number falls on an edge.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        rows = {"seed": seeds_of(seed, num)}
        y = self.conditions(labels, num)
        return self._fill(self.what_draws, rows, y, temperature, batch_size)

    def complete(
        self,
        images,
        mask,
        labels=None,
        *,
        copies: int = 1,
        temperature: float = 1.0,
        seed=None,
        batch_size: int = 64,
    ):
        """Images whose hidden pixels are drawn given all that comes before them in their order.

        That is row by row, or the network's own; of several it is drawn for each copy, whatever is
        shown. What is shown comes back quantised, with 2 levels binarized by each copy's own seed.
        What is shown after a hidden pixel stays, and has no influence on it.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            copies: int. Completions of each image.
            temperature: float above 0. Divides the logits: below 1 likelier pixels.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].
        """
        x = self.image.check(images)
        self.tell_of_levels(np.asarray(images))
        copies = whole_number("copies", copies)
        rows = {
            "image": np.repeat(x, copies, axis=0),
            "mask": np.repeat(Mask(self.image_shape[:2]).rows(mask, len(x)), copies, axis=0),
            "seed": seeds_of(seed, len(x), copies),
        }
        y = self.conditions(labels, len(x))
        y = None if y is None else np.repeat(y, copies, axis=0)
        images = self._fill(self._shown, rows, y, temperature, batch_size)
        return images.reshape(len(x), copies, *self.image_shape)

    def what_draws(self, y, noise):
        """What is known of images of which nothing is shown, and the numbers that draw them."""
        known = -ops.ones((noise.num, *self.image_shape))
        return {"uniform": self._uniform(noise), "known": known} | self._order(noise)

    def _order(self, noise):
        """The order that each image is made in, where there are several."""
        if not self._is_ordered:
            return {}
        return {"order": noise.integers((noise.num,), 0, len(self.network.orders))}

    @property
    def _is_ordered(self):
        return getattr(self.network, "reorders", False)

    def _arranged(self, images, order, table):
        """The numbers of images as a row of `table` for each has them."""
        flat = ops.reshape(images, (-1, math.prod(self.image_shape)))
        index = ops.take(ops.convert_to_tensor(table), order, axis=0)
        return ops.reshape(ops.take_along_axis(flat, index, axis=1), ops.shape(images))

    def _uniform(self, noise):
        *size, colors = self.image_shape
        return noise.uniform((noise.num, *size, colors * self.distribution.uniforms))

    def _shown(self, y, image, mask, noise):
        """What is known of images of which a part is shown, -1 where nothing is."""
        known = self.distribution.observe(image, noise)
        known = ops.where(mask[..., None], -1.0, known)
        given = {"uniform": self._uniform(noise)} | self._order(noise)
        if "order" in given:
            known = self._arranged(known, given["order"], self.network.orders)
        return given | {"known": known}

    def _fill(self, start, rows, y, temperature, batch_size):
        """Draws the hidden pixels of images of which `start` says what is known."""
        given = self.run(start, rows, y, show_progress=False, batch_size=batch_size)
        condition = (lambda images: None) if y is None else y.__getitem__
        return self.made(given, condition, temperature, batch_size)

    def made(self, given, condition, temperature, batch_size):
        """Images, some of them and of their rows at a time.

        Args:
            given: dict of arrays, as `what_draws` gives them.
            condition: callable from the numbers of some images, an int array, to their conditions,
                or to None.
            temperature: float above 0.
            batch_size: int.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        temperature = np.float32(number("temperature", temperature, above=0))
        batch_size = whole_number("batch_size", batch_size)
        given = dict(given)
        num, height = len(given["known"]), self.image_shape[0]
        # Batches and blocks of rows of one size each, so that nothing compiles twice.
        batch_size = size_of_batches(num, batch_size)
        order = given.pop("order", None)
        period = self.network.period
        num_blocks = math.ceil(height / max(ROWS_AT_A_TIME, period))
        block_rows = period * math.ceil(height / num_blocks / period)
        padding = [(0, -num % batch_size), (0, -height % block_rows), (0, 0), (0, 0)]
        order = None if order is None else np.pad(order, padding[:1])
        given = {name: np.pad(array, padding) for name, array in given.items()}
        made = np.zeros(given["known"].shape, "float32")
        starts = [
            (i, j) for i in range(0, len(made), batch_size) for j in range(0, height, block_rows)
        ]
        for i, j in with_progress(starts):
            batch, block = slice(i, i + batch_size), slice(j, j + block_rows)
            if j == 0:
                own = None if order is None else order[batch]
                memory = self.compiled_function(self._start)(given["uniform"][batch, :1], own)
                y = condition(np.arange(i, i + batch_size).clip(max=num - 1))
            part = {name: array[batch, block] for name, array in given.items()}
            values, memory = self.compiled_function(self._make_rows)(part, y, temperature, memory)
            made[batch, block] = ops.convert_to_numpy(values)
        made = made[:num, :height]
        if order is not None:
            made = self._arranged(made, order[:num], self.network.ranks)
        return ops.convert_to_numpy(made)

    def _start(self, like, order=None):
        return self.averaged().start(ops.shape(like)[0], *([] if order is None else [order]))

    def _make_rows(self, given, y, temperature, memory):
        distribution = self.distribution

        def choose(outputs, before, *given):
            outputs = ops.cast(outputs, "float32")
            return 2.0 * distribution.draw(outputs, before, temperature, *given) - 1.0

        uniform, known = (ops.cast(given[name], "float32") for name in ("uniform", "known"))
        given = distribution.prepare(uniform, known, temperature)
        x, memory = self.averaged().generate(choose, given, memory, y)
        return 0.5 * (x + 1.0), memory

    def report(self, data):
        images, labels = self.examples(data, 8)
        hidden = self.lower_half()
        return super().report(data) | {
            "samples.png": self.picture_of_samples(data),
            "completions.png": pictures.completions(self, images, hidden, labels, seed=0),
        }

    def signatures(self):
        def fill(given, y):
            order = given.get("order")
            memory = self._start(given["known"], order)
            image = self._make_rows(given, y, ops.ones(()), memory)[0]
            if order is not None:
                image = self._arranged(image, order, self.network.ranks)
            return {"image": image}

        def generate(y, noise):
            return fill(self.what_draws(y, noise), y)

        def complete(y, image, mask, noise):
            return fill(self._shown(y, image, mask, noise), y)

        def log_likelihood(y, image, noise=None):
            nats = -self._nll(self.distribution.observe(image, noise), y)
            return {"nats": nats} | self._in_bits(-nats)

        image, seed = {"image": self.image}, {"seed": Seed()}
        mask = {"mask": Mask(self.image_shape[:2])}
        return super().signatures() | {
            "generate": (generate, seed),
            "complete": (complete, image | mask | seed),
            # Binarization alone is random.
            "log_likelihood": (log_likelihood, image | seed if self.levels == 2 else image),
        }

    def published(self):
        return super().published() if self.average is None else without_average(self, "network")

    def get_config(self):
        return super().get_config() | {
            "levels": self.levels,
            "network": self.network,
            "likelihood": self.likelihood,
            "ema_decay": self.ema_decay,
        }


def _distribution(likelihood, levels, coupled):
    """The distribution of pixels of so many levels."""
    if likelihood is None:
        many = "logistic_mixture" if coupled else "categorical"
        likelihood = "bernoulli" if levels == 2 else many
    makers = {
        "bernoulli": distributions.Bernoulli,
        "categorical": lambda: distributions.Categorical(levels),
        "logistic_mixture": lambda: distributions.LogisticMixture(levels=levels, coupled=coupled),
    }
    if isinstance(likelihood, str) and likelihood in makers:
        distribution = makers[likelihood]()
    elif hasattr(likelihood, "draw") and not isinstance(likelihood, type):
        distribution = likelihood
    else:
        raise ValueError(
            f"Expected likelihood in {list(makers)}, or an object of kgen.distributions that draws "
            f"levels. Received: likelihood={likelihood!r}"
        )
    if distribution.levels != levels:
        raise ValueError(
            f"Expected levels={distribution.levels}, as the likelihood has. Received: "
            f"{levels=}, {likelihood=}"
        )
    return distribution
