"""The seam on JAX, where stateful code runs inside scopes that hold the variables' values."""

import contextlib
import functools
import math
import os
import random
import threading
import weakref

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental import multihost_utils

from kgen.backend.jax_convolutions import (  # noqa: F401
    conv2d,
    conv2d_transpose,
    depthwise_conv2d,
)
from kgen.backend.jax_flags import set_flags
from kgen.backend.jax_memory import keep_freed_memory
from kgen.backend.replicas import (
    PartOfBatches,
    in_a_thread,
    let_threads_finish,
    telling_of_lost_processes,
)
from kgen.backend.turns import Turns

set_flags()
keep_freed_memory()

WRONG_SECOND_DERIVATIVES = ()

STEPS_PAST_THE_END = False

XLA_ASKS_HOST = True
COMPILES_EACH_SIZE = True

SCAN_UNROLL = 1


class _Losses(list):
    """What layers added in a scope; Keras 3.13 removes while it iterates, by comparing numbers."""

    def __iter__(self):
        return iter(self[:])

    def remove(self, loss):
        self[:] = [each for each in self[:] if each is not loss]


class _Scope(keras.StatelessScope):
    """A StatelessScope that starts from the enclosing scope's values and knows what changed.

    Keras' own scope does not fall through to an outer one: a variable that is not in its mapping
    would be read with the value it had before the step.
    """

    of_thread = threading.local()

    def __init__(self, variables, values):
        super().__init__(zip(variables, values, strict=True), collect_losses=True)
        self.losses = _Losses()
        self.updated = {}

    def __enter__(self):
        super().__enter__()
        _Scope.of_thread.num_open = _Scope.num_open() + 1
        if self.original_scope is not None:
            self.state_mapping = self.original_scope.state_mapping | self.state_mapping
        return self

    def __exit__(self, *error):
        _Scope.of_thread.num_open -= 1
        super().__exit__(*error)

    @classmethod
    def num_open(cls):
        """How many scopes this thread is in."""
        return getattr(cls.of_thread, "num_open", 0)

    def add_update(self, update):
        variable, _ = update
        self.updated[id(variable)] = variable
        super().add_update(update)


