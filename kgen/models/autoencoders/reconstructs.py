"""The family of models that make a code of an image and the image of it again."""

import numpy as np
from keras import ops

from kgen import pictures
from kgen.models.latent_model import Encodes, LatentModel


class Reconstructs(Encodes, LatentModel):
    """A model of codes that encodes and decodes, and what both answer together.

    A subclass says in `_encode(x, y, training)` and `_decode(z, y, training)` how, as tensors.
    """

    def _reconstruct(self, x, y, training=False):
        return self._decode(self._encode(x, y, training=training), y, training=training)

    def __call__(self, inputs, *others, **kwargs):
        is_pair = isinstance(inputs, (list, tuple))
        if others or is_pair != (self.condition is not None) or (is_pair and len(inputs) != 2):
            takes = "images" if self.condition is None else "[images, labels]"
            raise ValueError(
                f"Expected model({takes}, training=...) or a verb, as reconstruct(images, labels). "
                f"Received: {[type(each).__name__ for each in (inputs, *others)]}"
            )
        x, y = inputs if is_pair else (inputs, None)
        if isinstance(x, np.ndarray):
            x, y = self.check_inputs(x, y)
        return super().__call__([x, y] if is_pair else x, **kwargs)

    def call(self, inputs, training=False):
        """Reconstructs images, or `[images, condition]`, inside another Keras model.

        NumPy arrays are checked as `fit` checks them, tensors are not.
        """
        x, y = (inputs, None) if self.condition is None else inputs
        return self._reconstruct(*self.inputs(x, y), training=training)

    def predict(self, x, batch_size=None, verbose="auto"):
        """`reconstruct` by Keras' name, of arrays; of a conditional model's `[images, labels]`."""
        is_pair = isinstance(x, (list, tuple)) and len(x) == 2
        images, labels = x if self.condition is not None and is_pair else (x, None)
        return self.reconstruct(images, labels, batch_size=batch_size or 256)

    def reconstruct(self, images, labels=None, *, batch_size=256):
        """Images encoded and decoded again.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.answer("reconstruct", labels, batch_size=batch_size, image=images)["image"]

    def _read_network(self, network, x, y, training):
        return ops.cast(network(self.join(x, y), training=training), "float32")

    def report(self, data):
        images, labels = self.examples(data, 32)
        picture = pictures.reconstructions(self, images, labels)
        return super().report(data) | {"reconstructions.png": picture}

    def signatures(self):
        def reconstruct(y, image):
            return {"image": self._reconstruct(image, y)}

        return super().signatures() | {"reconstruct": (reconstruct, {"image": self.image})}
