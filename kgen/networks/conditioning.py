"""How a label enters a network, and how a discriminator ends."""

import keras

from kgen.layers import SpectralNormalization


def label_input(num_classes):
    """A label's `keras.Input` of shape () and its one-hot code of shape (num_classes,).

    Args:
        num_classes: int, or None for a network without labels.

    Returns:
        The list of inputs, empty without labels, and the code, None without labels.
    """
    if num_classes is None:
        return [], None
    label = keras.Input((), dtype="int32", name="label")
    # Integers go through the layer's dtype, where half precision would round them.
    encoding = keras.layers.CategoryEncoding(num_classes, output_mode="one_hot", dtype="float32")
    return [label], encoding(label)


def join_label(x, one_hot):
    """Concatenates a label's one-hot code to features, at every pixel if they have any.

    Args:
        x: symbolic tensor of shape (batch, features) or (batch, height, width, channels).
        one_hot: symbolic tensor of shape (batch, num_classes), or None for `x` as it is.
    """
    if one_hot is None:
        return x
    if len(x.shape) == 4:
        height, width = x.shape[1:3]
        one_hot = keras.layers.RepeatVector(height * width)(one_hot)
        one_hot = keras.layers.Reshape((height, width, -1))(one_hot)
    return keras.layers.Concatenate()([x, one_hot])


def spectral_wrapper(spectral_normalization):
    """`kgen.layers.SpectralNormalization`, or what leaves a layer as it is."""
    return SpectralNormalization if spectral_normalization else lambda layer: layer


def logits_of(features, one_hot, spectral, initializer):
    """Logits (batch, 1): a linear function of the features, and the label's projection.

    Args:
        features: symbolic tensor of shape (batch, n).
        one_hot: symbolic tensor of shape (batch, num_classes), or None. Its embedding's inner
            product with the features is added (Miyato & Koyama 2018, eq. 3).
        spectral: what wraps each layer with a kernel.
        initializer: callable that makes a kernel's initializer.
    """
    dense = keras.layers.Dense(1, kernel_initializer=initializer(), dtype="float32", name="logits")
    logits = spectral(dense)(features)
    if one_hot is None:
        return logits
    embedding = keras.layers.Dense(
        features.shape[-1], use_bias=False, kernel_initializer=initializer(), dtype="float32"
    )
    product = keras.layers.Dot(1, dtype="float32", name="projection")(
        [spectral(embedding)(one_hot), features]
    )
    return keras.layers.Add(dtype="float32")([logits, product])


def build(inputs, outputs, name):
    """A functional model that takes one tensor, or the list of an input and a label."""
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=name)
