"""Convolutions whose derivatives are fast on every backend.

With `padding="same"`, channels last and no dilation they call the seam's kernels, otherwise Keras'.
"""

import keras
from keras import ops

from kgen import backend


def _is_plain(layer, *rest):
    asked = (layer.padding, layer.data_format, *layer.dilation_rate, *rest)
    return asked[:2] == ("same", "channels_last") and set(asked[2:]) <= {1, None}


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

    def convolution_op(self, inputs, kernel):
        if not _is_plain(self, self.groups):
            return super().convolution_op(inputs, kernel)
        return backend.conv2d(inputs, ops.convert_to_tensor(kernel), self.strides)


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
        kernel = ops.convert_to_tensor(self.kernel)
        outputs = backend.conv2d_transpose(inputs, kernel, self.strides)
        if self.use_bias:
            outputs = outputs + self.bias
        return outputs if self.activation is None else self.activation(outputs)
