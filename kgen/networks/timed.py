"""What networks of images and times share: how the time and a condition come in."""

import keras

from kgen.layers import SinusoidalEmbedding
from kgen.networks.conditioning import as_field, condition_input


def time_inputs(size, units, condition):
    """The inputs t, (batch,), a condition and whether it counts, and their code.

    Args:
        size: int. Of the sinusoidal embedding of t.
        units: int. Of the code.
        condition: `kgen.fields.Field`, int for as many classes, or None.

    Returns:
        The list of inputs, the code (batch, units), and the code of a condition that is an image,
        (batch, height, width, channels), else None.
    """
    t = keras.Input((), dtype="float32", name="t")
    code = dense(units)(activated(dense(units)(SinusoidalEmbedding(size)(t))))
    if condition is None:
        return [t], code, None
    inputs, of_condition = condition_input(as_field(condition))
    given = keras.Input((), dtype="float32", name="given")
    is_image = len(of_condition.shape) == 4
    column = keras.layers.Reshape((1, 1, 1) if is_image else (1,))(given)
    of_condition = keras.layers.Multiply()([of_condition, column])
    if is_image:
        size = of_condition.shape[1:3]
        column = keras.layers.UpSampling2D(size, data_format="channels_last")(column)
    # The column tells a condition of 0 from none.
    of_condition = keras.layers.Concatenate()([of_condition, column])
    if is_image:
        return [t, *inputs, given], code, of_condition
    return [t, *inputs, given], keras.layers.Add()([code, dense(units)(of_condition)]), None


def check_patch(image_shape, patch):
    """Raises a ValueError if an image is not made of squares of so many pixels a side."""
    height, width, _ = image_shape
    if height % patch or width % patch:
        raise ValueError(
            f"Expected a height and a width that patch={patch} divides. Received: {image_shape}"
        )


def scaled():
    """The initializer of Ho et al. 2020's code."""
    return keras.initializers.VarianceScaling(1.0, "fan_avg", "uniform")


def dense(units, initializer=None, **kwargs):
    """A linear function, of vectors or at each pixel."""
    return keras.layers.Dense(units, kernel_initializer=initializer or scaled(), **kwargs)


def activated(x):
    """X sigmoid(x)."""
    return keras.layers.Activation("silu")(x)
