"""The families of models that make an image from a vector, and that draw this vector."""

import keras
import numpy as np
from keras import ops

from kgen.models.generative_model import draw_seed
from kgen.models.image_model import ImageModel


class LatentModel(ImageModel):
    """A model that decodes a latent vector z into an image.

    A subclass says in `_decode(z, y)` how, as tensors.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z.
        num_classes: int or None. With it the model is conditional and labels are required.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    def __init__(self, image_shape, latent_dim, num_classes=None, seed=None, **kwargs):
        super().__init__(image_shape, num_classes=num_classes, seed=seed, **kwargs)
        if latent_dim < 1:
            raise ValueError(f"Expected latent_dim of at least 1. Received: {latent_dim=}")
        self.latent_dim = latent_dim

    @property
    def code_size(self):
        """Length of what `decode` takes."""
        return self.latent_dim

    def join(self, x, y):
        """A network's input: `x`, or `[x, label]` for a conditional model."""
        return x if self.num_classes is None else [x, y]

    def check_network(self, name, input_shape, *output_shapes):
        """Raises a ValueError unless the network of this name maps between these shapes."""
        x = keras.KerasTensor((None, *input_shape))
        y = keras.KerasTensor((None,), dtype="int32")
        network = getattr(self, name)
        try:
            outputs = network(self.join(x, y))
        except ValueError as error:
            received = f"{name}={network.name}, which takes {network.input_shape}"
            raise ValueError(self._expected(name, input_shape, output_shapes, received)) from error
        shapes = [output.shape for output in keras.tree.flatten(outputs)]
        if shapes != [(None, *shape) for shape in output_shapes]:
            received = f"a {name} with an output of shape {', '.join(map(str, shapes))}"
            raise ValueError(self._expected(name, input_shape, output_shapes, received))

    def _expected(self, name, input_shape, output_shapes, received):
        def batch_of(shape):
            return f"(batch, {', '.join(map(str, shape))})"

        label = "" if self.num_classes is None else " and a label"
        outputs = " and ".join(map(batch_of, output_shapes))
        return (
            f"Expected {name} to map {batch_of(input_shape)}{label} to {outputs}. "
            f"Received: {received}"
        )

    def decode(self, z, labels=None, batch_size=256):
        """The images of latent vectors.

        Args:
            z: array (num, latent_dim).
            labels: int array (num,) or one int, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        z = ops.convert_to_numpy(ops.cast(z, "float32"))
        if z.ndim != 2 or z.shape[1] != self.code_size:
            raise ValueError(
                f"Expected z of shape (num, {self.code_size}). Received: an array of shape "
                f"{z.shape}"
            )
        y = self.prepare_labels(labels, len(z))
        return self.run_in_batches(self._decode, [z, y], batch_size)

    def get_config(self):
        return super().get_config() | {"latent_dim": self.latent_dim}


class SamplesPrior:
    """A latent model with a prior to draw z from: it can sample."""

    def draw_latents(self, num, seed=None):
        """Latent vectors from the prior, N(0, I).

        Args:
            num: int. How many.
            seed: int or None. The same seed gives the same vectors; None draws one.

        Returns:
            NumPy array (num, latent_dim).
        """
        if num < 1:
            raise ValueError(f"Expected num of at least 1. Received: num={num}")
        return self._draw(np.random.default_rng(draw_seed(seed)), num)

    def _draw(self, rng, num):
        return rng.standard_normal((num, self.latent_dim), dtype="float32")

    def sample(self, num, labels=None, seed=None, batch_size=256):
        """Images of latent vectors from the prior.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, for a conditional model.
            seed: int or None. The same seed gives the same images; None draws one.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.decode(self.draw_latents(num, seed), labels, batch_size=batch_size)
