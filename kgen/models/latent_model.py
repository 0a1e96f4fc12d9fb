"""The families of models that make an image from a vector, and that draw this vector."""

import numpy as np
from keras import ops

from kgen.checks import flag, whole_number
from kgen.fields import Vector
from kgen.models.image_model import ImageModel, Samples
from kgen.models.latents import lerp, slerp
from kgen.seeds import seeds_of


class LatentModel(ImageModel):
    """A model that decodes a latent vector z into an image.

    A subclass says in `_decode(z, y)` how, as tensors.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z.
        prior: `kgen.priors.Prior` of the vectors that `decode` takes, or None.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it the model is conditional.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    def __init__(
        self,
        image_shape,
        latent_dim,
        prior=None,
        num_classes=None,
        condition=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(
            image_shape, num_classes=num_classes, condition=condition, seed=seed, **kwargs
        )
        self.latent_dim = whole_number("latent_dim", latent_dim)
        self.prior = prior
        # What `decode` takes; a prior that is learned is of any size.
        self.code_size = getattr(prior, "size", None) or self.latent_dim

    def _decode(self, z, y):
        """Images in [0, 1] of latent vectors, as tensors."""
        raise NotImplementedError

    def start_at_mean(self, network, images, output_for):
        """Sets the bias of a network's last layer to what makes the mean image.

        Args:
            network: keras.Model, the decoder or generator.
            images: array or batches of images, of which the first 10,000 count.
            output_for: callable from the mean image to the last layer's output, as NumPy arrays.
        """
        mean = self.mean_image(images)
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

    def decode(self, z, labels=None, *, batch_size=256):
        """The images of latent vectors.

        Args:
            z: array (num, code_size): latent_dim, and an InfoGAN's codes.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.answer("decode", labels, batch_size=batch_size, z=ops.convert_to_numpy(z))[
            "image"
        ]

    def interpolate(self, start, end, labels=None, *, steps=11, spherical=False, batch_size=256):
        """The images on the way from each latent vector of `start` to its partner in `end`.

        Args:
            start: array (num, code_size).
            end: array of the same shape.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Images on a way, both ends among them.
            spherical: bool. Along the great circle instead of the straight line, which keeps to
                the shell where a normal prior has its mass (White 2016).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, steps, height, width, channels) in [0, 1].
        """
        z, y = self._on_the_way(start, end, labels, steps, spherical)
        images = self.decode(z, y, batch_size=batch_size)
        return images.reshape(-1, steps, *self.image_shape)

    def _on_the_way(self, start, end, labels, steps, spherical):
        """The latent vectors (num * steps, code_size) between pairs, and their conditions."""
        steps = whole_number("steps", steps, at_least=2)
        between = slerp if flag("spherical", spherical) else lerp
        start, end = (ops.convert_to_numpy(each) for each in (start, end))
        if start.shape != end.shape or start.shape[1:] != (self.code_size,):
            raise ValueError(
                f"Expected start and end as latent vectors, both of shape (num, {self.code_size}). "
                f"Received: start of shape {start.shape}, end of shape {end.shape}"
            )
        t = np.linspace(0.0, 1.0, steps, dtype="float32")[:, None]
        z = between(start[:, None], end[:, None], t)
        y = self.conditions(labels, len(z))
        if y is not None:
            y = np.repeat(y, steps, axis=0)
        return z.reshape(-1, z.shape[-1]), y

    def signatures(self):
        def decode(y, z):
            return {"image": self._decode(z, y)}

        return super().signatures() | {"decode": (decode, {"z": Vector(self.code_size)})}

    def get_config(self):
        return super().get_config() | {"latent_dim": self.latent_dim}


class Encodes:
    """A latent model with a way from images to codes. A subclass says in `_encode` how."""

    def _encode(self, x, y, training=False):
        """Codes (batch, latent_dim) of images in [0, 1], as tensors."""
        raise NotImplementedError

    def encode(self, images, labels=None, *, batch_size=256):
        """The codes of images; of a variational model the posterior's means.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, latent_dim).
        """
        return self.answer("encode", labels, batch_size=batch_size, image=images)["code"]

    def interpolate(self, start, end, labels=None, *, steps=11, spherical=False, batch_size=256):
        """The images on the way from each of `start` to its partner in `end`.

        Args:
            start: latent vectors (num, latent_dim), or images (num, height, width, channels), which
                are encoded first, floats in [0, 1] or integers in 0..255.
            end: array of the same shape.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Images on a way, both ends among them.
            spherical: bool. Along the great circle instead of the straight line; see `LatentModel`.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, steps, height, width, channels) in [0, 1].
        """
        return super().interpolate(
            *self._codes_of(start, end, labels, batch_size),
            labels,
            steps=steps,
            spherical=spherical,
            batch_size=batch_size,
        )

    def _codes_of(self, start, end, labels, batch_size):
        """Latent vectors as they are, and the codes of images."""
        return [
            self.encode(each, labels, batch_size=batch_size) if np.ndim(each) > 2 else each
            for each in (start, end)
        ]

    def signatures(self):
        def encode(y, image):
            return {"code": self._encode(image, y)}

        return super().signatures() | {"encode": (encode, {"image": self.image})}


class SamplesPrior(Samples):
    """A latent model with a prior to draw z from: it can sample."""

    prior_is_conditional = False

    def draw_latents(self, num, labels=None, *, seed=None):
        """Latent vectors from the prior.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model whose
                prior knows it, as that of `kgen.LadderVAE`; others need none.
            seed: int, None, which draws one, or an int array (num,). Vector i of a seed is the same
                on every backend, alone and among others.

        Returns:
            NumPy array (num, code_size).
        """
        if labels is None and self.condition is not None and not self.prior_is_conditional:
            labels = self.condition.example()[0]
        return self.run(self._draw_latents, {"seed": seeds_of(seed, num)}, labels)

    def _draw_latents(self, y, noise):
        return self.prior.draw(noise, noise.num)

    def _generate(self, y, noise):
        return self._decode(self._draw_latents(y, noise), y)
