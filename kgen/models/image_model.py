"""The family of models of single images, each with a condition or not."""

import contextlib

import keras
import numpy as np
from keras import ops

from kgen import checks, fields, pictures
from kgen.checks import whole_number
from kgen.fields import Image, Label, Seed
from kgen.models.generative_model import GenerativeModel, to_unit_range
from kgen.models.in_batches import in_batches
from kgen.models.kept import is_rebuilt
from kgen.noise import SeededNoise
from kgen.seeds import seed_words, seeds_of
from kgen.warn import warn

for _field in (
    fields.Attributes,
    fields.CodeMap,
    fields.FeatureMap,
    fields.Image,
    fields.Label,
    fields.Mask,
    fields.PartialLabel,
    fields.Seed,
    fields.Tokens,
    fields.Vector,
):
    keras.saving.register_keras_serializable("kgen")(_field)


class ImageModel(GenerativeModel):
    """A model of images of one size, conditional on something where `condition` is given.

    `fit` and `evaluate` take what Keras takes: arrays of images and conditions, tf.data, PyDataset,
    torch DataLoader. Images are floats in [0, 1] or integers in 0..255, of shape (batch, height,
    width, channels); conditions are as their field says, labels for one integers of shape (batch,).
    An unconditional model ignores them.

    Args:
        image_shape: tuple (height, width, channels).
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional and what it
            describes is required.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    is_conditional = False  # whether it is never made without a condition

    def __init__(self, image_shape, num_classes=None, condition=None, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.image_shape = checks.image_shape("image_shape", image_shape)
        self.image = Image(self.image_shape)
        num_classes = whole_number("num_classes", num_classes, optional=True)
        if condition is None and num_classes is not None:
            condition = Label(num_classes)
        if condition is not None and not isinstance(condition, fields.Field):
            raise ValueError(
                "Expected condition as a kgen.fields.Field, such as kgen.fields.Label(10) for 10 "
                f"classes. Received: {condition=}"
            )
        of_condition = getattr(condition, "num_classes", None)
        if num_classes not in (None, of_condition):
            raise ValueError(
                "Expected num_classes, or a condition, or both of the same classes. Received: "
                f"{num_classes=}, {condition=}"
            )
        self.condition = condition
        self.num_classes = of_condition
        self._told = set()

    def check_inputs(self, x, y):
        x = _plain(self.image, self.image.require(x))
        self.tell_of_integers(x)
        field = self.trained_on
        return x, None if field is None else _plain(field, field.require_rows(y, len(x)))

    def inputs(self, x, y):
        field = self.trained_on
        return to_unit_range(x), None if field is None else _tensor(field, y)

    @property
    def trained_on(self):
        """The field of what `fit` takes beside images, or None if it ignores it."""
        return self.condition

    def tell_of_integers(self, x):
        """Warns, once, of images of 0 and 1 as integers, which are nearly black."""
        if x.dtype.kind in "iu" and x.max() == 1:
            self.tell_once(
                "integers",
                "The images are integers up to 1, which count as of 255. If 1 is white, they are "
                "images.astype(bool).",
            )

    def tell_once(self, kind, message):
        """Warns of the data, once of each kind."""
        if not self.has_told(kind):
            self._told.add(kind)
            warn(message)

    def has_told(self, kind):
        """Whether `tell_once` warned of this."""
        return kind in self._told

    def adapt(self, images):
        """Fits to the training images what the paper's model has before training; mostly nothing.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`.
        """

    def mean_image(self, images):
        """The mean of an array or batches of images, of which the first 10,000 count, float64."""
        total, num = 0.0, 0
        for x, _ in self.first_batches(images):
            total, num = total + x.sum(axis=0, dtype="float64"), num + len(x)
        return total / num

    def first_images(self, images):
        """The images of an array or of batches, of these the first 10,000, in [0, 1]."""
        return np.concatenate([x for x, _ in self.first_batches(images)])

    def first_batches(self, images, most=10_000, condition=None):
        """Yields the first images of an array or of batches, in [0, 1], with their conditions.

        Args:
            images: array or batches of images, in batches with conditions or without.
            most: int. How many images in all.
            condition: `kgen.fields.Field`, whose values are asked for, or None.
        """
        num = 0
        for batch in [images] if hasattr(images, "shape") else images:
            x, *y = batch if isinstance(batch, (list, tuple)) else (batch,)
            x = self.image.check(x)[: most - num]
            if condition is not None and not y:
                raise ValueError(
                    f"Expected images with {condition.what} for a conditional model, as batches "
                    "(images, labels) such as kgen.data.load gives. Received: images alone"
                )
            yield x, None if condition is None else condition.rows(y[0], len(batch[0]))[: len(x)]
            num += len(x)
            if num >= most:
                break
        if num == 0:
            raise ValueError("Expected images, an array or batches of them. Received: none")

    def join(self, x, y):
        """A network's input: `x`, or `[x, condition]` for a conditional model."""
        return x if self.condition is None else [x, y]

    def conditions(self, labels, num):
        """The conditions of a verb, checked, as the networks take them; None if unconditional.

        Args:
            labels: array (num, ...) as the condition's field says, or one for all.
            num: int.
        """
        if self.condition is None:
            if labels is not None:
                raise ValueError(
                    "Expected no labels, as the model is unconditional: it has no num_classes or "
                    f"condition. Received: labels={labels!r:.80}"
                )
            return None
        return self.condition.rows(labels, num)

    def answer(self, signature, labels=None, *, batch_size=256, **given):
        """What the model answers to one of its `signatures`, in process as on a server.

        Args:
            signature: str. Its name.
            labels: the conditions, or one for all.
            batch_size: int. Rows at a time.
            **given: arrays by the signature's names, checked by its fields.

        Returns:
            dict of NumPy arrays by name, with a row each.
        """
        function, inputs = self.signatures()[signature]
        rows = {
            name: field.check(given[name], field.what if name == "image" else name)
            for name, field in inputs.items()
        }
        return self.run(function, rows, labels, batch_size=batch_size)

    def run(self, function, rows, labels=None, *, show_progress=True, batch_size=256, **static):
        """A function of tensors over rows of any number, compiled once.

        Args:
            function: callable of the condition y, (batch, ...) or None, and of each of `rows` by
                name, "noise" in place of "seed"; it changes no variable.
            rows: dict of arrays (num, ...) by name.
            labels: the conditions, or one for all.
            show_progress: bool. Show a bar when it takes long.
            batch_size: int. Rows at a time.
            **static: further arguments of `function` that are not tensors.

        Returns:
            What `function` returns, as NumPy arrays of all rows.
        """
        num = len(next(iter(rows.values())))
        if "seed" in rows:
            rows = rows | {"seed": seed_words(rows["seed"])}
        arrays = {"y": self.conditions(labels, num)} | rows
        compiled = self.compiled_function(_with_noise(function), **static)
        return in_batches(compiled, arrays, batch_size, show_progress)

    def signatures(self):
        """What a served model answers: a function and its inputs by the signature's name.

        The function takes the condition y, (batch, ...) or None, and by name the tensors of its
        inputs, the batch first; it returns a dict of tensors, row i of row i alone. In place of
        "seed" it gets `noise`, a `kgen.noise.SeededNoise`, whose number of rows is `noise.num`.
        Wherever an "image" goes in, another signature takes it as a file; where the name starts
        with "generate", another gives its "image" as PNG.

        Returns:
            dict of (function, dict of `kgen.fields.Field` by name) by name.
        """
        return {}

    def report(self, data):
        """Pictures of what the model learned, for whoever trained it.

        Args:
            data: `kgen.data.Dataset` that it was trained on.

        Returns:
            dict of PIL.Image.Image by the name of a file.
        """
        return {}

    def examples(self, data, num):
        """The first test images, and their conditions or None.

        Args:
            data: `kgen.data.Dataset`.
            num: int.
        """
        images, *conditions = data.test.take(whole_number("num", num))
        return images, None if self.condition is None else conditions[0]

    def picture_of_samples(self, data):
        """A grid of samples, a row for each class or for some conditions of test images."""
        return pictures.samples(self, 64, self.conditions_to_show(data), seed=0)

    def conditions_to_show(self, data):
        """Conditions of some test images, unless the model is of classes or has none."""
        if self.condition is None or self.num_classes is not None:
            return None
        return self.examples(data, 8)[1]

    def lower_half(self):
        """A mask of the lower half of the image, bool (height, width)."""
        height, width, _ = self.image_shape
        return np.arange(height)[:, None].repeat(width, axis=1) >= (height + 1) // 2

    def export(self, path, version=None, about=None):
        """Writes a SavedModel for TensorFlow Serving, with the signatures of docs/serving.md.

        It is made by TensorFlow, in a process of its own whatever the backend, of stock operations
        and averaged weights alone: neither Keras nor kgen is needed to load it. It appears whole
        or not at all, so a server may watch the folder. Prints what was written, and how to serve
        it.

        Args:
            path: str. The model's folder; its last part is the model's name on the server. Beside
                it lie `models.config` and `batching.config`.
            version: int of at least 1. Defaults to the next after those that are there.
            about: str or None. What the model card says of data, training and figures, in Markdown.

        Returns:
            The path of the version.

        Raises:
            FileExistsError: there is such a version already.
            ImportError: TensorFlow is not installed.
            RuntimeError: TensorFlow could not make it; its words are in the message.
        """
        from kgen.export.versions import export_model

        return export_model(self, path, version, about)

    def published(self):
        """A copy without what is for training alone, as `kgen publish` writes it."""
        copy = type(self).from_config(self.get_config())
        copy.set_weights(self.get_weights())
        return copy

    def get_config(self):
        return super().get_config() | {
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
            "condition": self.condition,
        }

    def set_sizes(self, *networks, **sizes):
        """Sets attributes that size the presets, unless the user gave networks in their place.

        Args:
            *networks: what was given in the presets' place, None for a preset.
            **sizes: what was given to size them, None for the default.
        """
        for name, size in sizes.items():
            setattr(self, name, whole_number(name, size, optional=True))
        given = {name: size for name, size in sizes.items() if size is not None}
        if given and None not in networks and not is_rebuilt():
            raise ValueError(
                f"Expected no {' or '.join(given)} with networks of your own, as they size the "
                f"presets. Received: {given}"
            )


