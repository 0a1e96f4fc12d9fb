"""The seam on PyTorch."""

import contextlib
import os

import keras
import torch
from torch import distributed

from kgen.backend.replicas import (
    PartOfBatches,
    draw_apart,
    let_threads_finish,
    pooled,
    telling_of_lost_processes,
)
from kgen.backend.torch_adam import update_fused
from kgen.backend.torch_convolutions import (  # noqa: F401
    conv2d,
    conv2d_transpose,
    depthwise_conv2d,
)

WRONG_SECOND_DERIVATIVES = ()

STEPS_PAST_THE_END = False

XLA_ASKS_HOST = True
COMPILES_EACH_SIZE = False

SCAN_UNROLL = 0


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once.

    Steps run without recording a graph: `values_and_grads` records what it differentiates. When
    `torch.distributed` is initialized, the processes train one model: they start from the weights
    of the first, average their gradients and logs, and draw noise of their own.
    """

    @torch.no_grad()
    def train_step(self, data):
        logs = self.run_train_step(data)
        if self.num_processes > 1:
            _average([v.value for v in self._statistics])
            means = Model.get_metrics_result(self)
            return {name: means[name] for name in logs}
        return logs

    @torch.no_grad()
    def test_step(self, data):
        return self.run_test_step(data)

    @torch.no_grad()
    def get_metrics_result(self):
        """The means over the batches of all processes."""
        if self.num_processes == 1:
            return super().get_metrics_result()
        sums = torch.stack([v.value for metric in self.metrics for v in metric.variables])
        distributed.all_reduce(sums)
        self._logged = sums / self.num_processes
        totals, counts = sums[0::2], sums[1::2]
        means = torch.where(counts > 0, totals / counts, torch.zeros_like(totals))
        return {metric.name: mean for metric, mean in zip(self.metrics, means, strict=True)}

    @property
    def num_replicas(self):
        """How many replicas a batch is divided over."""
        return self.num_processes

    @property
    def num_processes(self):
        """How many processes train together."""
        return _world()

    @property
    def process_index(self):
        """The number of this process among them; 0 writes."""
        return distributed.get_rank() if self.num_processes > 1 else 0

    def prepare_replicas(self, generators):
        """Makes ready for steps on several replicas; call it before `fit` and `evaluate`.

        Args:
            generators: list of the model's SeedGenerators, which each replica draws others from.
        """
        if self.num_processes == 1:
            return
        if not torch.cuda.is_available():
            let_threads_finish()
        draw_apart(generators, distributed.get_rank)
        optimizer = [] if self.optimizer is None else self.optimizer.variables
        for variable in (*self.variables, *optimizer):
            distributed.broadcast(variable.value.data, 0)
        self._statistics = [
            variable
            for layer in self._flatten_layers()
            if isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized
            for variable in layer.non_trainable_variables
        ]

    def mean_over_processes(self, number):
        """The mean of a number over the processes, which wait for each other."""
        if self.num_processes == 1:
            return number
        total = keras.ops.convert_to_tensor(float(number))
        distributed.all_reduce(total)
        return float(total) / self.num_processes

    def logged(self, logs):
        """The numbers behind the means of `logs`, without asking other processes."""
        if self.num_processes > 1:
            return self._logged.tolist()
        return [float(v.value) for v in self.metrics_variables]

    def fit(self, *args, **kwargs):
        """`keras.Model.fit`, which says what to do when another process stops."""
        if self.num_processes == 1:
            return super().fit(*args, **kwargs)
        with telling_of_lost_processes(RuntimeError, "gloo|NCCL|onnection"):
            return super().fit(*args, **kwargs)


def _world():
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _average(tensors):
    """The means of tensors over all processes, in place and in one message."""
    if tensors:
        message = torch._utils._flatten_dense_tensors(tensors)
        distributed.all_reduce(message)
        message /= _world()
        parts = torch._utils._unflatten_dense_tensors(message, tensors)
        torch._foreach_copy_(tensors, parts)


@contextlib.contextmanager
def strategy(name):
    """What a model is made and trained in, to do so on several devices.

    Args:
        name: None. Under `torchrun` the processes that it started train together, each on a GPU of
            its own where there are some.
    """
    if name is not None:
        raise ValueError(
            "Expected no strategy on PyTorch, where `torchrun --nproc-per-node N -m kgen.cli train "
            f"...` trains on N devices. Received: strategy={name!r}"
        )
    if "TORCHELASTIC_RUN_ID" not in os.environ or distributed.is_initialized():
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group()
    yield
    distributed.destroy_process_group()  # after an error it would wait for who may be gone


class _Mean(torch.autograd.Function):
    """The mean over all processes, whose gradient is again the mean of theirs."""

    @staticmethod
    def forward(ctx, x):
        x = x.contiguous().clone()
        distributed.all_reduce(x)
        return x / _world()

    @staticmethod
    def backward(ctx, gradient):
        return _Mean.apply(gradient)


def without_strategy(function, *args, **kwargs):
    """Calls a function, which here no strategy can change."""
    return function(*args, **kwargs)


def mean_over_replicas(x):
    """The mean of a tensor over the replicas, differentiable."""
    return x if _world() == 1 else _Mean.apply(x)


def sum_over_replicas(x):
    """The sum of a tensor over the replicas."""
    if _world() > 1:
        x = x.contiguous().clone()
        distributed.all_reduce(x)
    return x


def of_first_replica(x):
    """The tensor of the first replica."""
    if _world() > 1:
        x = x.contiguous().clone()
        distributed.broadcast(x, 0)
    return x


def moments_over_replicas(mean, variance):
    """The moments of all replicas' rows from those of each one's, (channels,), differentiable."""
    if _world() == 1:
        return mean, variance
    return pooled(*_gathered(torch.stack([mean, variance])).unbind(1))


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
        variable; of several processes the gradients are the mean.
    """
    frozen = [v.path for variables in groups for v in variables if not v.value.requires_grad]
    if frozen:
        raise ValueError(
            "Expected compile() again, and then fit, after a network was frozen. Received: "
            f"{frozen[0]}, which is frozen"
        )
    with torch.enable_grad():
        losses = losses_fn()
        pairs = zip(losses, optimizers, strict=True)
        scaled = [each if by is None else by.scale_loss(each) for each, by in pairs]
    gradients = []
    for i, variables in enumerate(groups):
        if not variables:  # they are frozen
            gradients.append([])
            continue
        found = torch.autograd.grad(
            scaled[i],
            [variable.value for variable in variables],
            allow_unused=True,
            materialize_grads=True,
            retain_graph=i + 1 < len(groups),
        )
        gradients.append(list(found))
        if _world() > 1:
            _average(gradients[-1])
    return [each.detach() for each in losses], gradients


