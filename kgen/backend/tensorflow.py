"""The seam on TensorFlow."""

import keras
import tensorflow as tf


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once."""

    def train_step(self, data):
        return self.run_train_step(data)

    def test_step(self, data):
        return self.run_test_step(data)


def value_and_grad(loss_fn, variables, optimizer=None):
    """The loss and its gradients with respect to `variables` and nothing else.

    Args:
        loss_fn: callable without arguments that returns a scalar.
        variables: list of keras.Variable.
        optimizer: the optimizer that scales the loss, if it does.

    Returns:
        The unscaled loss and a list of gradients, zeros where the loss does not depend on the
        variable. Optimizers sum gradients over replicas, so each replica's are divided by
        their number.
    """
    values = [variable.value for variable in variables]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(values)
        loss = loss_fn()
        scaled_loss = loss if optimizer is None else optimizer.scale_loss(loss)
        scaled_loss /= tf.distribute.get_strategy().num_replicas_in_sync
    gradients = tape.gradient(
        scaled_loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return loss, gradients


def apply_gradients(optimizer, gradients, variables):
    """Moves `variables` by one step of `optimizer`."""
    optimizer.apply(gradients, variables)


def input_gradient(fn, x):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        y = fn(x)
    return tape.gradient(y, x)


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, as a compiled function."""
    del model  # a traced function holds the variables themselves
    return tf.function(fn, reduce_retracing=True, autograph=False)
