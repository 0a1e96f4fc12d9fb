"""The last layer of a network that knows no colour of a pixel, where one is to know another."""

import keras
from keras import ops

from kgen import backend
from kgen.layers.masked_conv2d import MaskedConv2D


@keras.saving.register_keras_serializable("kgen")
class ColorHead(keras.layers.Layer):
    """Outputs for each colour of a pixel, of features that know none and of the colours before it.

    Args:
        filters: int. Channels of the output, of which i belongs to colour i mod `colors`.
        colors: int. Colours of a pixel.
        units: int. Channels in between.

    Call:
        features: tensor (batch, height, width, any).
        image: tensor (batch, height, width, colors).

    Returns:
        Tensor (batch, height, width, filters).

    Example:
    >>> layer = kgen.layers.ColorHead(12, colors=3, units=6)
    >>> tuple(layer(np.zeros((2, 8, 8, 5)), np.zeros((2, 8, 8, 3))).shape)
    (2, 8, 8, 12)
    """

    def __init__(self, filters, colors, units, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.colors = colors
        self.units = units
        self.before = MaskedConv2D(units, 1, "A", colors, use_bias=False, dtype=self.dtype_policy)
        self.features = keras.layers.Dense(units, dtype=self.dtype_policy)
        self.outputs = MaskedConv2D(filters, 1, "B", colors, dtype=self.dtype_policy)

    def build(self, features_shape, image_shape):
        self.features.build(features_shape)
        self.before.build(image_shape)
        self.outputs.build((*image_shape[:-1], self.units))

    def call(self, features, image):
        return self.outputs(ops.relu(self.features(features) + self.before(image)))

    def compute_output_shape(self, features_shape, image_shape):
        return (*image_shape[:-1], self.filters)

    def step(self):
        """The layer in a loop over pixels, with its weights as they are now."""
        return ColorHeadStep(self)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "colors": self.colors,
            "units": self.units,
        }


class ColorHeadStep:
    """A `ColorHead` at one pixel."""

    def __init__(self, head):
        self.dtype = head.compute_dtype
        self.features = head.features
        self.before, self.outputs = head.before.step(), head.outputs.step()

    def prepare(self, x):
        """What the pixel's features (batch, any) give to each of its colours."""
        return self.features(x)

    def advance(self, prepared, colors):
        """The outputs (batch, outputs), of the colours (batch, colors) that are known."""
        if self.dtype != "float32":
            colors = ops.cast(colors, self.dtype)
        y, _ = self.before.advance(colors, (), ())
        return self.outputs.advance(backend.relu(prepared + y), (), ())[0]
