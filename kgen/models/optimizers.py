"""One optimizer object that stands for those of all players."""

import keras


class OptimizerGroup(keras.optimizers.Optimizer):
    """The optimizers of a model's players, as the one object that Keras expects at `optimizer`.

    Keras' trainers, checkpoints and callbacks look at `model.optimizer` alone, so everything that
    has to be carried through a step, saved or restored must be reachable from it. Keras' callbacks
    find the single optimizers in the list `optimizers`, and `group["generator"]` is a player's.
    `compiled_with` are the optimizers' configs as they came.

    Args:
        by_player: dict of keras.optimizers.Optimizer by player.

    Example:
    >>> from kgen.models.optimizers import OptimizerGroup
    >>> group = OptimizerGroup({"generator": keras.optimizers.Adam(1e-3, name="adam")})
    >>> group["generator"].name
    'adam'
    """

    def __init__(self, by_player, name="optimizer_group"):
        super().__init__(learning_rate=0.0, name=name)
        self.by_player = dict(by_player)
        self.player_variables = {}
        self.learning_rate_scale = 1.0
        self.compiled_with = {player: serialize(o) for player, o in self.by_player.items()}
        self._rates = [
            float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            for optimizer in self.optimizers
        ]

    def build_players(self, player_variables):
        """Creates every optimizer's variables.

        Args:
            player_variables: dict of lists of keras.Variable by player.
        """
        self.player_variables = player_variables
        for player, optimizer in self.by_player.items():
            optimizer.build(player_variables[player])
        self.built = True

    def __getitem__(self, player):
        return self.by_player[player]

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
        return self.optimizers[0].learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        for optimizer, rate in zip(self.optimizers, self._rates, strict=True):
            optimizer.learning_rate = value * rate / self._rates[0] if self._rates[0] else value

    def scale_learning_rates(self, factor):
        """Multiplies every player's learning rate, a schedule's by its start.

        A step that is compiled already keeps its schedule.

        Args:
            factor: float.
        """
        self.learning_rate_scale *= factor
        for optimizer in self.optimizers:
            schedule = getattr(optimizer, "inner_optimizer", optimizer)._learning_rate
            if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
                schedule.initial_learning_rate *= factor
            else:
                optimizer.learning_rate = factor * float(
                    keras.ops.convert_to_numpy(optimizer.learning_rate)
                )

    def finalize_variable_values(self, var_list):
        for player, optimizer in self.by_player.items():
            optimizer.finalize_variable_values(self.player_variables[player])

    def save_own_variables(self, store):
        """Nothing: each optimizer saves its own."""

    def load_own_variables(self, store):
        """Nothing: each optimizer loads its own."""


def with_learning_rate(by_player, learning_rate):
    """Copies of optimizers of which the first has this rate, and the others theirs in its ratio.

    A schedule starts at the rate.

    Args:
        by_player: dict of keras.optimizers.Optimizer by player.
        learning_rate: float.
    """
    if learning_rate <= 0:
        raise ValueError(f"Expected a learning rate above 0. Received: {learning_rate=}")
    configs = {player: serialize(optimizer) for player, optimizer in by_player.items()}
    starts = {}
    for player, config in configs.items():
        schedule = config["config"]["learning_rate"]
        is_schedule = isinstance(schedule, dict)
        starts[player] = (
            (schedule["config"], "initial_learning_rate")
            if is_schedule
            else (config["config"], "learning_rate")
        )
    ratio = learning_rate / next(where[name] for where, name in starts.values())
    for where, name in starts.values():
        where[name] *= ratio
    return {p: keras.saving.deserialize_keras_object(config) for p, config in configs.items()}


def serialize(optimizer):
    """A `keras.optimizers.Optimizer`'s config, as every backend can load it.

    On PyTorch, Keras writes down its own PyTorch implementation of the optimizer, which the other
    backends would load and then fail to run.
    """
    return _with_public_classes(keras.saving.serialize_keras_object(optimizer))


def _with_public_classes(config):
    if not isinstance(config, dict):
        return config
    config = {name: _with_public_classes(value) for name, value in config.items()}
    if str(config.get("module")).startswith("keras.src.backend."):
        config |= {"module": "keras.optimizers", "registered_name": None}
    return config
