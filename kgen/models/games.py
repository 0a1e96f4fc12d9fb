"""What two players minimise: a generator, and the adversary that judges what it makes."""

import keras
from keras import ops

from kgen import losses
from kgen.checks import number


class Game:
    """A pair of losses of the adversary's logits, one value an example each.

    Attributes:
        sees_real: bool. Whether the generator's loss depends on the real logits.
        smooths_labels: bool. Whether the adversary's loss knows label smoothing.
    """

    sees_real = False
    smooths_labels = False

    def adversary_loss(self, real_logits, fake_logits):
        """What the adversary minimises; with `label_smoothing` where it knows it."""
        raise NotImplementedError

    def generator_loss(self, real_logits, fake_logits):
        """What the generator minimises; without `sees_real` the first is None."""
        raise NotImplementedError

    def judgement(self, real_logits, fake_logits):
        """Dict of logs by name: how well the adversary tells real examples from fakes."""
        return {"real_accuracy": real_logits > 0.0, "fake_accuracy": fake_logits < 0.0}

    def get_config(self):
        """The arguments that make it, by name."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The game that `get_config` is of."""
        return cls(**config)


@keras.saving.register_keras_serializable("kgen")
class Minimax(Game):
    """Goodfellow et al. 2014, eq. 1: both players' loss is the same but for its sign."""

    smooths_labels = True

    def adversary_loss(self, real_logits, fake_logits, label_smoothing=0.0):
        return losses.minimax_discriminator_loss(real_logits, fake_logits, label_smoothing)

    def generator_loss(self, real_logits, fake_logits):
        return losses.minimax_generator_loss(fake_logits)


@keras.saving.register_keras_serializable("kgen")
class NonSaturating(Minimax):
    """Goodfellow et al. 2014, section 3: the generator maximises log D(G(z))."""

    def generator_loss(self, real_logits, fake_logits):
        return losses.non_saturating_generator_loss(fake_logits)


@keras.saving.register_keras_serializable("kgen")
class LeastSquares(Game):
    """Mao et al. 2016, eq. 2.

    Args:
        a: float. The adversary's label of fakes. Defaults to 0.
        b: float. The adversary's label of real examples. Defaults to 1.
        c: float. What the generator wants its own to be taken for. Defaults to 1.
    """

    smooths_labels = True

    def __init__(self, a=0.0, b=1.0, c=1.0):
        self.a, self.b, self.c = number("a", a), number("b", b), number("c", c)
        if self.a == self.b:
            raise ValueError(f"Expected a and b that are different. Received: {a=}, {b=}")

    def adversary_loss(self, real_logits, fake_logits, label_smoothing=0.0):
        b = self.b + label_smoothing * (self.a - self.b)
        return losses.least_squares_discriminator_loss(real_logits, fake_logits, self.a, b)

    def generator_loss(self, real_logits, fake_logits):
        return losses.least_squares_generator_loss(fake_logits, self.c)

    def judgement(self, real_logits, fake_logits):
        # On the real side of the middle between the labels, as a classifier's logit above 0.
        middle, side = 0.5 * (self.a + self.b), self.b - self.a
        return super().judgement((real_logits - middle) * side, (fake_logits - middle) * side)

    def get_config(self):
        return {"a": self.a, "b": self.b, "c": self.c}


@keras.saving.register_keras_serializable("kgen")
class Wasserstein(Game):
    """Arjovsky et al. 2017, eq. 2 and 3, of an adversary that something keeps Lipschitz."""

    def adversary_loss(self, real_logits, fake_logits):
        return losses.wasserstein_critic_loss(real_logits, fake_logits)

    def generator_loss(self, real_logits, fake_logits):
        return losses.wasserstein_generator_loss(fake_logits)

    def judgement(self, real_logits, fake_logits):
        return {"wasserstein_distance": -losses.wasserstein_critic_loss(real_logits, fake_logits)}


@keras.saving.register_keras_serializable("kgen")
class Hinge(Game):
    """Lim & Ye 2017: what the adversary gets right by more than 1 counts no more."""

    def adversary_loss(self, real_logits, fake_logits):
        return losses.hinge_discriminator_loss(real_logits, fake_logits)

    def generator_loss(self, real_logits, fake_logits):
        return losses.wasserstein_generator_loss(fake_logits)


@keras.saving.register_keras_serializable("kgen")
class Relativistic(Game):
    """Jolicoeur-Martineau 2018: how much more real a real example is than its partner."""

    sees_real = True
    loss = staticmethod(losses.relativistic_loss)

    def adversary_loss(self, real_logits, fake_logits):
        return self.loss(real_logits, fake_logits)

    def generator_loss(self, real_logits, fake_logits):
        return self.loss(fake_logits, real_logits)

    def judgement(self, real_logits, fake_logits):
        middle = 0.5 * (ops.mean(real_logits) + ops.mean(fake_logits))
        return super().judgement(real_logits - middle, fake_logits - middle)


@keras.saving.register_keras_serializable("kgen")
class RelativisticAverage(Relativistic):
    """Jolicoeur-Martineau 2018: how much more real than the mean of the others."""

    loss = staticmethod(losses.relativistic_average_loss)


class _OwnLosses(Game):
    """A user's pair of functions of real and fake logits."""

    sees_real = True

    def __init__(self, adversary_loss, generator_loss):
        self.adversary_loss = adversary_loss
        self.generator_loss = generator_loss


GAMES = {
    "non_saturating": NonSaturating,
    "minimax": Minimax,
    "least_squares": LeastSquares,
    "wasserstein": Wasserstein,
    "hinge": Hinge,
    "relativistic": Relativistic,
    "relativistic_average": RelativisticAverage,
}


def get(loss):
    """The game of a name in `GAMES`, of a `Game`, or of a pair of functions.

    Args:
        loss: str, `Game`, or the pair of what the adversary and the generator minimise, each a
            function of real and fake logits (batch, 1) with one value an example.
    """
    if isinstance(loss, Game):
        return loss
    if isinstance(loss, str) and loss in GAMES:
        return GAMES[loss]()
    if isinstance(loss, (tuple, list)) and len(loss) == 2 and all(map(callable, loss)):
        return _OwnLosses(*loss)
    raise ValueError(
        f"Expected loss in {list(GAMES)}, a Game, or a pair of functions of real and fake logits. "
        f"Received: loss={loss!r}"
    )
