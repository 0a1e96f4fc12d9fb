"""Strided convolutions on JAX, which on CPUs have derivatives of their own."""

import functools

import jax
import keras


def conv2d(x, kernel, strides):
    """A convolution (batch, h, w, i) -> (batch, h / strides[0], w / strides[1], o), rounded up.

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, i, o).
        strides: pair of int.
    """
    if jax.default_backend() == "cpu":
        return _convolution(x, kernel, strides)
    return keras.ops.conv(x, kernel, strides, padding="same", data_format="channels_last")


def conv2d_transpose(x, kernel, strides):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
    """
    if jax.default_backend() == "cpu":
        shape = (len(x), x.shape[1] * strides[0], x.shape[2] * strides[1], kernel.shape[2])
        return _transposed_convolution(x, kernel, strides, shape)
    return keras.ops.conv_transpose(x, kernel, strides, padding="same", data_format="channels_last")


# XLA on CPUs computes the kernel gradient of `lax.conv_transpose` forty times more slowly than that
# of the strided convolution of which it is the transpose. The two are defined as each other's
# transposes, so that it stays out of every derivative of theirs.


def _lax_convolution(x, kernel, strides):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=dimensions)


def _kernel_gradient(x, gradient, kernel, strides):
    """Of the convolution of `x`, whose output has `gradient`."""
    return jax.linear_transpose(lambda k: _lax_convolution(x, k, strides), kernel)(gradient)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolution(x, kernel, strides):
    return _lax_convolution(x, kernel, strides)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _transposed_convolution(y, kernel, strides, shape):
    x = jax.ShapeDtypeStruct(shape, y.dtype)
    return jax.linear_transpose(lambda x: _lax_convolution(x, kernel, strides), x)(y)[0]


def _convolution_backward(strides, residuals, gradient):
    x, kernel = residuals
    by_x = _transposed_convolution(gradient, kernel, strides, x.shape)
    return by_x, _kernel_gradient(x, gradient, kernel, strides)


def _transposed_convolution_backward(strides, shape, residuals, gradient):
    y, kernel = residuals
    by_y = _convolution(gradient, kernel, strides)
    return by_y, _kernel_gradient(gradient, y, kernel, strides)


_convolution.defvjp(lambda x, k, s: (_convolution(x, k, s), (x, k)), _convolution_backward)
_transposed_convolution.defvjp(
    lambda y, k, s, shape: (_transposed_convolution(y, k, s, shape), (y, k)),
    _transposed_convolution_backward,
)
