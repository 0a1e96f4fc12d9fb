"""Convolutions on JAX, which on CPUs have derivatives of their own.

A convolution y = x * k, its transpose and its kernel's gradient are linear in x, in k and in y, and
each one's derivatives are the other two. On CPUs XLA is slow at some of the three, by forms and
shapes: `lax.conv_transpose` takes forty times as long for its kernel's gradient as the strided
convolution of which it is the transpose; a kernel larger than the map, as 5x5 on 4x4, is computed
by plain loops, twenty times as long; and the gradients of a 1x1 kernel take three times as long as
the matrix product that they are. So the three are defined here, as each other's derivatives. Of
channels by themselves it has a convolution a channel, up to thirty times as long as their sum.
"""

import functools

import jax
import jax.numpy as jnp
import keras


def conv2d(x, kernel, strides=(1, 1), bias=None, padding="same"):
    """A convolution (batch, h, w, i) -> (batch, h / strides[0], w / strides[1], o), rounded up.

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, i, o).
        strides: pair of int.
        bias: tensor (o,) or None.
        padding: "same", or "valid" for the places alone where the kernel is inside.
    """
    if jax.default_backend() == "cpu":
        y = _convolution(x, kernel, tuple(strides), padding.upper())
    else:
        y = keras.ops.conv(x, kernel, strides, padding=padding, data_format="channels_last")
    return y if bias is None else y + bias


def conv2d_transpose(x, kernel, strides, bias=None):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
        bias: tensor (o,) or None.
    """
    if jax.default_backend() == "cpu":
        shape = (x.shape[0], x.shape[1] * strides[0], x.shape[2] * strides[1], kernel.shape[2])
        y = _transpose(x, kernel, tuple(strides), "SAME", shape)
    else:
        y = keras.ops.conv_transpose(
            x, kernel, strides, padding="same", data_format="channels_last"
        )
    return y if bias is None else y + bias


def depthwise_conv2d(x, kernel, strides=(1, 1)):
    """A convolution of each channel by itself, with padding "same".

    Args:
        x: tensor (batch, h, w, c).
        kernel: tensor (height, width, c, 1).
        strides: pair of int.
    """
    if jax.default_backend() != "cpu":
        return keras.ops.depthwise_conv(
            x, kernel, strides, padding="same", data_format="channels_last"
        )
    seen = _seen(x, kernel.shape[:2], strides, "SAME")
    of_each = kernel.reshape(-1, kernel.shape[2])
    return sum(part * weights for part, weights in zip(seen, of_each, strict=True))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolution(x, kernel, strides, padding):
    form = _product if _is_product(x.shape, kernel.shape) else _lax
    return form(x, kernel, strides, padding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _transpose(y, kernel, strides, padding, shape):
    """The x of this shape by which sum(y * convolution(x)) has the gradient that it is."""
    form = _product if _is_product(y.shape, kernel.shape) else _lax
    x = jax.ShapeDtypeStruct(shape, y.dtype)
    return jax.linear_transpose(lambda x: form(x, kernel, strides, padding), x)(y)[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _kernel_gradient(x, y, strides, padding, shape):
    """The same of the kernel of this shape."""
    form = _product if shape[:2] == (1, 1) else _lax
    kernel = jax.ShapeDtypeStruct(shape, y.dtype)
    return jax.linear_transpose(lambda kernel: form(x, kernel, strides, padding), kernel)(y)[0]


def _is_product(map_shape, kernel_shape):
    """Whether XLA is faster at the matrix product."""
    size, kernel_size = map_shape[1:3], kernel_shape[:2]
    return kernel_size == (1, 1) or any(k > s for k, s in zip(kernel_size, size, strict=True))


def _lax(x, kernel, strides, padding):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=dimensions)


def _product(x, kernel, strides, padding):
    """Of what each place of the kernel sees, side by side, and the kernel as a matrix."""
    seen = _seen(x, kernel.shape[:2], strides, padding)
    return jnp.concatenate(seen, axis=-1) @ kernel.reshape(-1, kernel.shape[3])


def _seen(x, size, strides, padding):
    """What each place of a kernel sees, in turn: a list of tensors (batch, h, w, c)."""
    pads = jax.lax.padtype_to_pads(x.shape[1:3], size, strides, padding)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    num, *padded, channels = x.shape
    last = [(p - k) // s * s + 1 for p, k, s in zip(padded, size, strides, strict=True)]
    return [
        jax.lax.slice(x, (0, i, j, 0), (num, i + last[0], j + last[1], channels), (1, *strides, 1))
        for i in range(size[0])
        for j in range(size[1])
    ]


def _convolution_backward(strides, padding, residuals, y):
    x, kernel = residuals
    by_kernel = _kernel_gradient(x, y, strides, padding, kernel.shape)
    return _transpose(y, kernel, strides, padding, x.shape), by_kernel


def _transpose_backward(strides, padding, shape, residuals, x):
    del shape
    y, kernel = residuals
    by_kernel = _kernel_gradient(x, y, strides, padding, kernel.shape)
    return _convolution(x, kernel, strides, padding), by_kernel


def _kernel_gradient_backward(strides, padding, shape, residuals, kernel):
    del shape
    x, y = residuals
    by_x = _transpose(y, kernel, strides, padding, x.shape)
    return by_x, _convolution(x, kernel, strides, padding)


for _linear, _backward in (
    (_convolution, _convolution_backward),
    (_transpose, _transpose_backward),
    (_kernel_gradient, _kernel_gradient_backward),
):
    _linear.defvjp(lambda a, b, *rest, _linear=_linear: (_linear(a, b, *rest), (a, b)), _backward)
