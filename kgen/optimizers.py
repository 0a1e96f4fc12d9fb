"""One optimizer object that stands for those of all players."""

import keras


@keras.saving.register_keras_serializable("kgen")
class OptimizerGroup(keras.optimizers.Optimizer):
    """The optimizers of a model's players, as the one object that Keras expects at `optimizer`.

    Keras' trainers, checkpoints and callbacks look at `model.optimizer` alone, so everything that
    has to be carried through a step, saved or restored must be reachable from it.

    Args:
        optimizers: dict of keras.optimizers.Optimizer by player.

    Example:

    >>> group = OptimizerGroup({"generator": keras.optimizers.Adam(1e-3)})
    >>> group["generator"].name
    'adam'
    """

    def __init__(self, optimizers, name="optimizer_group"):
        super().__init__(learning_rate=0.0, name=name)
        self.optimizers = dict(optimizers)
        self.player_variables = {}

    def build_players(self, player_variables):
        """Creates every optimizer's variables.

        Args:
            player_variables: dict of lists of keras.Variable by player.
        """
        self.player_variables = player_variables
        for player, optimizer in self.optimizers.items():
            optimizer.build(player_variables[player])
        self.built = True

    def __getitem__(self, player):
        return self.optimizers[player]

    @property
    def variables(self):
        """Every player's optimizer variables."""
        return [v for optimizer in self.optimizers.values() for v in optimizer.variables]

    @property
    def iterations(self):
        """The first player's number of updates."""
        return self._first.iterations

    @property
    def learning_rate(self):
        """The first player's learning rate.

        Setting it scales the others by the same factor, so that schedules and callbacks keep the
        ratio between the players.
        """
        return self._first.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        factor = value / float(keras.ops.convert_to_numpy(self._first.learning_rate))
        for optimizer in self.optimizers.values():
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            optimizer.learning_rate = rate * factor

    @property
    def _first(self):
        return next(iter(self.optimizers.values()))

    def finalize_variable_values(self, var_list):
        for player, optimizer in self.optimizers.items():
            optimizer.finalize_variable_values(self.player_variables[player])

    def save_own_variables(self, store):
        """Nothing: each optimizer saves its own."""

    def load_own_variables(self, store):
        """Nothing: each optimizer loads its own."""

    def get_config(self):
        return {
            "optimizers": {
                player: keras.saving.serialize_keras_object(optimizer)
                for player, optimizer in self.optimizers.items()
            },
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        optimizers = {
            player: keras.saving.deserialize_keras_object(optimizer)
            for player, optimizer in config.pop("optimizers").items()
        }
        return cls(optimizers, **config)
