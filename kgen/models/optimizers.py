"""One optimizer object that stands for those of all players."""

import math

import keras

from kgen import backend
from kgen.checks import number
from kgen.models import learning_rates, optimizer_config
from kgen.models.learning_rates import ScaledSchedule, first_rate, given_rate, innermost
from kgen.models.optimizer_config import copied, serialize


class OptimizerGroup(keras.optimizers.Optimizer):
    """The optimizers of a model's players, as the one object that Keras expects at `optimizer`.

    Keras' trainers, checkpoints and callbacks look at `model.optimizer` alone, so everything that
    has to be carried through a step, saved or restored must be reachable from it. Keras' callbacks
    find the single optimizers in the list `optimizers`, each by the name of its player, and
    `group["generator"]` is a player's.

    A learning rate may be set at any time, of all players or of one. A number takes the place of a
    schedule from the next step on.

    Args:
        by_player: dict of keras.optimizers.Optimizer by player.

    Example:
    >>> from kgen.models.optimizers import OptimizerGroup
    >>> group = OptimizerGroup({"generator": keras.optimizers.Adam(1e-3)})
    >>> group["generator"].name
    'generator'
    """

    def __init__(self, by_player, name="optimizer_group"):
        super().__init__(learning_rate=0.0, name=name)
        self.by_player = dict(by_player)
        self.player_variables = {}
        self.learning_rate_scale = 1.0
        self._given = {player: given_rate(o) for player, o in self.by_player.items()}
        self._first_rates = [first_rate(given) for given in self._given.values()]
        for player, optimizer in self.by_player.items():
            optimizer.name = player
            learning_rates.make_adjustable(optimizer)

    def build_players(self, player_variables):
        """Creates every optimizer's variables.

        Args:
            player_variables: dict of lists of keras.Variable by player.

        Raises:
            ValueError: an optimizer moves other variables already.
        """
        self.player_variables = player_variables
        for player, optimizer in self.by_player.items():
            variables = player_variables[player]
            if not optimizer.built:
                optimizer.build(variables)
            elif [*map(id, optimizer._trainable_variables)] != [*map(id, variables)]:
                raise ValueError(
                    f"Expected a new optimizer for the {player}. Received: one that moves other "
                    f"variables already, {innermost(optimizer)}"
                )
        self.built = True

    def __getitem__(self, player):
        if player not in self.by_player:
            raise KeyError(f"Expected one of the players {[*self.by_player]}. Received: {player!r}")
        with backend.synchronized():  # for who sets its learning rate in the middle of `fit`
            return self.by_player[player]

    @property
    def compiled_with(self):
        """Dict of the optimizers' configs by player, with the learning rates as they came.

        What became of these is in the optimizers' variables.
        """
        return {p: serialize(o, self._given[p]) for p, o in self.by_player.items()}

    @property
    def undecayed(self):
        """Dict by player of what is excluded from weight decay, for a file."""
        moved = self.player_variables
        return {p: optimizer_config.undecayed(o, moved[p]) for p, o in self.by_player.items()}

    @undecayed.setter
    def undecayed(self, value):
        for player, told in value.items():
            optimizer, variables = self.by_player[player], self.player_variables[player]
            optimizer_config.leave_undecayed(optimizer, variables, told)

    @property
    def optimizers(self):
        """Every player's optimizer, in the players' order."""
        return list(self.by_player.values())

    @property
    def variables(self):
        """Every player's optimizer variables."""
        return [v for optimizer in self.optimizers for v in optimizer.variables]

    @property
    def iterations(self):
        """The first player's number of updates."""
        return self.optimizers[0].iterations

    @property
    def learning_rate(self):
        """The first player's learning rate.

        Setting it sets the others' in the ratio with which they began, or to the same if the
        first began at 0.
        """
        with backend.synchronized():
            return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value):
            raise ValueError(
                "Expected a number for the learning rate. A compiled step keeps its schedule: give "
                f"compile() optimizers with another one. Received: learning_rate={value}"
            )
        value = learning_rates.require_rate(value)
        first, *_ = self._first_rates
        with backend.synchronized():
            for optimizer, rate in zip(self.optimizers, self._first_rates, strict=True):
                optimizer.learning_rate = value * rate / first if first else value

    def scale_learning_rates(self, factor):
        """Multiplies every player's learning rate, a schedule's at every step to come.

        Args:
            factor: float.
        """
        self.learning_rate_scale *= factor
        for optimizer in self.optimizers:
            learning_rates.scale(optimizer, factor)

    def check_rates(self):
        """Raises a ValueError if a player was given another schedule, or a rate that is none."""
        for player, optimizer in self.by_player.items():
            given = given_rate(optimizer)
            if isinstance(given, float):
                number(f"the {player}'s learning_rate", given, at_least=0.0)
            elif given is not self._given[player]:
                raise ValueError(
                    f"Expected compile() anew for another schedule of the {player}'s learning "
                    f"rate. Received: learning_rate={given}"
                )

    def finalize_variable_values(self, var_list):
        for player, optimizer in self.by_player.items():
            variables = self.player_variables[player]
            optimizer.finalize_variable_values(variables)
            if innermost(optimizer).use_ema:
                for variable in variables:  # JAX would have it and its average in one buffer
                    variable.assign(keras.ops.convert_to_numpy(variable))

    def save_own_variables(self, store):
        """Nothing: each optimizer saves its own."""

    def load_own_variables(self, store):
        """Nothing: each optimizer loads its own."""


