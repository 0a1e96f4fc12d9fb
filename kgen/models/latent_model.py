"""The families of models that make an image from a vector, and that draw this vector."""

import keras
import numpy as np
from keras import ops

from kgen import fields
from kgen.models.draws import Draws
from kgen.models.generative_model import draw_seed
from kgen.models.image_model import ImageModel
from kgen.models.latents import lerp, slerp


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
        """Length of the vectors that `decode` takes."""
        return self.latent_dim

    def join(self, x, y):
        """A network's input: `x`, or `[x, label]` for a conditional model."""
        return x if self.num_classes is None else [x, y]

    def check_network(self, name, input_shape, *output_shapes, takes_label=True):
        """Raises a ValueError unless the network of this name maps between these shapes.

        Args:
            name: str. The attribute.
            input_shape: tuple, without the batch.
            *output_shapes: tuples, without the batch; "n" for any length.
            takes_label: bool. Of a conditional model the network takes the label as well.

        Returns:
            The outputs' shapes, without the batch.
        """
        network = getattr(self, name)
        takes_label = takes_label and self.num_classes is not None

        def batch_of(shape):
            return f"(batch, {', '.join(map(str, shape))})"

        def refuse(received, error=None):
            label = " and a label" if takes_label else ""
            raise ValueError(
                f"Expected {name} to map {batch_of(input_shape)}{label} to "
                f"{' and '.join(map(batch_of, output_shapes))}. Received: {received}"
            ) from error

        if not isinstance(network, keras.Model):
            refuse(f"{name}={network!r}, which is no keras.Model")
        x = keras.KerasTensor((None, *input_shape))
        y = keras.KerasTensor((None,), dtype="int32")
        try:
            outputs = network([x, y] if takes_label else x)
        except Exception as error:  # of whatever a user's network raises
            takes = getattr(network, "input_shape", "other inputs")
            refuse(f"{name}={network.name}, which takes {takes}", error)
        shapes = [output.shape for output in keras.tree.flatten(outputs)]
        wanted = [(None, *shape) for shape in output_shapes]
        fits = len(shapes) == len(wanted) and all(
            len(shape) == len(want) and all(w in (s, "n") for s, w in zip(shape, want, strict=True))
            for shape, want in zip(shapes, wanted, strict=True)
        )
        if not fits:
            refuse(f"a {name} with an output of shape {', '.join(map(str, shapes))}")
        return [shape[1:] for shape in shapes]

    def start_at_mean(self, network, images, output_for):
        """Sets the bias of a network's last layer to what makes the mean image.

        Args:
            network: keras.Model, the decoder or generator.
            images: array or batches of images, of which the first 10,000 count.
            output_for: callable from the mean image to the last layer's output, as NumPy arrays.
        """
        total, num = 0.0, 0
        for batch in [images] if hasattr(images, "shape") else images:
            x = self.prepare_images(batch[0] if isinstance(batch, (list, tuple)) else batch)
            total, num = total + x.sum(axis=0, dtype="float64"), num + len(x)
            if num >= 10_000:
                break
        mean = total / num
        bias = [v for v in network.trainable_variables if v.name == "bias"][-1:]
        for mean_of_bias in (mean, mean.mean(axis=(0, 1))):  # a dense layer's, a convolution's
            value = output_for(mean_of_bias).ravel()
            if bias and bias[0].shape == value.shape:
                bias[0].assign(value)
                return
        raise ValueError(
            "Expected a last layer with a bias for each output or each channel. Received: "
            f"{network.name}, bias={bias}"
        )

    def decode(self, z, labels=None, batch_size=256):
        """The images of latent vectors.

        Args:
            z: array (num, code_size): latent_dim, and an InfoGAN's codes.
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

    def interpolate(self, start, end, steps=11, spherical=False, labels=None, batch_size=256):
        """The images on the way from each latent vector of `start` to its partner in `end`.

        Args:
            start: array (num, code_size).
            end: array of the same shape.
            steps: int. Images on a way, both ends among them.
            spherical: bool. Along the great circle instead of the straight line, which keeps to
                the shell where a normal prior has its mass (White 2016).
            labels: int array (num,) or one int, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, steps, height, width, channels) in [0, 1].
        """
        if np.shape(start) != np.shape(end) or steps < 2:
            raise ValueError(
                "Expected as many starts as ends, and at least 2 steps. Received: start of shape "
                f"{np.shape(start)}, end of shape {np.shape(end)}, {steps=}"
            )
        t = np.linspace(0.0, 1.0, steps, dtype="float32")[:, None]
        between = slerp if spherical else lerp
        z = between(np.asarray(start)[:, None], np.asarray(end)[:, None], t)
        if np.ndim(labels):
            labels = np.repeat(labels, steps)
        images = self.decode(z.reshape(-1, z.shape[-1]), labels, batch_size=batch_size)
        return images.reshape(-1, steps, *self.image_shape)

    def signatures(self):
        def decode(y, z):
            return {"image": self._decode(z, y)}

        return super().signatures() | {"decode": (decode, {"z": fields.Vector(self.code_size)})}

    def get_config(self):
        return super().get_config() | {"latent_dim": self.latent_dim}


class SamplesPrior:
    """A latent model with a prior to draw z from: it can sample."""

    def draw_latents(self, num, seed=None):
        """Latent vectors from the prior.

        Args:
            num: int. How many.
            seed: int or None. The same seed gives the same vectors; None draws one.

        Returns:
            NumPy array (num, code_size).
        """
        if num < 1:
            raise ValueError(f"Expected num of at least 1. Received: num={num}")
        return ops.convert_to_numpy(self._draw(np.random.default_rng(draw_seed(seed)), num))

    def _draw(self, rng, num):
        """Float32 (num, code_size), with NumPy's generator or another of the same draws."""
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

    def signatures(self):
        def generate(y, noise):
            return {"image": self._decode(self._draw(Draws(noise), noise.num), y)}

        return super().signatures() | {"generate": (generate, {"seed": fields.Seed()})}
