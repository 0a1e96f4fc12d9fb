"""The seam on JAX, where stateful code runs inside scopes that hold the variables' values."""

import functools

import jax
import keras
from jax import numpy as jnp

WRONG_SECOND_DERIVATIVES = ()


class _Scope(keras.StatelessScope):
    """A StatelessScope that starts from the enclosing scope's values and knows what changed.

    Keras' own scope does not fall through to an outer one: a variable that is not in its mapping
    would be read with the value it had before the step.
    """

    def __init__(self, variables, values):
        super().__init__(zip(variables, values, strict=True), collect_losses=True)
        self.updated = {}

    def __enter__(self):
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = self.original_scope.state_mapping | self.state_mapping
        return self

    def add_update(self, update):
        variable, _ = update
        self.updated[id(variable)] = variable
        super().add_update(update)


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once.

    JAX wants pure functions of `(state, data)`: the stateful step runs inside one scope over the
    whole state, and the new state is read from the scope when it is done.
    """

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


def _differentiate(fn, variables, values):
    """fn(values) under `jax.value_and_grad`, with the variables it updates brought out as aux.

    Args:
        fn: `values -> (scalar, result)`; it may read and update variables.
        variables: list of the variables that take the value of `values`; empty for a function of
            a tensor.
        values: what to differentiate by.

    Returns:
        `result` and the gradient of the scalar with respect to `values`.
    """
    updated = []

    def pure(values):
        with _Scope(variables, values if variables else []) as scope:
            scalar, result = fn(values)
        updated[:] = scope.updated.values()
        return scalar, (result, [scope.get_current_value(variable) for variable in updated])

    (_, (result, new_values)), gradient = jax.value_and_grad(pure, has_aux=True)(values)
    for variable, value in zip(updated, new_values, strict=True):
        variable.assign(value)
    return result, gradient


def value_and_grad(loss_fn, variables, optimizer=None):
    """The loss and its gradients with respect to `variables` and nothing else.

    Args:
        loss_fn: callable without arguments that returns a scalar.
        variables: list of keras.Variable.
        optimizer: the optimizer that scales the loss, if it does.

    Returns:
        The unscaled loss and a list of gradients, zeros where the loss does not depend on the
        variable.
    """

    def scaled_loss(_):
        loss = loss_fn()
        return (loss if optimizer is None else optimizer.scale_loss(loss)), loss

    return _differentiate(scaled_loss, variables, [variable.value for variable in variables])


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


def input_gradient(fn, x):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`."""
    _, gradient = _differentiate(lambda x: (jnp.sum(fn(x)), None), [], x)
    return gradient


def conv2d_transpose(x, kernel, strides):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
    """
    if jax.default_backend() == "cpu":
        return _transposed_convolution(x, kernel, strides)
    return keras.ops.conv_transpose(x, kernel, strides, padding="same", data_format="channels_last")


def _convolution(y, kernel, strides):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(y, kernel, strides, "SAME", dimension_numbers=dimensions)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _transposed_convolution(x, kernel, strides):
    """The transpose of the strided convolution, with that convolution's own kernel gradient.

    XLA on CPUs computes the kernel gradient of `lax.conv_transpose` forty times more slowly.
    """
    batch, height, width, _ = x.shape
    shape = (batch, height * strides[0], width * strides[1], kernel.shape[2])
    y = jax.ShapeDtypeStruct(shape, x.dtype)
    return jax.linear_transpose(lambda y: _convolution(y, kernel, strides), y)(x)[0]


def _transposed_convolution_forward(x, kernel, strides):
    return _transposed_convolution(x, kernel, strides), (x, kernel)


def _transposed_convolution_backward(strides, residuals, gradient):
    x, kernel = residuals
    by_kernel = jax.linear_transpose(lambda k: _convolution(gradient, k, strides), kernel)
    return _convolution(gradient, kernel, strides), by_kernel(x)[0]


_transposed_convolution.defvjp(_transposed_convolution_forward, _transposed_convolution_backward)


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, as a compiled function."""

    @jax.jit
    def pure(values, args):
        with _Scope(model.variables, values):
            return fn(*args)

    def call(*args):
        model.jax_state_sync()  # in the middle of `fit` the variables' values are elsewhere
        return pure([variable.value for variable in model.variables], args)

    return call


def input_pipeline(dataset):
    """The data set itself: Keras reads it batch by batch at no cost worth saving."""
    return dataset
