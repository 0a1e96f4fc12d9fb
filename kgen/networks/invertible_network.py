"""A network from images to as many numbers, and back."""

import itertools
import math

import keras
import numpy as np
from keras import ops

from kgen import checks
from kgen.layers import ActNorm, Split
from kgen.layers.precision import full_precision
from kgen.networks.conditioning import as_field

# Where an inverse runs away it shall not overflow: infinities would leave no numbers in the image.
FARTHEST = 1e6


@keras.saving.register_keras_serializable("kgen")
class InvertibleNetwork(keras.Model):
    """Bijections, one after the other, from images to vectors; a `Split` lets half of it out.

    Args:
        image_shape: tuple (height, width, channels).
        steps: list of `kgen.layers.Bijection`, those of `kgen.layers.Split` among them.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it each step's
            network takes the condition as well.
        name: str.

    Call:
        x: tensor (batch, height, width, channels), of any real numbers.
        y: tensor of the condition, or None.

    Returns:
        z (batch, height * width * channels): what left first comes first; and log|det dz/dx|
        (batch,), in nats.
    """

    def __init__(self, image_shape, steps, condition=None, name="network", **kwargs):
        super().__init__(name=name, dtype=kwargs.pop("dtype", None) or full_precision(), **kwargs)
        self.image_shape = checks.image_shape("image_shape", image_shape)
        self.steps = list(steps)
        self.condition = as_field(condition)
        x, *y = self.symbolic_inputs()
        shapes = []
        for step in self.steps:
            x, *left, _ = step(x, *y)  # which builds it
            shapes += [each.shape[1:] for each in left]
        self.shapes = (*shapes, x.shape[1:])
        self.built = True

    def symbolic_inputs(self):
        """What it takes, as `keras.KerasTensor`s."""
        x, field = keras.KerasTensor((None, *self.image_shape)), self.condition
        return [x] if field is None else [x, keras.KerasTensor((None, *field.shape), field.dtype)]

    def call(self, x, y=None):
        parts, total = [], 0.0
        for step in self.steps:
            x, *left, log_det = step(x, y)
            parts += left
            total = total + log_det
        parts = zip([*parts, x], self.shapes, strict=True)
        z = [ops.reshape(part, (-1, math.prod(shape))) for part, shape in parts]
        return ops.concatenate(z, axis=1), total

    def inverse(self, z, y=None):
        """The x that gives z; what is beyond 1e6 on the way stops there."""
        ends = [0, *np.cumsum([math.prod(shape) for shape in self.shapes]).tolist()]
        parts = zip(itertools.pairwise(ends), self.shapes, strict=True)
        *parts, x = [ops.reshape(z[:, a:b], (-1, *shape)) for (a, b), shape in parts]
        for step in reversed(self.steps):
            left = [parts.pop()] if isinstance(step, Split) else []
            x = ops.clip(step.inverse(x, *left, y), -FARTHEST, FARTHEST)
        return x

    def compute_output_shape(self, x_shape, y_shape=None):
        return (x_shape[0], math.prod(self.image_shape)), x_shape[:1]

    def act_norms(self):
        """Its `kgen.layers.ActNorm`s, those of its couplings' networks too."""
        return [each for each in self._flatten_layers() if isinstance(each, ActNorm)]

    def measure(self, x, y=None):
        """What each of `act_norms` is to be so that what comes to it is normal after it.

        Returns:
            list of (bias, log_scale), tensors (channels,).
        """
        act_norms = self.act_norms()
        try:
            for each in act_norms:
                each.is_measuring = True
            self(x, y)
            return [vars(each).pop("measured") for each in act_norms]
        finally:
            for each in act_norms:
                each.is_measuring = False

    def get_config(self):
        return {
            "image_shape": self.image_shape,
            "steps": [keras.saving.serialize_keras_object(step) for step in self.steps],
            "condition": keras.saving.serialize_keras_object(self.condition),
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config):
        given = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("steps", "condition")
        }
        return cls(**config | given)
