"""Convolutions on PyTorch, which on a CPU take images channels last as they are.

With strides, "same" pads by one more below and to the right than above and to the left, which
PyTorch does in a copy of the images. Mirrored it is the convolution that has the larger padding on
both sides, and the mirrors are smaller than what the copy costs forward and backward. Keras'
operations make that copy, crop what is transposed, and another copy of each for its layout.
"""

import keras
import torch
from torch.nn import functional


def conv2d(x, kernel, strides=(1, 1), bias=None, padding="same"):
    """A convolution (batch, h, w, i) -> (batch, h / strides[0], w / strides[1], o), rounded up.

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, i, o).
        strides: pair of int.
        bias: tensor (o,) or None.
        padding: "same", or "valid" for the places alone where the kernel is inside.
    """
    if kernel.shape[:2] == (1, 1) and tuple(strides) == (1, 1):
        return functional.linear(x, kernel[0, 0].t(), bias)
    pads = _paddings(x, kernel, strides) if padding == "same" else [(0, 0), (0, 0)]
    if _is_left_to_keras(x, pads, strides):
        y = keras.ops.conv(x, kernel, strides, padding=padding, data_format="channels_last")
        return y if bias is None else y + bias
    return _convolution(x, kernel, bias, strides, pads)


def depthwise_conv2d(x, kernel, strides=(1, 1)):
    """A convolution of each channel by itself, with padding "same".

    Args:
        x: tensor (batch, h, w, c).
        kernel: tensor (height, width, c, 1).
        strides: pair of int.
    """
    pads = _paddings(x, kernel, strides)
    if _is_left_to_keras(x, pads, strides):
        return keras.ops.depthwise_conv(
            x, kernel, strides, padding="same", data_format="channels_last"
        )
    return _convolution(x, kernel.transpose(2, 3), None, strides, pads, groups=x.shape[3])


def _convolution(x, kernel, bias, strides, pads, groups=1):
    larger = [after for _, after in pads]
    x, kernel = (_mirrored(t, pads) for t in _channels_first(x, kernel))
    y = functional.conv2d(x, kernel, bias, strides, larger, groups=groups)
    return _mirrored(y, pads).permute(0, 2, 3, 1)


def conv2d_transpose(x, kernel, strides, bias=None):
    """A transposed convolution (batch, h, w, i) -> (batch, h * strides[0], w * strides[1], o).

    Args:
        x: tensor, channels last.
        kernel: tensor (height, width, o, i).
        strides: pair of int.
        bias: tensor (o,) or None.
    """
    sizes = [size * stride for size, stride in zip(x.shape[1:3], strides, strict=True)]
    pads = [_padding(*each) for each in zip(sizes, kernel.shape[:2], strides, strict=True)]
    if _is_left_to_keras(x, pads, strides):
        y = keras.ops.conv_transpose(
            x, kernel, strides, padding="same", data_format="channels_last"
        )
        return y if bias is None else y + bias
    larger = [after for _, after in pads]
    more = [
        stride - size + 2 * pad
        for stride, size, pad in zip(strides, kernel.shape[:2], larger, strict=True)
    ]
    x, kernel = (_mirrored(t, pads) for t in _channels_first(x, kernel))
    y = functional.conv_transpose2d(x, kernel, bias, strides, larger, more)
    return _mirrored(y, pads).permute(0, 2, 3, 1)


def _paddings(x, kernel, strides):
    sizes = zip(x.shape[1:3], kernel.shape[:2], strides, strict=True)
    return [_padding(*each) for each in sizes]


def _padding(size, kernel_size, stride):
    """Of "same": before and after."""
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


def _is_left_to_keras(x, pads, strides):
    """On a GPU, and where the convolution with the larger padding gives one more."""
    is_uneven = [before != after for before, after in pads]
    return x.device.type != "cpu" or any(
        uneven and stride == 1 for uneven, stride in zip(is_uneven, strides, strict=True)
    )


def _channels_first(x, kernel):
    """Views of both, of the kernel one of a copy that PyTorch makes faster than those it needs."""
    *size, inputs, outputs = kernel.shape
    kernel = kernel.reshape(-1, outputs).t().contiguous().reshape(outputs, *size, inputs)
    return x.permute(0, 3, 1, 2), kernel.permute(0, 3, 1, 2)


def _mirrored(x, pads):
    """Along the axes whose paddings differ."""
    axes = [axis for axis, (before, after) in enumerate(pads, 2) if before != after]
    return torch.flip(x, axes) if axes else x
