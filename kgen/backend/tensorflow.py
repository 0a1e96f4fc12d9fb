"""The seam on TensorFlow."""

import contextlib
import functools

import keras
import numpy as np
import tensorflow as tf

from kgen.backend.replicas import (
    draw_apart,
    in_a_thread,
    let_threads_finish,
    pooled,
    telling_of_lost_processes,
)
from kgen.backend.workers import read_tf_config, waiting

# keras.ops.moments stops the gradient of the mean, which is then missing in second derivatives.
WRONG_SECOND_DERIVATIVES = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)

STEPS_PAST_THE_END = True  # what of a step does not depend on the batch runs without one

XLA_ASKS_HOST = False
COMPILES_EACH_SIZE = False

SCAN_UNROLL = 4  # without XLA a turn of a loop costs as much as a small network in it


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once.

    With `tf.distribute.MultiWorkerMirroredStrategy`, Keras' own `fit` fails in two places: in
    `_maybe_symbolic_build`, which averages a batch over the workers to build a model that is built
    already, and where it averages scalar logs along their first axis, each in messages of its own.
    The first does nothing here, and all logs are one tensor that has that axis.
    """

    def train_step(self, data):
        return self._together(self.run_train_step(data))

    def test_step(self, data):
        return self._together(self.run_test_step(data))

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = self._apart(self.train_function)

    def make_test_function(self, force=False):
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = self._apart(self.test_function)

    def _together(self, logs):
        if self.num_processes == 1:
            return logs
        return {tuple(logs): tf.stack([*logs.values()])[None]}

    def _apart(self, function):
        if self.num_processes == 1:
            return function

        def call(iterator):
            ((names, logs),) = function(iterator).items()
            return dict(zip(names, tf.unstack(logs), strict=True))

        return call

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Nothing: kgen's models are built when they are made."""

    @property
    def num_replicas(self):
        """How many replicas a batch is divided over."""
        return self.distribute_strategy.num_replicas_in_sync

    @property
    def num_processes(self):
        """How many processes train together."""
        resolver = self.distribute_strategy.cluster_resolver
        return 1 if resolver is None else max(1, resolver.cluster_spec().num_tasks("worker"))

    @property
    def process_index(self):
        """The number of this process among them; 0 writes."""
        return 0 if self.num_processes == 1 else self.distribute_strategy.cluster_resolver.task_id

    def prepare_replicas(self, generators):
        """Makes ready for steps on several replicas; call it before `fit` and `evaluate`.

        Args:
            generators: list of the model's SeedGenerators, which each replica draws others from.

        Raises:
            ValueError: the model was made outside the scope of the strategy, or its optimizer
                clips gradients.
        """
        within = tf.distribute.get_strategy()
        if tf.distribute.has_strategy() and within is not self._distribute_strategy:
            raise ValueError(
                "Expected a model made under the strategy it trains with: make and compile it "
                "inside `with strategy.scope():`. Received: a model made outside of it."
            )
        if self.num_processes > 1 and not keras.__version__.startswith(("3.13.", "3.15.")):
            raise ImportError(
                "kgen mends what MultiWorkerMirroredStrategy lacks in Keras 3.13 and 3.15, and "
                "knows no other version: pip install 'keras==3.15.*'. Received: Keras "
                f"{keras.__version__}"
            )
        if self.num_processes > 1 and not tf.config.list_physical_devices("GPU"):
            let_threads_finish()
        if self.num_replicas > 1:
            draw_apart(generators, _replica)
            self._refuse_clipping()

    def _refuse_clipping(self):
        for optimizer in getattr(self.optimizer, "optimizers", []):
            for name in ("clipnorm", "global_clipnorm", "clipvalue"):
                value = getattr(getattr(optimizer, "inner_optimizer", optimizer), name)
                if value is not None:
                    raise ValueError(
                        f"Expected an optimizer without {name} on several replicas: Keras would "
                        "clip each replica's part of the gradient before they are added up. "
                        f"Received: {name}={value}"
                    )

    def mean_over_processes(self, number):
        """The mean of a number over the processes, which wait for each other."""
        if self.num_processes == 1:
            return number
        strategy = self.distribute_strategy
        numbers = strategy.run(lambda: tf.constant(number, tf.float64))
        return float(strategy.reduce(tf.distribute.ReduceOp.MEAN, numbers, axis=None))

    def logged(self, logs):
        """The numbers behind the means of `logs`, without asking other processes."""
        strategy = self.distribute_strategy
        numbers = []
        for metric in self.metrics:
            own = [strategy.experimental_local_results(v.value) for v in metric.variables]
            total, count = (float(sum(x)) * strategy.num_replicas_in_sync / len(x) for x in own)
            if self.num_processes > 1:  # whose totals differ
                total = float(logs[metric.name]) * count
            numbers += [total, count]
        return numbers

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`, which says what to do when another process stops."""
        if self.num_processes == 1:
            return super().fit(*args, **kwargs)
        with telling_of_lost_processes(tf.errors.OpError, "ollective"):
            return super().fit(*args, **kwargs)


def _replica():
    context = tf.distribute.get_replica_context()
    return 0 if context is None else context.replica_id_in_sync_group


@contextlib.contextmanager
def strategy(name):
    """What a model is made and trained in, to do so on several devices.

    Args:
        name: None; "mirrored", for all GPUs of this machine; or "multi_worker", for the machines
            that TF_CONFIG names.
    """
    if name is None:
        yield
        return
    if name not in ("mirrored", "multi_worker"):
        raise ValueError(
            "Expected the strategy 'mirrored' or 'multi_worker' on TensorFlow. "
            f"Received: strategy={name!r}"
        )
    if name == "multi_worker":
        with waiting(*read_tf_config()):
            chosen = tf.distribute.MultiWorkerMirroredStrategy()
    elif tf.config.list_physical_devices("GPU"):
        chosen = tf.distribute.MirroredStrategy()
    else:  # TensorFlow's collectives of CPUs in one process are for one model only
        chosen = tf.distribute.MirroredStrategy(
            cross_device_ops=tf.distribute.ReductionToOneDevice()
        )
    with chosen.scope():
        yield


def _context():
    """What this replica asks of the others, if there are others."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def without_strategy(function, *args, **kwargs):
    """Calls a function as where no strategy is set: on one device, without the others."""
    is_set = tf.distribute.has_strategy()
    return in_a_thread(function, *args, **kwargs) if is_set else function(*args, **kwargs)


def mean_over_replicas(x):
    """The mean of a tensor over the replicas, differentiable."""
    context = _context()
    return x if context is None else context.all_reduce(tf.distribute.ReduceOp.MEAN, x)


def sum_over_replicas(x):
    """The sum of a tensor over the replicas."""
    context = _context()
    return x if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, x)


def of_first_replica(x):
    """The tensor of the first replica."""
    context = _context()
    if context is None:
        return x
    own = tf.cast(context.replica_id_in_sync_group == 0, x.dtype) * x
    return context.all_reduce(tf.distribute.ReduceOp.SUM, own)


def moments_over_replicas(mean, variance):
    """The moments of all replicas' rows from those of each one's, (channels,), differentiable."""
    context = _context()
    if context is None:
        return mean, variance
    own = tf.one_hot(context.replica_id_in_sync_group, context.num_replicas_in_sync)
    rows = tf.cast(own, mean.dtype)[:, None, None] * tf.stack([mean, variance])
    return pooled(*tf.unstack(context.all_reduce(tf.distribute.ReduceOp.SUM, rows), axis=1))


def over_replicas(x):
    """`x`: each replica makes its own rows."""
    return x


def values_and_grads(losses_fn, groups, optimizers):
    """Several losses of one pass, and the gradients of each with respect to variables of its own.

    Args:
        losses_fn: callable without arguments that returns a scalar for each group.
        groups: list of lists of keras.Variable.
        optimizers: list of the optimizers that scale the losses, or None where none does.

    Returns:
        The unscaled losses, and for each a list of gradients, zeros where it does not depend on the
        variable. Optimizers sum gradients over replicas, so each replica's are divided by
        their number.
    """
    values = [[variable.value for variable in variables] for variables in groups]
    share = 1.0 / tf.distribute.get_strategy().num_replicas_in_sync
    with tf.GradientTape(persistent=len(groups) > 1, watch_accessed_variables=False) as tape:
        tape.watch(values)
        losses = losses_fn()
        pairs = zip(losses, optimizers, strict=True)
        scaled = [each if by is None else by.scale_loss(each) for each, by in pairs]
        scaled = [share * each for each in scaled]
    zeros = tf.UnconnectedGradients.ZERO
    pairs = zip(scaled, values, strict=True)
    return losses, [tape.gradient(*pair, unconnected_gradients=zeros) for pair in pairs]


def add_up(gradients):
    """The gradients of the whole batch from those that `values_and_grads` gives on each replica."""
    context = _context()
    if context is None:
        return gradients
    return context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def apply_gradients(optimizer, gradients, variables):
    """Moves `variables` by one step of `optimizer`."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        gradients = _overflow_together(gradients)
    optimizer.apply(gradients, variables)


def _overflow_together(gradients):
    """The gradients, or NaN on every replica if they are not finite on one.

    Of several replicas, Keras looks at the first when it decides whether a step is skipped.
    """
    context = _context()
    if context is None:
        return gradients
    is_finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
    poison = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.where(is_finite, 0.0, np.nan))
    return [gradient + poison for gradient in gradients]


def input_gradient(fn, x, has_aux=False):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`.

    Args:
        fn: callable of `x`, which returns a tensor, or with `has_aux` this and anything else.
        x: tensor.
        has_aux: bool. Whether what else `fn` returns is returned after the gradient.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y, aux = fn(x) if has_aux else (fn(x), None)
    gradient = tape.gradient(y, x)
    return (gradient, aux) if has_aux else gradient


