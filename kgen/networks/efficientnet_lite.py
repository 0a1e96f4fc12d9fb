"""EfficientNet-Lite0, a small classifier of pictures."""

import keras
from keras import ops

from kgen import backend
from kgen.layers import Conv2D

# Repeats, kernel, strides, expansion, channels (Tan & Le 2019, table 1).
_BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


class _DepthwiseConv2D(keras.layers.DepthwiseConv2D):
    """The same numbers, by the seam's kernel, for what has no bias and activation."""

    def call(self, inputs):
        return backend.depthwise_conv2d(inputs, ops.convert_to_tensor(self.kernel), self.strides)


def efficientnet_lite0():
    """EfficientNet-Lite0, whose weights are all 0 until they are set.

    It is EfficientNet-B0 without squeeze and excitation, with ReLU6 for swish.

    Returns:
        keras.Model from images (batch, 224, 224, 3) in about [-1, 1] to the list of features
        (batch, 1280) and logits (batch, 1000) of ImageNet's classes.

    Reference: Tan & Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks,
    2019. https://arxiv.org/abs/1905.11946
    """
    layers = keras.layers
    plain = {"padding": "same", "use_bias": False}

    def normalized(x, name, activated=True):
        x = layers.BatchNormalization(epsilon=1e-3, name=name)(x)
        return layers.ReLU(max_value=6.0)(x) if activated else x

    def convolution(x, channels, kernel_size, strides, name):
        return Conv2D(
            channels, kernel_size, strides, name=name, kernel_initializer="zeros", **plain
        )(x)

    inputs = keras.Input((224, 224, 3))
    x = normalized(convolution(inputs, 32, 3, 2, "conv_stem"), "bn0")
    number = 0
    for repeats, kernel_size, strides, expansion, channels in _BLOCKS:
        for repeat in range(repeats):
            name, before = f"blocks-{number}-", x
            if expansion > 1:
                expanded = x.shape[-1] * expansion
                x = normalized(convolution(x, expanded, 1, 1, f"{name}expand_conv"), f"{name}bn0")
            stride = strides if repeat == 0 else 1
            x = _DepthwiseConv2D(
                kernel_size,
                stride,
                name=f"{name}depthwise_conv",
                depthwise_initializer="zeros",
                **plain,
            )(x)
            x = normalized(x, f"{name}bn1")
            x = convolution(x, channels, 1, 1, f"{name}project_conv")
            x = normalized(x, f"{name}bn2", activated=False)
            if repeat > 0:  # the same strides and channels
                x = layers.Add()([before, x])
            number += 1
    x = normalized(convolution(x, 1280, 1, 1, "conv_head"), "bn1")
    features = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(1000, name="fc", kernel_initializer="zeros")(features)
    return keras.Model(inputs, [features, logits], name="efficientnet_lite0")
