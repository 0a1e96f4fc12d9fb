"""How a condition enters a network, and how an adversary ends."""

import keras

from kgen.checks import whole_number
from kgen.fields import Field, Label
from kgen.layers import ConditionCode, SpectralNormalization


def as_field(condition):
    """The field of a condition: a number is short for as many classes."""
    if condition is None or isinstance(condition, Field):
        return condition
    return Label(whole_number("condition", condition, optional=True))


def condition_input(condition):
    """A condition's `keras.Input` and its code.

    Args:
        condition: `kgen.fields.Field`, int for as many classes, or None for a network without.

    Returns:
        The list of inputs, empty without a condition, and the code, None without: (batch, n), or of
        an image (batch, height, width, channels).
    """
    if condition is None:
        return [], None
    field = as_field(condition)
    given = keras.Input(field.shape, dtype=field.dtype, name=field.input_name)
    return [given], ConditionCode(field, dtype="float32")(given)


def join(x, code):
    """Concatenates a condition's code to features, at every pixel if they have any.

    An image is halved until it has the features' size; features without pixels get its coarsest.

    Args:
        x: symbolic tensor of shape (batch, features) or (batch, height, width, channels).
        code: symbolic tensor of shape (batch, n) or (batch, height, width, channels), or None for
            `x` as it is.
    """
    if code is None:
        return x
    if len(x.shape) == 4 and len(code.shape) == 2:
        height, width = x.shape[1:3]
        code = keras.layers.RepeatVector(height * width)(code)
        code = keras.layers.Reshape((height, width, -1))(code)
    elif len(x.shape) == 4:
        code = _halved(code, lambda size: size == x.shape[1:3])
        if code.shape[1:3] != x.shape[1:3]:
            raise ValueError(
                f"Expected an image as the condition whose halvings have the size {x.shape[1:3]}. "
                f"Received: one that comes to {code.shape[1:3]}"
            )
    elif len(code.shape) == 4:
        code = keras.layers.Flatten()(_halved(code, lambda size: min(size) <= 4))
    return keras.layers.Concatenate()([x, code])


def _halved(code, is_enough):
    while not is_enough(code.shape[1:3]) and max(code.shape[1:3]) > 1:
        code = keras.layers.AveragePooling2D(2, padding="same", data_format="channels_last")(code)
    return code


def spectral_wrapper(spectral_normalization):
    """`kgen.layers.SpectralNormalization`, or what leaves a layer as it is."""
    return SpectralNormalization if spectral_normalization else lambda layer: layer


def logits_of(features, code, spectral, initializer):
    """Logits (batch, 1): a linear function of the features, and the condition's projection.

    Args:
        features: symbolic tensor of shape (batch, n).
        code: symbolic tensor of shape (batch, m), or None. Its embedding's inner product with the
            features is added (Miyato & Koyama 2018, eq. 3).
        spectral: what wraps each layer with a kernel.
        initializer: callable that makes a kernel's initializer.
    """
    dense = keras.layers.Dense(1, kernel_initializer=initializer(), dtype="float32", name="logits")
    logits = spectral(dense)(features)
    if code is None:
        return logits
    if len(code.shape) != 2:
        raise ValueError(
            "Expected projection=False with an image as the condition, which has no embedding."
        )
    embedding = keras.layers.Dense(
        features.shape[-1], use_bias=False, kernel_initializer=initializer(), dtype="float32"
    )
    product = keras.layers.Dot(1, dtype="float32", name="projection")(
        [spectral(embedding)(code), features]
    )
    return keras.layers.Add(dtype="float32")([logits, product])


def check_vector(condition, network):
    """Raises a ValueError for a condition of pixels where a network takes vectors alone."""
    if condition is not None and len(condition.shape) > 1:
        raise ValueError(
            f"Expected labels, attributes, tokens or a vector as the condition of {network}. "
            f"Received: {condition}"
        )


def build(inputs, outputs, name):
    """A functional model that takes one tensor, or the list of an input and a condition."""
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs, name=name)