_TEST_STATE = ("trainable_variables", "non_trainable_variables", "metrics_variables")
_TRAIN_STATE = (*_TEST_STATE[:2], "optimizer_variables", "metrics_variables")


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once.

    JAX wants pure functions of `(state, data)`: the stateful step runs inside one scope over the
    whole state, and the new state is read from the scope when it is done.
    """

    @property
    def num_replicas(self):
        """How many replicas a batch is divided over."""
        return _num_replicas()

    @property
    def num_processes(self):
        """How many processes train together."""
        return jax.process_count()

    @property
    def process_index(self):
        """The number of this process among them; 0 writes."""
        return jax.process_index()

    def prepare_replicas(self, generators):
        """Makes ready for steps on several replicas; call it before `fit` and `evaluate`.

        Args:
            generators: list of the model's SeedGenerators. All replicas together draw from them as
                one would.

        Raises:
            ValueError: the model was made before the distribution was set.
        """
        del generators
        if keras.distribution.distribution() is None:
            return
        if self.num_processes > 1 and jax.default_backend() == "cpu":
            let_threads_finish()
        variables = [*self.variables, *([] if self.optimizer is None else self.optimizer.variables)]
        if any(isinstance(v.value.sharding, jax.sharding.SingleDeviceSharding) for v in variables):
            raise ValueError(
                "Expected a model made under the distribution it trains with: call "
                "keras.distribution.set_distribution before the model is made. Received: a model "
                "made without one."
            )

    def mean_over_processes(self, number):
        """The mean of a number over the processes, which wait for each other."""
        if self.num_processes == 1:
            return number
        return float(multihost_utils.process_allgather(np.float32(number)).mean())

    def logged(self, logs):
        """The numbers behind the means of `logs`, without asking other processes."""
        return [float(v.value) for v in self.metrics_variables]

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`, which says what to do when another process stops."""
        _TRAINING.add(self)
        try:
            return self._fit(*args, **kwargs)
        except BaseException:
            self.jax_state_sync()  # Keras would leave the variables without values
            raise
        finally:
            _TRAINING.discard(self)

    @functools.cached_property
    def turns(self):
        """In which threads use the variables, whose values Keras keeps elsewhere during `fit`."""
        return Turns()

    def jax_state_sync(self):
        with self.turns.look():
            if not vars(self).get("_jax_state") or self._jax_state_synced:
                return
            for name, values in self._jax_state.items():
                # Those that there were: a layer may have been frozen since.
                for variable, value in zip(self._state_variables[name], values, strict=True):
                    variable.assign(value)
            vars(self)["_jax_state_synced"] = True

    def _get_jax_state(self, purge_model_variables=False, **which):
        with self.turns.step():
            state = super()._get_jax_state(purge_model_variables=purge_model_variables, **which)
            names = [name for name, is_wanted in which.items() if is_wanted]
            vars(self)["_state_variables"] = {name: self._variables_of(name) for name in names}
            if purge_model_variables:  # until the first step is done, which may raise
                self._keep_state(names, state)
        return state

    def _variables_of(self, name):
        return list(self.optimizer.variables if name == _TRAIN_STATE[2] else getattr(self, name))

    def _keep_state(self, names, state):
        attributes = vars(self)  # as Keras looks at each that is set, which takes a while
        attributes["_jax_state"] = dict(zip(names, state, strict=True))
        attributes["_jax_state_synced"] = False

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = self._in_turn(self.train_function, _TRAIN_STATE)

    def make_test_function(self, force=False):
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = self._in_turn(self.test_function, _TEST_STATE)

    def _in_turn(self, function, names):
        """A step whose state other threads find when it is done."""

        def step(state, iterator):
            with self.turns.step():
                vars(self)["_jax_state_synced"] = False
                logs, state = function(state, iterator)
                self._keep_state(names, state)
                return logs, state

        return step

    def _fit(self, *args, **kwargs):
        if self.num_processes == 1:
            return super().fit(*args, **kwargs)
        with telling_of_lost_processes(jax.errors.JaxRuntimeError, "Gloo|NCCL|onnection|heartbeat"):
            return super().fit(*args, **kwargs)

    def train_step(self, state, data):
        optimizer_variables = self.optimizer.variables
        return self._run_in_scope(self.run_train_step, state, data, optimizer_variables)

    def test_step(self, state, data):
        return self._run_in_scope(self.run_test_step, state, data)

    def _run_in_scope(self, step, state, data, *optimizer_variables):
        state_variables = (
            self.trainable_variables,
            self.non_trainable_variables,
            *optimizer_variables,
            self.metrics_variables,
        )
        variables = keras.tree.flatten(state_variables)
        with _Scope(variables, keras.tree.flatten(state)) as scope:
            logs = step(data)
        known = {id(variable) for variable in variables}
        for key, variable in scope.updated.items():
            if key not in known:
                raise ValueError(
                    "The step changed a variable that is not part of the model's state, and the "
                    "change would be lost. Make its layer, metric or SeedGenerator an attribute "
                    f"of the model. Received: variable={variable.path}"
                )
        new_state = tuple(
            [scope.get_current_value(variable) for variable in group] for group in state_variables
        )
        return logs, new_state


def _num_replicas():
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else math.prod(distribution.device_mesh.shape)


@contextlib.contextmanager
def strategy(name):
    """What a model is made and trained in, to do so on several devices.

    Args:
        name: None, or "data_parallel" for all devices, those of other hosts among them when
            KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and _PROCESS_ID name them.
    """
    if name is None:
        yield
        return
    if name != "data_parallel":
        raise ValueError(
            f"Expected the strategy 'data_parallel' on JAX. Received: strategy={name!r}"
        )
    addresses = os.environ.get("KERAS_DISTRIBUTION_JOB_ADDRESSES")
    if addresses and not jax.distributed.is_initialized():
        # As keras.distribution.initialize does, which would take minutes to see that one is gone.
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(
            addresses.split(",")[0],
            int(os.environ["KERAS_DISTRIBUTION_NUM_PROCESSES"]),
            int(os.environ["KERAS_DISTRIBUTION_PROCESS_ID"]),
            heartbeat_timeout_seconds=30,
            shutdown_timeout_seconds=60,
        )
        # All have to make the same weights, also where nobody gave a seed.
        seed = multihost_utils.broadcast_one_to_all(np.int32(random.randrange(2**31)))
        random.seed(int(seed))  # where Keras' initializers take their seeds from
    devices = keras.distribution.list_devices()
    with keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False).scope():
        yield


