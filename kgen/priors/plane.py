"""Priors of two numbers, with a shape that the eye knows (Makhzani et al. 2015)."""

import math

import keras
from keras import ops

from kgen.checks import whole_number
from kgen.priors.prior import Prior


class PlanePrior(Prior):
    """A prior of points of the plane.

    Args:
        size: 2.
    """

    def __init__(self, size=2):
        super().__init__(size)
        if self.size != 2:
            raise ValueError(
                f"Expected latent_dim=2 with {type(self).__name__}, a prior of points of the "
                f"plane. Received: {size}"
            )


@keras.saving.register_keras_serializable("kgen")
class Mixture(PlanePrior):
    """Normal distributions around a centre like the spokes of a wheel, each a part.

    Component i of n is N(1.4, 0.5^2) along its spoke, at the angle 2 pi i / n, and N(0, 0.05^2)
    across it.

    Args:
        size: 2.
        components: int. Defaults to 10.

    Reference: Makhzani et al., Adversarial Autoencoders, 2015, figure 3.
    https://arxiv.org/abs/1511.05644
    """

    distance, along, across = 1.4, 0.5, 0.05

    def __init__(self, size=2, components=10):
        super().__init__(size)
        self.components = whole_number("components", components)

    def draw(self, noise, num):
        component = noise.integers((num, 1), 0, self.components)
        return self._draw_parts(noise, ops.cast(component, "float32"), self.components)

    def _draw_parts(self, noise, part, num_parts):
        eps = noise.normal((ops.shape(part)[0], 2))
        along, across = self.distance + self.along * eps[:, :1], self.across * eps[:, 1:]
        angle = part * (2.0 * math.pi / num_parts)
        cos, sin = ops.cos(angle), ops.sin(angle)
        return ops.concatenate([along * cos - across * sin, along * sin + across * cos], axis=1)

    def check_parts(self, num_parts):
        if num_parts != self.components:
            raise ValueError(
                f"Expected a component for each class: kgen.priors.Mixture(components={num_parts})."
                f" Received: components={self.components} for {num_parts} classes"
            )

    def log_prob(self, z):
        angles = [2.0 * math.pi * i / self.components for i in range(self.components)]
        logs = []
        for angle in angles:
            cos, sin = math.cos(angle), math.sin(angle)
            along = (z[..., 0] * cos + z[..., 1] * sin - self.distance) / self.along
            across = (z[..., 1] * cos - z[..., 0] * sin) / self.across
            logs.append(-0.5 * (ops.square(along) + ops.square(across)))
        constant = math.log(2.0 * math.pi * self.along * self.across * self.components)
        return ops.logsumexp(ops.stack(logs, axis=-1), axis=-1) - constant

    def get_config(self):
        return super().get_config() | {"components": self.components}


@keras.saving.register_keras_serializable("kgen")
class SwissRoll(PlanePrior):
    """Points of a spiral: 3 sqrt(t) from the middle, at the angle 4 pi sqrt(t), t in [0, 1).

    Its parts follow each other along it. It is a curve, and has no density.

    Args:
        size: 2.

    Reference: Makhzani et al., Adversarial Autoencoders, 2015, figure 4.
    https://arxiv.org/abs/1511.05644
    """

    has_full_support = False

    def draw(self, noise, num):
        return self._draw_parts(noise, ops.zeros((num, 1), "float32"), 1)

    def check_parts(self, num_parts):
        pass

    def _draw_parts(self, noise, part, num_parts):
        root = ops.sqrt((part + noise.uniform(ops.shape(part))) / num_parts)
        angle = 4.0 * math.pi * root
        return 3.0 * root * ops.concatenate([ops.cos(angle), ops.sin(angle)], axis=1)

    def log_prob(self, z):
        raise ValueError("Expected a prior with a density. Received: SwissRoll, a curve")