def conv2d(x, kernel, strides=(1, 1), bias=None, padding="same"):
    """A convolution (batch, h, w, i) -> (batch, h / strides[0], w / strides[1], o), rounded up.

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, i, o).
        strides: pair of int.
        bias: tensor (o,) or None.
        padding: "same", or "valid" for the places alone where the kernel is inside.
    """
    y = keras.ops.conv(x, kernel, strides, padding=padding, data_format="channels_last")
    # Of this shape Keras adds it by an operation that is fused with the convolution.
    return y if bias is None else keras.ops.add(y, keras.ops.reshape(bias, (1, 1, 1, -1)))


def depthwise_conv2d(x, kernel, strides=(1, 1)):
    """A convolution of each channel by itself, with padding "same".

    Args:
        x: tensor (batch, h, w, c).
        kernel: tensor (height, width, c, 1).
        strides: pair of int.
    """
    return keras.ops.depthwise_conv(x, kernel, strides, padding="same", data_format="channels_last")


def conv2d_transpose(x, kernel, strides, bias=None):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
        bias: tensor (o,) or None.
    """
    y = keras.ops.conv_transpose(x, kernel, strides, padding="same", data_format="channels_last")
    return y if bias is None else y + bias


def on_host(function, dtype, *tensors):
    """What a function of NumPy arrays gives, inside a compiled step too, but not under XLA.

    Args:
        function: callable of arrays that returns one, a number a row of the first.
        dtype: str. Of what it returns.
        *tensors: what it is called with; there is no gradient through it.

    Returns:
        Tensor (batch,).
    """
    found = tf.numpy_function(function, tensors, dtype, stateful=False)
    found.set_shape(tensors[0].shape[:1])
    return found


def batch_norm(x, gamma, beta, epsilon, synchronized):
    """None: it is left to Keras' operations, which are compiled into as much."""
    del x, gamma, beta, epsilon, synchronized


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, as a compiled function."""
    del model  # a traced function holds the variables themselves
    # TensorFlow counts the traces of all models' together, by their code, unless it sees none.
    return tf.function(functools.partial(fn), reduce_retracing=True, autograph=False)


def lacks_memory(error):
    """Whether an error says that memory, the device's or the machine's, was not enough."""
    return isinstance(error, (MemoryError, tf.errors.ResourceExhaustedError))


def leaky_relu(x, negative_slope):
    """Leaky ReLU, whose gradient needs its outputs and not its inputs.

    Args:
        x: tensor.
        negative_slope: float above 0.
    """

    @tf.custom_gradient
    def function(x):
        y = tf.nn.leaky_relu(x, negative_slope)
        signs = tf.stop_gradient(y)

        def gradient(upstream):
            return tf.raw_ops.LeakyReluGrad(
                gradients=upstream, features=signs, alpha=negative_slope
            )

        return y, gradient

    return function(x)


def relu(x):
    """Keras' ReLU.

    Args:
        x: tensor.
    """
    return keras.ops.relu(x)


def linear(x, kernel, bias):
    """A matrix product and a sum, in one operation if the bias is one for all.

    Args:
        x: tensor (batch, i).
        kernel: tensor (i, o).
        bias: tensor (o,) or (batch, o).
    """
    if len(bias.shape) == 1:
        return tf.nn.bias_add(tf.matmul(x, kernel), bias)
    return tf.matmul(x, kernel) + bias


def after(tensors):
    """Inside, what does not depend on tensors waits for them, as for a batch at the data's end."""
    return tf.control_dependencies([t for t in tf.nest.flatten(tensors) if t is not None])