def without_strategy(function, *args, **kwargs):
    """Calls a function as where no strategy is set: on one device, without the others."""
    is_set = keras.distribution.distribution() is not None
    return in_a_thread(function, *args, **kwargs) if is_set else function(*args, **kwargs)


def mean_over_replicas(x):
    """`x`: a tensor is that of all replicas at once."""
    return x


def sum_over_replicas(x):
    """`x`: a tensor is that of all replicas at once."""
    return x


def of_first_replica(x):
    """`x`, which is the same on all replicas."""
    return x


def moments_over_replicas(mean, variance):
    """Those that are given, which are of all rows."""
    return mean, variance


def over_replicas(x):
    """`x`, whose rows are divided over the replicas as those of the batch are.

    XLA would have each replica compute all rows of what depends on no images, as a generator's.

    Args:
        x: tensor (batch, ...).
    """
    num = _num_replicas()
    if num == 1 or x.shape[0] % num:
        return x
    distribution = keras.distribution.distribution()
    layout = distribution.get_data_layout(x.shape).backend_layout
    return jax.lax.with_sharding_constraint(x, layout)


def _differentiate(fn, variables, values):
    """fn(values) and its gradients, with the variables it updates brought out as aux.

    Each scalar's is the transpose of its own part of one linearization: what `jax.vjp` gives would
    pass back the zeros of all others as well, which are NaN where a derivative is infinite.

    Args:
        fn: `values -> (list of scalars, result)`; it may read and update variables.
        variables: list of the variables that take the value of `values`; empty for a function of
            a tensor.
        values: what to differentiate by.

    Returns:
        `result`, and of each scalar the gradient with respect to `values`.
    """
    updated = []

    def pure(values):
        with _Scope(variables, values if variables else []) as scope:
            scalars, result = fn(values)
        updated[:] = scope.updated.values()
        return scalars, (result, [scope.get_current_value(variable) for variable in updated])

    scalars, tangents, (result, new_values) = jax.linearize(pure, values, has_aux=True)
    for variable, value in zip(updated, new_values, strict=True):
        variable.assign(value)

    def gradient(i):
        pull_back = jax.linear_transpose(lambda tangent: tangents(tangent)[i], values)
        return pull_back(jnp.ones_like(scalars[i]))[0]

    return result, [gradient(i) for i in range(len(scalars))]


def values_and_grads(losses_fn, groups, optimizers):
    """Several losses of one pass, and the gradients of each with respect to variables of its own.

    Args:
        losses_fn: callable without arguments that returns a scalar for each group.
        groups: list of lists of keras.Variable.
        optimizers: list of the optimizers that scale the losses, or None where none does.

    Returns:
        The unscaled losses, and for each a list of gradients, zeros where it does not depend on the
        variable.
    """

    def scaled_losses(_):
        losses = losses_fn()
        pairs = zip(losses, optimizers, strict=True)
        return [each if by is None else by.scale_loss(each) for each, by in pairs], losses

    place = {id(variable): variable for variables in groups for variable in variables}
    values = [variable.value for variable in place.values()]
    losses, gradients = _differentiate(scaled_losses, list(place.values()), values)
    of_variable = [dict(zip(place, each, strict=True)) for each in gradients]
    pairs = zip(groups, of_variable, strict=True)
    return losses, [[found[id(v)] for v in variables] for variables, found in pairs]


def add_up(gradients):
    """The gradients themselves, which are those of the whole batch."""
    return gradients


