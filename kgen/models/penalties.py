"""Penalties on an adversary's gradient, each with its weight: terms of one loss."""

import keras
from keras import ops

from kgen.checks import number
from kgen.losses import gradient_penalty
from kgen.losses.penalty import half_squared_norm
from kgen.models.scalar import Scalar


class Penalty(keras.layers.Layer):
    """A term of the adversary's loss.

    Args:
        weight: float, or a Keras schedule over the model's steps. It may change while training.
        name: str. What it is logged as.
    """

    weight = Scalar()

    def __init__(self, weight, name, **kwargs):
        super().__init__(name=name, **kwargs)
        self.weight = weight
        self.built = True

    def of(self, judge, x, x_fake, noise):
        """The penalty without its weight, one value an example.

        Args:
            judge: `kgen.models.judge.Judge`, a callable from examples to logits (batch, 1), whose
                `gradient` at `x` and `x_fake` costs no pass of its own.
            x: tensor (batch, ...), real examples.
            x_fake: tensor of the same shape.
            noise: `kgen.noise.Noise`.
        """
        raise NotImplementedError

    def get_config(self):
        return {"weight": self.weight, "name": self.name}

    @classmethod
    def from_config(cls, config):
        weight = keras.saving.deserialize_keras_object(config["weight"])
        return cls(**config | {"weight": weight})


def as_penalties(penalties):
    """A list of a sequence of `Penalty`, and of nothing else."""
    is_sequence = isinstance(penalties, (list, tuple))
    if not is_sequence or not all(isinstance(each, Penalty) for each in penalties):
        raise ValueError(
            "Expected penalties as a sequence of kgen.models.adversary.Penalty, such as "
            f"[R1(10.0)]. Received: {penalties=}"
        )
    return list(penalties)


@keras.saving.register_keras_serializable("kgen")
class R1(Penalty):
    """1/2 ||grad D(x)||^2 at real examples (Mescheder et al. 2018, eq. 9).

    Args:
        weight: float or a Keras schedule. gamma in the paper. Defaults to 10.
        name: str. What it is logged as.
    """

    def __init__(self, weight=10.0, name="r1_penalty", **kwargs):
        super().__init__(weight, name, **kwargs)

    def of(self, judge, x, x_fake, noise):
        return half_squared_norm(judge.gradient(x))


@keras.saving.register_keras_serializable("kgen")
class R2(Penalty):
    """1/2 ||grad D(G(z))||^2 at fakes (Mescheder et al. 2018, eq. 10).

    Args:
        weight: float or a Keras schedule. gamma in the paper. Defaults to 10.
        name: str. What it is logged as.
    """

    def __init__(self, weight=10.0, name="r2_penalty", **kwargs):
        super().__init__(weight, name, **kwargs)

    def of(self, judge, x, x_fake, noise):
        return half_squared_norm(judge.gradient(x_fake))


@keras.saving.register_keras_serializable("kgen")
class GradientPenalty(Penalty):
    """(||grad D(x_hat)||_2 - center)^2 between real examples and fakes (Gulrajani et al. 2017).

    With center 0 it is the zero-centred penalty of Thanh-Tung et al. 2019
    (https://arxiv.org/abs/1902.03984).

    Args:
        weight: float or a Keras schedule. lambda in the paper. Defaults to 10.
        center: float. The norm that costs nothing. Defaults to 1.
        name: str. What it is logged as.
    """

    def __init__(self, weight=10.0, center=1.0, name="gradient_penalty", **kwargs):
        super().__init__(weight, name, **kwargs)
        self.center = number("center", center)

    def of(self, judge, x, x_fake, noise):
        eps = noise.uniform((ops.shape(x)[0],))
        return gradient_penalty(judge, x, x_fake, eps, self.center)

    def get_config(self):
        return super().get_config() | {"center": self.center}