def add_up(gradients):
    """The gradients themselves, which are those of the whole batch."""
    return gradients


def apply_gradients(optimizer, gradients, variables):
    """Moves `variables` by one step of `optimizer`."""
    update_fused(getattr(optimizer, "inner_optimizer", optimizer))
    with torch.no_grad():
        optimizer.apply(gradients, variables)


@torch.compiler.disable  # torch.compile cannot differentiate twice
def input_gradient(fn, x, has_aux=False):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`.

    Args:
        fn: callable of `x`, which returns a tensor, or with `has_aux` this and anything else.
        x: tensor.
        has_aux: bool. Whether what else `fn` returns is returned after the gradient.
    """
    with torch.enable_grad():
        if not x.requires_grad:
            x = x.detach().requires_grad_()
        y, aux = fn(x) if has_aux else (fn(x), None)
        gradient = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
    return (gradient, aux) if has_aux else gradient


@torch.compiler.disable  # which knows no SciPy
def on_host(function, dtype, *tensors):
    """What a function of NumPy arrays gives.

    Args:
        function: callable of arrays that returns one, a number a row of the first.
        dtype: str. Of what it returns.
        *tensors: what it is called with; there is no gradient through it.

    Returns:
        Tensor (batch,).
    """
    found = function(*(tensor.detach().cpu().numpy() for tensor in tensors))
    return torch.as_tensor(found.astype(dtype), device=tensors[0].device)


def batch_norm(x, gamma, beta, epsilon, synchronized):
    """Batch normalization of all axes but the last, in one operation on one process.

    Args:
        x: tensor (batch, ..., channels), float32 or float64.
        gamma: tensor (channels,) or None.
        beta: tensor (channels,) or None.
        epsilon: float.
        synchronized: bool. Over all processes.

    Returns:
        The normalized tensor, and the batch's mean and variance, (channels,) each. None where it is
        left to Keras' operations.
    """
    if synchronized and _world() > 1:
        return _batch_norm_of_all(x, gamma, beta, epsilon)
    outputs, mean, inverse_std = torch.native_batch_norm(
        x.movedim(-1, 1), gamma, beta, None, None, True, 0.0, epsilon
    )
    return outputs.movedim(1, -1), mean, inverse_std.pow(-2) - epsilon


def _batch_norm_of_all(x, gamma, beta, epsilon):
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.mean(0)
    variance = (rows - mean).square().mean(0)  # torch.var_mean takes three times as long
    mean, variance = moments_over_replicas(mean, variance)
    scale = (variance + epsilon).rsqrt() * (1.0 if gamma is None else gamma)
    shift = torch.zeros_like(mean) if beta is None else beta
    return torch.addcmul(shift, x - mean, scale), mean, variance


def _gathered(x):
    """Those of all processes, (processes, ...), in one message forward and one backward."""
    rank = distributed.get_rank()
    rows = [x if i == rank else torch.zeros_like(x) for i in range(_world())]
    return _world() * _Mean.apply(torch.stack(rows))


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, without recording a graph."""
    del model  # an eager function reads the variables themselves

    def convert(x):
        return x if x is None else keras.ops.convert_to_tensor(x)

    @torch.no_grad()
    def call(*args):
        return fn(*keras.tree.map_structure(convert, args))

    return call


def synchronized():
    """Nothing: variables hold their values, in the middle of `fit` too."""
    return contextlib.nullcontext()


def innermost_loop():
    """Nothing: a loop of `keras.ops` is Python's, whose body runs in every turn."""


@contextlib.contextmanager
def small_operations():
    """Inside, PyTorch uses one thread: others take longer to wake than a small operation."""
    num = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num)


def is_traced():
    """Whether what runs now is being compiled, so that a number would be frozen into it."""
    return torch.compiler.is_compiling()


def lacks_memory(error):
    """Whether an error says that memory, the device's or the machine's, was not enough."""
    lacks = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return lacks or "DefaultCPUAllocator: " in str(error)


def leaky_relu(x, negative_slope):
    """Keras' leaky ReLU.

    Args:
        x: tensor.
        negative_slope: float above 0.
    """
    return keras.ops.leaky_relu(x, negative_slope)


def relu(x):
    """Keras' ReLU, without what Keras asks of its input first, which takes five times as long.

    Args:
        x: tensor.
    """
    return torch.relu(x)


def linear(x, kernel, bias):
    """A matrix product and a sum, in one operation.

    Args:
        x: tensor (batch, i).
        kernel: tensor (i, o).
        bias: tensor (o,) or (batch, o).
    """
    return torch.addmm(bias, x, kernel)


def after(tensors):
    """Nothing: what is computed inside waits for no tensors."""
    del tensors
    return contextlib.nullcontext()


def input_pipeline(reading):
    """The `Reading` itself, or of several processes this one's part of every batch."""
    if _world() == 1:
        return reading
    return PartOfBatches(reading, distributed.get_rank(), _world())


def device():
    """The name of the device that computes, or of the first of several alike."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def set_deterministic():
    """Makes the same steps give the same bits, at some cost in speed; call it first of all."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