def for_players(optimizer, players):
    """The optimizers that `compile` is given, by player.

    Args:
        optimizer: an optimizer or its name, copied for each player; a dict of them by player; or
            the `OptimizerGroup` of a model, whose optimizers go on.
        players: dict of lists of networks by player.

    Raises:
        ValueError: it is none of these, or a player has none, or not one of its own.
    """
    given = optimizer.by_player if isinstance(optimizer, OptimizerGroup) else optimizer
    if isinstance(given, dict):
        given = {player: _get(each) for player, each in given.items()}
    else:
        one = _get(given)
        given = {player: copied(one, player) for player in players}
    if set(given) != set(players) or len(set(map(id, given.values()))) < len(players):
        raise ValueError(
            f"Expected one optimizer, or another one for each of the players {list(players)}. "
            f"Received: optimizer={optimizer}"
        )
    return {player: _with_loss_scale(given[player], nets) for player, nets in players.items()}


def _get(optimizer):
    try:
        found = keras.optimizers.get(optimizer)
    except (TypeError, ValueError):
        found = None
    if not hasattr(found, "learning_rate"):  # as a group of Keras' has none
        raise ValueError(
            "Expected an optimizer, as keras.optimizers.Adam(1e-3), or its name, as 'adam'. "
            f"Received: optimizer={optimizer!r}"
        )
    return found


def _with_loss_scale(optimizer, networks):
    """The optimizer in a loss scale of its own if its player computes in float16."""
    dtypes = {layer.compute_dtype for network in networks for layer in network._flatten_layers()}
    if "float16" in dtypes and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def with_learning_rate(by_player, learning_rate):
    """Copies of optimizers of which the first has this rate, and the others theirs in its ratio.

    A schedule starts at the rate.

    Args:
        by_player: dict of keras.optimizers.Optimizer by player.
        learning_rate: float.

    Raises:
        ValueError: the rate is not finite and above 0, or the first player's is 0 now.
    """
    check_learning_rate(learning_rate)
    given = {player: given_rate(optimizer) for player, optimizer in by_player.items()}
    first, *_ = given
    start = first_rate(given[first])
    if start == 0.0:
        raise ValueError(
            f"Expected an optimizer of the {first} whose learning rate starts above 0, to scale it "
            f"to {learning_rate}; give compile() optimizers of your own. Received: {given[first]}"
        )
    return {
        player: copied(optimizer, optimizer.name, _times(given[player], learning_rate / start))
        for player, optimizer in by_player.items()
    }


def check_learning_rate(learning_rate):
    """Raises a ValueError for a number that is not finite and above 0."""
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"Expected a finite learning rate above 0. Received: {learning_rate=}")


def _times(rate, factor):
    return rate * factor if isinstance(rate, float) else ScaledSchedule(rate, factor)
