"""The seam: all that kgen asks of a backend, with the same names in each.

- `Model`: keras.Model whose steps are written once, as `run_train_step(data)` and
  `run_test_step(data)`; each returns the logs
- `value_and_grad`: a loss and its gradients for any subset of the variables
- `values_and_grads`: several losses of one pass, and the gradients of each for variables of its own
- `add_up`: from a replica's gradients to those of the whole batch
- `apply_gradients`: one step of an optimizer
- `input_gradient`: d sum(fn(x)) / dx, differentiable again
- `on_host`: what a function of NumPy arrays gives, inside a compiled step
- `innermost_loop`: what stands for the loop whose body is being traced
- `is_traced`: whether what runs now is being compiled
- `lacks_memory`: whether an error says that there is too little
- `conv2d`, `conv2d_transpose`, `depthwise_conv2d`: of strides, channels last and padding "same"
- `batch_norm`: in one operation, where that is faster than Keras'
- `after`: inside, a variable changes only if there is a batch
- `leaky_relu` and `relu`: the functions
- `linear`: a matrix product and a sum
- `compile_function`: a function of tensors that reads a model's variables, compiled
- `WRONG_SECOND_DERIVATIVES`: the classes of layers that it differentiates wrongly twice
- `COMPILES_EACH_SIZE`: whether a compiled function is compiled for each size of a batch
- `XLA_ASKS_HOST`: whether `on_host` may stand in what XLA compiles
- `SCAN_UNROLL`: how many steps a turn of a compiled loop should have, 0 where loops are Python's
- `STEPS_PAST_THE_END`: whether a step changes something when the data have come to their end
- `input_pipeline`: what Keras is given to read a `Reading` with
- `strategy`: the context in which a model is made and trained on several devices
- `without_strategy`: calls a function outside that context
- `mean_over_replicas`: the mean of a tensor over them, differentiable
- `sum_over_replicas`, `of_first_replica`: their sum, and the first one's, without a gradient
- `moments_over_replicas`: those of all their rows
- `over_replicas`: what is not of the batch, divided over them as that is
- `synchronized`: inside, variables hold their values in the middle of `fit` too
- `small_operations`: inside, a loop of such does not wait for threads
- `set_deterministic`: the same bits from the same steps

What is the same on every backend: `OrderedBatches`, read by `Position` alone, arrays as such ones,
the `Reading` of them that one `fit` makes, and a `Look` at each batch of other streams.
"""

import keras

from kgen.backend.no_tensorflow import leave_tensorflow_alone
from kgen.backend.ordered import OrderedArrays, OrderedBatches, Position, Reading
from kgen.backend.streams import Look, first_batch, to_numpy, watched

if keras.backend.backend() == "tensorflow":
    from kgen.backend.tensorflow import (
        COMPILES_EACH_SIZE,
        SCAN_UNROLL,
        STEPS_PAST_THE_END,
        WRONG_SECOND_DERIVATIVES,
        XLA_ASKS_HOST,
        Model,
        add_up,
        after,
        apply_gradients,
        batch_norm,
        compile_function,
        conv2d,
        conv2d_transpose,
        depthwise_conv2d,
        device,
        innermost_loop,
        input_gradient,
        input_pipeline,
        is_traced,
        lacks_memory,
        leaky_relu,
        linear,
        mean_over_replicas,
        moments_over_replicas,
        of_first_replica,
        on_host,
        over_replicas,
        relu,
        set_deterministic,
        small_operations,
        strategy,
        sum_over_replicas,
        synchronized,
        values_and_grads,
        without_strategy,
    )
elif keras.backend.backend() == "jax":
    from kgen.backend.jax import (
        COMPILES_EACH_SIZE,
        SCAN_UNROLL,
        STEPS_PAST_THE_END,
        WRONG_SECOND_DERIVATIVES,
        XLA_ASKS_HOST,
        Model,
        add_up,
        after,
        apply_gradients,
        batch_norm,
        compile_function,
        conv2d,
        conv2d_transpose,
        depthwise_conv2d,
        device,
        innermost_loop,
        input_gradient,
        input_pipeline,
        is_traced,
        lacks_memory,
        leaky_relu,
        linear,
        mean_over_replicas,
        moments_over_replicas,
        of_first_replica,
        on_host,
        over_replicas,
        relu,
        set_deterministic,
        small_operations,
        strategy,
        sum_over_replicas,
        synchronized,
        values_and_grads,
        without_strategy,
    )
elif keras.backend.backend() == "torch":
    from kgen.backend.torch import (
        COMPILES_EACH_SIZE,
        SCAN_UNROLL,
        STEPS_PAST_THE_END,
        WRONG_SECOND_DERIVATIVES,
        XLA_ASKS_HOST,
        Model,
        add_up,
        after,
        apply_gradients,
        batch_norm,
        compile_function,
        conv2d,
        conv2d_transpose,
        depthwise_conv2d,
        device,
        innermost_loop,
        input_gradient,
        input_pipeline,
        is_traced,
        lacks_memory,
        leaky_relu,
        linear,
        mean_over_replicas,
        moments_over_replicas,
        of_first_replica,
        on_host,
        over_replicas,
        relu,
        set_deterministic,
        small_operations,
        strategy,
        sum_over_replicas,
        synchronized,
        values_and_grads,
        without_strategy,
    )
else:
    raise ImportError(
        "kgen trains on the Keras backends 'tensorflow', 'jax' and 'torch'. Set KERAS_BACKEND to "
        f"one of them before importing keras. Received: backend={keras.backend.backend()!r}"
    )
if keras.backend.backend() != "tensorflow":
    leave_tensorflow_alone()


def value_and_grad(loss_fn, variables, optimizer=None):
    """A loss and its gradients with respect to `variables` and nothing else.

    Args:
        loss_fn: callable without arguments that returns a scalar.
        variables: list of keras.Variable.
        optimizer: the optimizer that scales the loss, if it does.

    Returns:
        The unscaled loss and a list of gradients, those of `values_and_grads`.
    """
    (loss,), (gradients,) = values_and_grads(lambda: [loss_fn()], [variables], [optimizer])
    return loss, gradients


__all__ = [
    "COMPILES_EACH_SIZE",
    "SCAN_UNROLL",
    "STEPS_PAST_THE_END",
    "WRONG_SECOND_DERIVATIVES",
    "XLA_ASKS_HOST",
    "Look",
    "Model",
    "OrderedArrays",
    "OrderedBatches",
    "Position",
    "Reading",
    "add_up",
    "after",
    "apply_gradients",
    "batch_norm",
    "compile_function",
    "conv2d",
    "conv2d_transpose",
    "depthwise_conv2d",
    "device",
    "first_batch",
    "innermost_loop",
    "input_gradient",
    "input_pipeline",
    "is_traced",
    "lacks_memory",
    "leaky_relu",
    "linear",
    "mean_over_replicas",
    "moments_over_replicas",
    "of_first_replica",
    "on_host",
    "over_replicas",
    "relu",
    "set_deterministic",
    "small_operations",
    "strategy",
    "sum_over_replicas",
    "synchronized",
    "to_numpy",
    "value_and_grad",
    "values_and_grads",
    "watched",
    "without_strategy",
]
