"""Convolutions whose derivatives are fast on every backend.

With `padding="same"`, channels last and no dilation they call the seam's kernels, otherwise Keras'.
"""

import keras
from keras import ops

from kgen import backend


def _is_plain(layer, *rest):
    asked = (layer.padding, layer.data_format, *layer.dilation_rate, *rest)
    return asked[:2] == ("same", "channels_last") and set(asked[2:]) <= {1, None}


def _called(layer, convolution, inputs):
    kernel = ops.convert_to_tensor(layer.kernel)
    bias = ops.convert_to_tensor(layer.bias) if layer.use_bias else None
    outputs = convolution(inputs, kernel, layer.strides, bias)
    return outputs if layer.activation is None else layer.activation(outputs)


@keras.saving.register_keras_serializable("kgen")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with the same arguments and numbers, and fast second derivatives.

    On a CPU JAX takes many times as long for those of Keras' layer with `padding="same"`. A critic
    under a gradient penalty needs them.

    Example:
    >>> y = kgen.layers.Conv2D(3, 5, strides=2, padding="same")(np.zeros((2, 8, 8, 16)))
    >>> tuple(y.shape)
    (2, 4, 4, 3)
    """

    def call(self, inputs):
        if not _is_plain(self, self.groups):
            return super().call(inputs)
        return _called(self, backend.conv2d, inputs)


@keras.saving.register_keras_serializable("kgen")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """`keras.layers.Conv2DTranspose` with the same arguments and numbers, and fast derivatives.

    On a CPU JAX takes forty times as long for the kernel's gradient of Keras' layer with
    `padding="same"`.

    Example:
    >>> layer = kgen.layers.Conv2DTranspose(3, 5, strides=2, padding="same")
    >>> y = layer(np.zeros((2, 8, 8, 16)))
    >>> tuple(y.shape)
    (2, 16, 16, 3)
    """

    def call(self, inputs):
        if not _is_plain(self, self.output_padding):
            return super().call(inputs)
        return _called(self, backend.conv2d_transpose, inputs)
