"""The family of models of single images, with or without a label each."""

import contextlib

import keras
import numpy as np
from keras import ops

from kgen import fields
from kgen.models.generative_model import GenerativeModel, to_unit_range


class ImageModel(GenerativeModel):
    """A model of images of one size, conditional on a class where `num_classes` is given.

    `fit` and `evaluate` take what Keras takes: arrays of images and labels, tf.data, PyDataset,
    torch DataLoader. Images are floats in [0, 1] or integers in 0..255, of shape (batch, height,
    width, channels); labels are integers of shape (batch,), ignored by an unconditional model.

    Args:
        image_shape: tuple (height, width, channels).
        num_classes: int or None. With it the model is conditional and labels are required.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    def __init__(self, image_shape, num_classes=None, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.image_shape = tuple(image_shape)
        self.num_classes = num_classes
        self.condition = None if num_classes is None else fields.Label(num_classes)
        if len(self.image_shape) != 3 or min(self.image_shape) < 1:
            raise ValueError(
                "Expected image_shape=(height, width, channels) of at least 1 each. Received: "
                f"image_shape={image_shape}"
            )

    def check_inputs(self, x, y):
        self._check_images(x)
        if self.num_classes is not None:
            self._check_labels(y, len(x))

    def _check_images(self, x):
        if not isinstance(x, np.ndarray):
            raise ValueError(
                "Expected images as one array or tensor, or batches `(images, labels)`. "
                f"Received: {type(x).__name__}"
            )
        if x.ndim != 4 or x.shape[1:] != self.image_shape:
            hint = ""
            if x.shape[1:] == self.image_shape[:2] and self.image_shape[-1] == 1:
                hint = " Add the channel axis: images[..., None]."
            elif x.ndim == 4:
                hint = " Resize the images, or build the model for image_shape=" + str(x.shape[1:])
            raise ValueError(
                f"Expected images of shape (batch, {', '.join(map(str, self.image_shape))})."
                f"{hint} Received: an array of shape {x.shape}"
            )
        if x.size == 0:
            raise ValueError(f"Expected at least one image. Received: an array of shape {x.shape}")
        low, high = x.min(), x.max()
        if np.issubdtype(x.dtype, np.floating) and not np.isfinite(low + high):
            raise ValueError("Expected finite images. Received: NaN or infinity among the pixels.")
        top = 255 if np.issubdtype(x.dtype, np.integer) else 1
        if low < 0 or high > top:
            raise ValueError(
                "Expected images of floats in [0, 1] or integers in 0..255. Rescale them, for "
                f"example images / 255. Received: {x.dtype} images in [{low}, {high}]"
            )

    def _check_labels(self, y, num):
        if y is None:
            raise ValueError(
                f"Expected labels in 0..{self.num_classes - 1}, as the model has "
                f"num_classes={self.num_classes}. Received: no labels."
            )
        if y.shape != (num,) or not np.issubdtype(y.dtype, np.integer):
            raise ValueError(
                f"Expected {num} integer labels of shape ({num},). Received: {y.dtype} labels of "
                f"shape {y.shape}"
            )
        if num and (y.min() < 0 or y.max() >= self.num_classes):
            raise ValueError(
                f"Expected labels in 0..{self.num_classes - 1}. Received: labels in "
                f"{y.min()}..{y.max()}"
            )

    def adapt(self, images):
        """Fits to the training images what the paper's model has before training; mostly nothing.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255,
                or batches of them such as `kgen.data.load("digits").train`.
        """

    def prepare_images(self, images):
        """The images of a verb, checked, as a float32 NumPy array in [0, 1]."""
        images = np.asarray(images)
        self._check_images(images)
        return ops.convert_to_numpy(to_unit_range(images))

    def prepare_labels(self, labels, num):
        """The labels of a verb, checked, as int32 of shape (num,); None if unconditional."""
        if self.num_classes is None:
            if labels is not None:
                raise ValueError(
                    "Expected no labels, as the model is unconditional: it has no num_classes. "
                    f"Received: labels={labels!r:.80}"
                )
            return None
        if labels is not None:
            labels = np.broadcast_to(labels, (num,)) if np.ndim(labels) == 0 else np.array(labels)
        self._check_labels(labels, num)
        return labels.astype("int32")

    def signatures(self):
        """What a served model answers: a function and its inputs by the signature's name.

        The function takes the labels y, (batch,) or None, and by name the tensors of its inputs,
        the batch first; it returns a dict of tensors, row i of row i alone. In place of "seed",
        an integer an image, it gets `noise`, a generator with the draws of NumPy's and their
        number `num`. Wherever an "image" goes in, another signature takes it as a file; where the
        name starts with "generate", another gives its "image" as PNG.

        Returns:
            dict of (function, dict of `kgen.serving.Input` by name) by name.
        """
        return {}

    @property
    def image_input(self):
        """An image as an input of a signature."""
        return fields.Image(self.image_shape)

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

    def get_config(self):
        return super().get_config() | {
            "image_shape": self.image_shape,
            "num_classes": self.num_classes,
        }


@contextlib.contextmanager
def preset_dtype(policy):
    """Layers built inside have a model's dtype policy, as `dtype=` asks for."""
    outside = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(outside)