def synchronized():
    """Nothing: variables hold their values, in the middle of `fit` too."""
    return contextlib.nullcontext()


def innermost_loop():
    """What stands for the loop of `keras.ops` whose body is traced now; None outside of all."""
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    while graph is not None and type(graph).__name__ != "WhileBodyFuncGraph":
        graph = getattr(graph, "outer_graph", None)
    return graph


def small_operations():
    """Nothing: small operations are compiled together."""
    return contextlib.nullcontext()


def is_traced():
    """Whether what runs now is being compiled, so that a number would be frozen into it."""
    return not tf.executing_eagerly()


def input_pipeline(reading):
    """A tf.data.Dataset of the same batches, read many at a time.

    Keras calls Python for each batch of a PyDataset, at up to a millisecond a call.

    Args:
        reading: Reading. Each pass is that of its position when the pass starts.
    """
    first = reading[0]
    at_a_time = max(1, min(16, 2**23 // sum(part.nbytes for part in first)))

    def stack(batches):
        return tuple(np.stack(parts) for parts in zip(*batches, strict=True))

    def blocks():
        batches = []
        for batch in reading:
            if batches and (len(batches) == at_a_time or batch[0].shape != batches[0][0].shape):
                yield stack(batches)
                batches = []
            batches.append(batch)
        yield stack(batches)

    signature = tuple(tf.TensorSpec((None, None, *part.shape[1:]), part.dtype) for part in first)
    pipeline = tf.data.Dataset.from_generator(blocks, output_signature=signature).unbatch()
    options = tf.data.Options()
    # The tuner's thread can miss that an epoch is over, and then sleeps for as long as it lasted.
    options.autotune.enabled = False
    pipeline = pipeline.prefetch(at_a_time).with_options(options)
    # Of a whole pass, as Keras asks it: one that goes on in its middle has fewer, so that to assert
    # it would end a step of several batches that looks for more.
    pipeline.cardinality = lambda: tf.constant(len(reading), tf.int64)
    return pipeline


def device():
    """The name of the device that computes, or of the first of several alike."""
    found = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(found[0]) if found else {}
    return details.get("device_name", "gpu" if found else "cpu")


def set_deterministic():
    """Makes the same steps give the same bits, at some cost in speed; call it first of all."""
    tf.config.experimental.enable_op_determinism()
