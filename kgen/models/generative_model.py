"""What every model shares: players, steps, logs, randomness, saving."""

import collections
import functools
import inspect

import keras
from keras import ops

from kgen import backend
from kgen.checks import whole_number
from kgen.fields import Field
from kgen.layers.spectral_normalization import spectral_layers
from kgen.models import own_losses
from kgen.models.fitting import Fitting, refuse_weights
from kgen.models.identity import identity
from kgen.models.instead import refuse_call, refuse_compile_arguments
from kgen.models.kept import Kept
from kgen.models.optimizers import OptimizerGroup, for_players
from kgen.models.scalar import current
from kgen.noise import StepNoise

EVALUATION_SEED = 1_905_612_437  # which no user would pick for the training


class GenerativeModel(Kept, Fitting):
    """A `keras.Model` trained by players, each of which moves its own variables and no others.

    Several players may move one network, each by an optimizer of its own; what the network adds of
    its own to a loss is added to the first one's. A subclass builds its networks in `__init__`,
    names its logs in `log_names`, says who the players are, and writes its step as ordinary
    stateful Keras code, which runs on every backend:

        def players(self):
            return {"critic": [self.critic], "generator": [self.generator]}

        def training_step(self, x, y, noise):
            self.minimize(self.critic_loss, "critic", x, noise)
            self.minimize(self.generator_loss, "generator", ops.shape(x)[0], noise)

    An attribute that is a `Scalar` may change while the model trains; another argument of
    `__init__` may not, and setting it anew is an error.

    Args:
        seed: int in 0..2^31 - 1, or None. Seeds the model's noise; None draws a seed.
    """

    log_names = ("loss",)

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = whole_number("seed", seed, 0, 2**31 - 1, optional=True)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        # Validation draws the same noise each time, and takes none from the training's.
        self.evaluation_seed_generator = keras.random.SeedGenerator(EVALUATION_SEED)
        self._steps = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name="steps",
        )
        self._trackers = {}
        self.add_logs(*self.log_names)
        self._functions = {}
        self._player_of = {}
        self._logged_names = set()
        self._fitting_thread = None
        self._minimizing = None
        self.built = True  # as soon as `__init__` has made the networks: `fit` shall call nothing

    def add_logs(self, *names):
        """Adds to what `log` takes and `fit` shows, beside `log_names`.

        Of a player's `<player>_gradient_norm`, `minimize` takes care. A name's ending says which
        way it is better: down for `loss`, `penalty`, `distance`, `error` and `bits_per_dim`, up for
        `accuracy`, `likelihood` and `elbo`.
        """
        self._trackers |= {name: keras.metrics.Mean(name=name, dtype="float32") for name in names}

    def players(self):
        """Dict of lists of networks by player: whose variables each player moves."""
        raise NotImplementedError

    def default_optimizers(self):
        """Dict of the paper's optimizers by player."""
        raise NotImplementedError

    def training_step(self, x, y, noise):
        """Updates the players on one batch.

        Args:
            x: tensor of what `fit` was given, integers scaled to [0, 1].
            y: tensor of the condition as the networks take it, or None.
            noise: `kgen.noise.Noise` of this step.
        """
        raise NotImplementedError

    def evaluation_step(self, x, y, noise):
        """Logs the losses of one batch and moves no variable; takes what `training_step` does."""
        raise NotImplementedError

    def inputs(self, x, y):
        """What `fit` was given, as the steps take it."""
        x = keras.tree.map_structure(to_unit_range, x)
        return x, None if y is None else keras.tree.map_structure(ops.convert_to_tensor, y)

    def check_inputs(self, x, y):
        """What `fit` was given as NumPy arrays that every backend's step takes.

        Raises:
            ValueError: it says what is wrong with them, before a step sees them.
        """
        raise NotImplementedError

    def check_outputs(self):
        """Warns if the networks give what they were not asked for; called before `fit`."""

    def check_batch_size(self, num):
        """Raises a ValueError, or warns, if a step cannot train on so many examples well."""

    def compile(
        self,
        optimizer=None,
        *others,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        **more,
    ):
        """Configures training.

        Args:
            optimizer: None for the paper's; one optimizer or its name, copied for each player; or
                a dict by player. Each takes the name of its player.
            *others: refused, as is a loss.
            run_eagerly: bool. Run the step uncompiled, for debugging.
            steps_per_execution: int. Batches in one compiled call; 1 on PyTorch.
            jit_compile: bool or "auto". Compile with XLA (TensorFlow, JAX) or torch.compile.
            **more: refused, as are metrics.

        Raises:
            ValueError: there are others of Keras', such as a loss, or it is no optimizer.
        """
        refuse_compile_arguments(self, others, more)
        self._requested_compile = {
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        self._find_layers()
        if optimizer is None:
            optimizer = self.default_optimizers()
        _refuse_half_precision(self._player_variables())
        group = OptimizerGroup(for_players(optimizer, self.players()))
        # Keras would wrap the whole group in one loss scale; each player has its own.
        super().compile(optimizer=group, auto_scale_loss=False, **self._requested_compile)
        group.build_players(self._player_variables())

    def _find_layers(self):
        """Looks up the layers of each player, and normalises those that begin so."""
        players = self.players()
        layers = {player: _layers_of(networks) for player, networks in players.items()}
        # Which Keras shall not track.
        vars(self)["_adds_of"] = _of_the_first(layers), _of_the_first(self._player_variables())
        vars(self)["_spectral_layers"] = {p: spectral_layers(each) for p, each in layers.items()}
        if not int(ops.convert_to_numpy(self._steps)):
            for layer in spectral_layers(_layers_of(sum(players.values(), []))):
                layer.normalize()

    def _player_variables(self):
        return {
            player: [v for network in networks for v in network.trainable_variables]
            for player, networks in self.players().items()
        }

    def _check_optimizers(self):
        """Raises a ValueError if players have other variables than when they were compiled."""
        if not isinstance(getattr(self, "optimizer", None), OptimizerGroup):
            return
        self.optimizer.check_rates()
        for player, variables in self._player_variables().items():
            if [*map(id, variables)] != [*map(id, self.optimizer.player_variables[player])]:
                raise ValueError(
                    "Expected compile() again, and then fit, after a network was replaced, frozen "
                    "or changed: the optimizers have the variables of before. Received: other "
                    f"variables of the {player}"
                )

    def minimize(self, loss_fn, player, *args):
        """One update of one player.

        What its networks add of their own, by regularizers or `add_loss`, is added to the loss,
        unless it is to another player's before it.

        Args:
            loss_fn: callable of `args` that returns a scalar; what it logs is kept.
            player: str. The player whose variables move.
            *args: what `loss_fn` takes.

        Returns:
            The loss, a scalar.
        """
        return self.minimize_together(lambda *args: [loss_fn(*args)], [player], *args)[0]

    def minimize_together(self, losses_fn, players, *args):
        """One update of each of several players, of losses that one pass of the networks gives.

        What a player's networks add of their own is added to its loss, as in `minimize`.

        Args:
            losses_fn: callable of `args` that returns a scalar for each player; what it logs is
                kept.
            players: list of str.
            *args: what `losses_fn` takes.

        Returns:
            The losses, a list of scalars.
        """
        groups = [self.optimizer.player_variables[player] for player in players]
        layers, weights = ([adds[player] for player in players] for adds in self._adds_of)

        def regularized_losses():
            with own_losses.collected(layers) as own:
                losses = losses_fn(*args)
            return [
                loss + sum(its) + sum(own_losses.of_weights(variables))
                for loss, its, variables in zip(losses, own, weights, strict=True)
            ]

        attributes = vars(self)  # as Keras looks at each that is set, which takes a while
        attributes["_minimizing"] = players
        try:
            if not any(groups):  # they are frozen
                return regularized_losses()
            optimizers = [self.optimizer[player] for player in players]
            losses, gradients = backend.values_and_grads(regularized_losses, groups, optimizers)
        finally:
            attributes["_minimizing"] = None
        for player, own_gradients in zip(players, gradients, strict=True):
            self.move(player, own_gradients)
        return losses

    def move(self, player, gradients):
        """One step of a player's optimizer, by the gradients of its variables."""
        optimizer = self.optimizer[player]
        variables = self.optimizer.player_variables[player]
        if not variables:
            return
        if f"{player}_gradient_norm" in self._trackers:
            whole = backend.add_up(gradients)
            self._log_gradient_norm(player, whole, optimizer.scale_loss(1.0))
        backend.apply_gradients(optimizer, gradients, variables)
        for layer in self._spectral_layers[player]:
            layer.normalize()

    def _log_gradient_norm(self, player, gradients, scale):
        of_float32 = (ops.cast(gradient, "float32") for gradient in gradients)
        squares = [ops.sum(ops.square(gradient / scale)) for gradient in of_float32]
        norm = ops.sqrt(sum(squares))
        counts = ops.isfinite(norm)  # an overflow under a loss scale is a step that is skipped
        self._logged_names.add(f"{player}_gradient_norm")
        self._trackers[f"{player}_gradient_norm"].update_state(
            ops.where(counts, norm, 0.0), ops.cast(counts, "float32")
        )

    def log(self, weight=None, **values):
        """Adds to the means that `fit` shows.

        Args:
            weight: tensor (batch,), what each example counts, or None for all alike.
            **values: scalars, or tensors of one value an example.
        """
        for name, value in values.items():
            if self._minimizing is not None:
                by_name = [each for each in self._minimizing if name.startswith(f"{each}_")]
                self._player_of.setdefault(name, (by_name or self._minimizing)[0])
            self._logged_names.add(name)
            value = ops.stop_gradient(ops.cast(value, "float32"))
            self._trackers[name].update_state(value, weight)

    def player_of(self, name):
        """The player whose loss logs this first in a step, None where none does."""
        return self._player_of.get(name)

    def run_train_step(self, data):
        """Called by the backend's `train_step` with a batch of what `fit` was given."""
        logs = self._run_step(self.training_step, data, self.seed_generator)
        with backend.after(data):
            self._steps.assign_add(1)
        return logs

    def run_test_step(self, data):
        """Called by the backend's `test_step` with a batch of what `evaluate` was given."""
        return self._run_step(self.evaluation_step, data, self.evaluation_seed_generator)

    def _run_step(self, step, data, generator):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        refuse_weights(sample_weight=sample_weight)
        vars(self)["_logged_names"] = set()
        step(*self.inputs(x, y), StepNoise(generator.next()))
        shown = self._logged_names or self._trackers  # TensorFlow wants some
        return {name: tracker.result() for name, tracker in self._trackers.items() if name in shown}

    def get_metrics_result(self):
        """The means of what was logged since they began."""
        results = super().get_metrics_result()
        return {
            name: results[name]
            for name, tracker in self._trackers.items()
            if float(ops.convert_to_numpy(tracker.count)) > 0
        }

    def __call__(self, *args, **kwargs):
        if type(self).call is keras.Model.call:
            refuse_call(self, "model(...)")
        return super().__call__(*args, **kwargs)

    def predict(self, *args, **kwargs):
        """Refused, in words: the verbs are what predicts."""
        refuse_call(self, "predict(...)")

    def figures(self, logs):
        """What to report of `evaluate`'s logs, by name."""
        return logs

    @property
    def metrics(self):
        """The logged means, and none that was not logged."""
        return list(self._trackers.values())

    def reset_metrics(self):
        """Starts the means anew, and the noise of validation with them."""
        super().reset_metrics()
        self.evaluation_seed_generator.state.assign([EVALUATION_SEED, 0])

    @property
    def steps(self):
        """The steps so far, one a batch, those of earlier calls of `fit` too: a scalar tensor."""
        return ops.convert_to_tensor(self._steps)

    def now(self, name):
        """The value in this step of an attribute that is a `Scalar`, as a tensor."""
        return current(self, name, self.steps)

    def compiled_function(self, function, **static):
        """A function of nests of tensors that changes no variable, compiled once.

        When a network has been replaced, quantized or given an adapter, it is compiled anew.

        Args:
            function: callable. Another one of the same code counts as the same, unless it holds
                other things of where it was made.
            **static: further arguments that are not tensors; it is compiled for each of them.
        """
        parts = [*self._flatten_layers(), *self.variables]
        if [*map(id, parts)] != [*map(id, vars(self).get("_compiled_for", []))]:
            self._functions.clear()
            # As it holds the model, Keras shall not go through it when it loads: a list it would.
            vars(self)["_compiled_for"] = collections.deque(parts)
        key = identity(function), *sorted(static.items())
        if key not in self._functions:
            if static:
                function = functools.partial(function, **static)
            self._functions[key] = backend.compile_function(self, function)
        return self._functions[key]

    def _seed_generators_of_all(self):
        return [each for layer in self._flatten_layers() for each in layer._seed_generators]

    def __setattr__(self, name, value):
        if name in vars(self) and name in _arguments(type(self)):
            earlier = vars(self)[name]
            if _is_plain(earlier) and _is_plain(value) and earlier != value:
                raise AttributeError(
                    f"Expected {name} to stay as the model was made, which its steps were written "
                    f"for: make another model. Received: {name}={value!r}, after {earlier!r}"
                )
        super().__setattr__(name, value)

    def get_config(self):
        return super().get_config() | {"seed": self.seed}


@functools.cache
def _arguments(model_class):
    """The names of the arguments of a class' and its parents' `__init__`."""
    return {
        name
        for part in model_class.__mro__
        if "__init__" in vars(part) and issubclass(part, GenerativeModel)
        for name in inspect.signature(part.__init__).parameters
    } - {"self", "kwargs"}


def _refuse_half_precision(player_variables):
    """Raises a ValueError if a player's variables are too coarse for an optimizer's steps."""
    for player, variables in player_variables.items():
        for variable in variables:
            if (dtype := str(variable.dtype)) in ("float16", "bfloat16"):
                raise ValueError(
                    f"Expected weights of float32 or float64 in the {player}, of which half "
                    f"precision would lose most steps: dtype='mixed_{dtype}' keeps float32 weights "
                    f"and computes in {dtype}. Received: {variable.path} of {dtype}"
                )


def _layers_of(networks):
    layers = [layer for network in networks for layer in network._flatten_layers()]
    return list({id(layer): layer for layer in layers}.values())


def _of_the_first(by_player):
    """Lists by player, each without what is in an earlier one."""
    seen, found = set(), {}
    for player, each in by_player.items():
        found[player] = [one for one in each if id(one) not in seen]
        seen |= set(map(id, each))
    return found


def _is_plain(value):
    return value is None or isinstance(value, (bool, int, float, str, tuple, list, Field))


def to_unit_range(x):
    """Float32 images: integers 0..255 divided by 255, other types as they are."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    x = ops.cast(x, "float32")
    return x / 255.0 if "int" in dtype else x
