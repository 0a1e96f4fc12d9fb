"""The adversary: a network that tells real examples from fakes, as a part of a model."""

import keras
from keras import ops

from kgen import backend
from kgen.layers import BatchNorm
from kgen.models import games
from kgen.models.games import Game
from kgen.models.judge import Judge
from kgen.models.penalties import R1, R2, GradientPenalty, Penalty, as_penalties
from kgen.models.scalar import Scalar, current
from kgen.warn import warn

__all__ = ["R1", "R2", "Adversary", "Game", "GradientPenalty", "Penalty"]


class Adversary(keras.layers.Layer):
    """A network that judges, what it and the generator minimise, and the penalties on its gradient.

    A model may have several. Its losses are one value an example, and come with what to log:

        def adversary_loss(self, x, x_fake, noise):
            loss, logs, _ = self.adversary.loss(x, x_fake, None, noise, self.steps)
            self.log(**logs)
            return ops.mean(loss)

    Args:
        network: keras.Model from examples, or `[examples, condition]`, to logits (batch, 1), or to
            the list of these and features.
        loss: str, `Game` or a pair of functions; see `kgen.models.games.get`.
        penalties: sequence of `Penalty`.
        label_smoothing: float in [0, 1), or a Keras schedule. Real examples count as real by
            1 - label_smoothing (Salimans et al. 2016, https://arxiv.org/abs/1606.03498).
        name: str. The player's; it is logged as `<name>_loss`.
    """

    label_smoothing = Scalar(high=1.0)

    def __init__(
        self,
        network,
        loss="non_saturating",
        penalties=(),
        label_smoothing=0.0,
        name="discriminator",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.network = network
        self.game = games.get(loss)
        self.penalties = as_penalties(penalties)
        self.label_smoothing = label_smoothing
        names = [penalty.name for penalty in self.penalties]
        if len(set(names)) < len(names):
            raise ValueError(f"Expected penalties of different names. Received: {names}")
        if label_smoothing != 0.0 and not self.game.smooths_labels:
            raise ValueError(
                f"Expected label_smoothing=0 with the loss {type(self.game).__name__}, which has "
                f"no labels. Received: {label_smoothing=}"
            )
        if self.penalties:
            self._check_second_derivatives()
        self.built = True

    def judge(self, x, y=None, training=False):
        """The logits (batch, 1) of examples, and the list of features if the network gives them."""
        outputs = self.network(x if y is None else [x, y], training=training)
        logits, *features = keras.tree.flatten(outputs)
        return ops.cast(logits, "float32"), features

    def loss(self, x, x_fake, y, noise, step, training=True):
        """What the network minimises.

        Args:
            x: tensor (batch, ...), real examples.
            x_fake: tensor of the same shape.
            y: the condition, or None.
            noise: `kgen.noise.Noise`, for the penalties.
            step: int tensor, the model's steps so far.
            training: bool.

        Returns:
            The loss (batch,) with all penalties, the dict of what to log, the features of fakes.
        """
        judge = Judge(self, (x, x_fake), y, training)
        # First, as the gradient that they may need is of the same pass as the logits.
        values = {each: each.of(judge, x, x_fake, noise) for each in self.penalties}
        real_logits = judge(x)
        fake_logits, features = judge.outputs(x_fake)
        smoothing = {}
        if self.game.smooths_labels:
            smoothing["label_smoothing"] = current(self, "label_smoothing", step)
        loss = self.game.adversary_loss(real_logits, fake_logits, **smoothing)
        logs = {f"{self.name}_loss": loss} | self.game.judgement(real_logits, fake_logits)
        for penalty, value in values.items():
            loss = loss + current(penalty, "weight", step) * value
            logs[penalty.name] = value
        return loss, logs, features

    def generator_loss(self, x_fake, y=None, x=None, training=True):
        """What makes fakes pass for real.

        Args:
            x_fake: tensor (batch, ...).
            y: the condition, or None.
            x: tensor of the same shape, real examples, which a relativistic loss needs.
            training: bool.

        Returns:
            The loss (batch,), and the features of fakes.
        """
        real_logits = self.judge(x, y, training)[0] if self.game.sees_real else None
        fake_logits, features = self.judge(x_fake, y, training)
        return self.game.generator_loss(real_logits, fake_logits), features

    def penalty(self, name):
        """The penalty of a name, or None."""
        return next((each for each in self.penalties if each.name == name), None)

    def log_names(self):
        """What `loss` logs."""
        logits = ops.zeros((1, 1))
        judged = self.game.judgement(logits, logits)
        return [f"{self.name}_loss", *judged, *(penalty.name for penalty in self.penalties)]

    def _check_second_derivatives(self):
        layers = self.network._flatten_layers()
        wrong = [
            f"{layer.name} ({type(layer).__name__})"
            for layer in layers
            if isinstance(layer, backend.WRONG_SECOND_DERIVATIVES)
            and not isinstance(layer, BatchNorm)
        ]
        if wrong:
            warn(
                f"The penalty on the {self.name}'s gradient will train it wrongly: on this "
                f"backend Keras' second derivatives of {', '.join(wrong)} are wrong. Use "
                "kgen.layers.LayerNorm or BatchNorm, or a backend other than TensorFlow."
            )
        joint = [
            layer.name for layer in layers if isinstance(layer, keras.layers.BatchNormalization)
        ]
        if joint:
            names = ", ".join(penalty.name for penalty in self.penalties)
            warn(
                f"The {names} is of each image by itself, but the {self.name}'s "
                f"{', '.join(joint)} judges a batch together. Use kgen.layers.LayerNorm, or of the "
                "presets batch_normalization=False."
            )