class Samples:
    """An image model that can sample. A subclass says in `_generate(y, noise)` how, as tensors."""

    def _generate(self, y, noise):
        """Images in [0, 1], one for each of `noise.num` rows.

        Args:
            y: the condition (num, ...), or None.
            noise: `kgen.noise.SeededNoise`.
        """
        raise NotImplementedError

    def sample(self, num, labels=None, *, seed=None, batch_size: int = 256):
        """Images that the model makes up.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.answer("generate", labels, batch_size=batch_size, seed=seeds_of(seed, num))[
            "image"
        ]

    def report(self, data):
        return super().report(data) | {"samples.png": self.picture_of_samples(data)}

    def signatures(self):
        def generate(y, noise):
            return {"image": self._generate(y, noise)}

        return super().signatures() | {"generate": (generate, {"seed": Seed()})}


def _plain(field, array):
    """Rows of a field, of a type that every backend knows."""
    if array.dtype.kind in "iu":
        return array.astype("uint8" if field.scale else field.dtype, copy=False)
    is_known = array.dtype.kind == "b" or array.dtype in ("float16", "float32", "float64")
    return array if is_known else array.astype("float32")


def _tensor(field, y):
    """Conditions of a batch as the networks take them."""
    is_integer = "int" in keras.backend.standardize_dtype(y.dtype)
    y = ops.cast(y, field.dtype)
    return y / field.scale if field.scale and is_integer else y


def _with_noise(function):
    """A function of rows by name, of which "seed" are words, as one of a dict."""

    def call(rows, **static):
        rows = dict(rows)
        if "seed" in rows:
            rows["noise"] = SeededNoise(rows.pop("seed"))
        return function(**rows, **static)

    return call


@contextlib.contextmanager
def preset_dtype(policy):
    """Layers built inside have a model's dtype policy, as `dtype=` asks for."""
    outside = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(outside)
