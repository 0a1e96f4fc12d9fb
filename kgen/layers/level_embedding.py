"""Levels of pixels that are names."""

import keras
from keras import ops

from kgen.checks import whole_number


@keras.saving.register_keras_serializable("kgen")
class LevelEmbedding(keras.layers.Layer):
    """Looks up a vector for each level of a pixel and colour, as codes and other names want it.

    As a number, level 3 would be next to level 4. The first of a `kgen.networks.CausalNetwork`'s
    layers can be this one, which sees each pixel by itself. It is given float32 numbers in half
    precision too, which would round them.

    Args:
        levels: int. Values of a pixel and colour.
        units: int. Length of a vector.

    Call:
        x: tensor (..., colors) in [-1, 1], whose smallest level is -1 and whose greatest is 1.

    Returns:
        Tensor (..., units * colors), of which channel i belongs to colour i mod colors.

    Example:
    >>> layer = kgen.layers.LevelEmbedding(512, 8)
    >>> tuple(layer(np.ones((2, 7, 7, 1))).shape)
    (2, 7, 7, 8)
    """

    def __init__(self, levels, units, **kwargs):
        super().__init__(**{"autocast": False} | kwargs)
        self.levels = whole_number("levels", levels, at_least=2)
        self.units = whole_number("units", units)
        self.embeddings = self.add_weight(
            shape=(self.levels, self.units),
            initializer=keras.initializers.RandomNormal(stddev=0.5),
            name="embeddings",
        )
        self.built = True

    def call(self, x):
        level = ops.cast(ops.round(0.5 * (x + 1.0) * (self.levels - 1)), "int32")
        vectors = ops.cast(ops.take(self.embeddings, level, axis=0), self.compute_dtype)
        *shape, colors, units = ops.shape(vectors)
        return ops.reshape(ops.swapaxes(vectors, -1, -2), (*shape, units * colors))

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units * shape[-1])

    def get_config(self):
        return super().get_config() | {"levels": self.levels, "units": self.units}
