"""The seam on PyTorch."""

import os

import keras
import torch

WRONG_SECOND_DERIVATIVES = ()

STEPS_PAST_THE_END = False

SCAN_UNROLL = 1


class Model(keras.Model):
    """`keras.Model` whose train and test steps are written for every backend at once.

    Steps run without recording a graph: `value_and_grad` records what it differentiates.
    """

    @torch.no_grad()
    def train_step(self, data):
        return self.run_train_step(data)

    @torch.no_grad()
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
        variable.
    """
    with torch.enable_grad():
        loss = loss_fn()
        scaled_loss = loss if optimizer is None else optimizer.scale_loss(loss)
    gradients = torch.autograd.grad(
        scaled_loss,
        [variable.value for variable in variables],
        allow_unused=True,
        materialize_grads=True,
    )
    return loss.detach(), list(gradients)


def apply_gradients(optimizer, gradients, variables):
    """Moves `variables` by one step of `optimizer`."""
    with torch.no_grad():
        optimizer.apply(gradients, variables)


@torch.compiler.disable  # torch.compile cannot differentiate twice
def input_gradient(fn, x):
    """D sum(fn(x)) / dx, itself differentiable with respect to variables and `x`."""
    with torch.enable_grad():
        if not x.requires_grad:
            x = x.detach().requires_grad_()
        return torch.autograd.grad(fn(x).sum(), x, create_graph=True)[0]


def conv2d(x, kernel, strides):
    """A convolution (batch, h, w, i) -> (batch, h / strides[0], w / strides[1], o), rounded up.

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, i, o).
        strides: pair of int.
    """
    return keras.ops.conv(x, kernel, strides, padding="same", data_format="channels_last")


def conv2d_transpose(x, kernel, strides):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
    """
    return keras.ops.conv_transpose(x, kernel, strides, padding="same", data_format="channels_last")


def compile_function(model, fn):
    """`fn`, which reads the variables of `model` but changes none, without recording a graph."""
    del model  # an eager function reads the variables themselves

    def convert(x):
        return x if x is None else keras.ops.convert_to_tensor(x)

    @torch.no_grad()
    def call(*args):
        return fn(*keras.tree.map_structure(convert, args))

    return call


def input_pipeline(dataset):
    """The data set itself: Keras reads it batch by batch at no cost worth saving."""
    return dataset


def set_deterministic():
    """Makes the same steps give the same bits, at some cost in speed; call it first of all."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