def apply_gradients(optimizer, gradients, variables):
    """Moves `variables` by one step of `optimizer`."""
    new_values, new_optimizer_values = optimizer.stateless_apply(
        [variable.value for variable in optimizer.variables],
        gradients,
        [variable.value for variable in variables],
    )
    for variable, value in zip(variables, new_values, strict=True):
        variable.assign(value)
    for variable, value in zip(optimizer.variables, new_optimizer_values, strict=True):
        variable.assign(value)


def input_gradient(fn, x, has_aux=False):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`.

    Args:
        fn: callable of `x`, which returns a tensor, or with `has_aux` this and anything else.
        x: tensor.
        has_aux: bool. Whether what else `fn` returns is returned after the gradient.
    """

    def scalar(x):
        y, aux = fn(x) if has_aux else (fn(x), None)
        return [jnp.sum(y)], aux

    aux, (gradient,) = _differentiate(scalar, [], x)
    return (gradient, aux) if has_aux else gradient


def on_host(function, dtype, *tensors):
    """What a function of NumPy arrays gives, inside a compiled step too.

    Args:
        function: callable of arrays that returns one, a number a row of the first.
        dtype: str. Of what it returns.
        *tensors: what it is called with; there is no gradient through it.

    Returns:
        Tensor (batch,).
    """
    result = jax.ShapeDtypeStruct(tensors[0].shape[:1], dtype)
    tensors = map(jax.lax.stop_gradient, tensors)
    return jax.pure_callback(lambda *arrays: function(*map(np.asarray, arrays)), result, *tensors)


def batch_norm(x, gamma, beta, epsilon, synchronized):
    """None: it is left to Keras' operations, which are compiled into as much."""
    del x, gamma, beta, epsilon, synchronized


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, as a compiled function."""

    @jax.jit
    def pure(values, args):
        with _Scope(model.variables, values):
            return fn(*args)

    def call(*args):
        with model.turns.look():
            model.jax_state_sync()  # in the middle of `fit` the variables' values are elsewhere
            return pure([variable.value for variable in model.variables], args)

    return call


_TRAINING = weakref.WeakSet()  # the models in `fit`, whose variables' values are elsewhere


@contextlib.contextmanager
def synchronized():
    """Inside, variables hold their values, in the middle of `fit` too; the next step reads them."""
    with contextlib.ExitStack() as stack:
        if not _Scope.num_open():  # in a step they do, and none is done whose state Keras has
            for model in list(_TRAINING):
                stack.enter_context(model.turns.look())
                model.jax_state_sync()
        yield


def innermost_loop():
    """What stands for the loop of `keras.ops` whose body is traced now; None outside of all."""
    return getattr(jnp.zeros(()), "_trace", None)


def small_operations():
    """Nothing: small operations are compiled together."""
    return contextlib.nullcontext()


def is_traced():
    """Whether what runs now is being compiled, so that a number would be frozen into it."""
    return isinstance(jnp.zeros(()), jax.core.Tracer)


def lacks_memory(error):
    """Whether an error says that memory, the device's or the machine's, was not enough."""
    return isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED: " in str(error)


def leaky_relu(x, negative_slope):
    """Keras' leaky ReLU.

    Args:
        x: tensor.
        negative_slope: float above 0.
    """
    return keras.ops.leaky_relu(x, negative_slope)


def relu(x):
    """Keras' ReLU.

    Args:
        x: tensor.
    """
    return keras.ops.relu(x)


def linear(x, kernel, bias):
    """A matrix product and a sum.

    Args:
        x: tensor (batch, i).
        kernel: tensor (i, o).
        bias: tensor (o,) or (batch, o).
    """
    return x @ kernel + bias


def after(tensors):
    """Nothing: what is computed inside waits for no tensors."""
    del tensors
    return contextlib.nullcontext()


def input_pipeline(reading):
    """The `Reading` itself, or of several processes this one's part of every batch."""
    if _num_replicas() == 1:
        return reading
    return PartOfBatches(reading, jax.process_index(), jax.process_count(), _num_replicas())


def device():
    """The name of the device that computes, or of the first of several alike."""
    return jax.devices()[0].device_kind


def set_deterministic():
    """Makes the same steps give the same bits, at some cost in speed; call it first of all."""
    flags = "--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
