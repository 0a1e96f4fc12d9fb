"""What a network makes of a condition."""

import keras
from keras import ops

from kgen.fields import Label, Tokens


@keras.saving.register_keras_serializable("kgen")
class ConditionCode(keras.layers.Layer):
    """A condition as numbers: of a label its one-hot code, of tokens the mean of their embeddings.

    A label that may be unknown has one number more. All else is numbers already. Token 0 fills the
    end of what is shorter and does not count.

    Args:
        field: `kgen.fields.Field`, what the condition is.
        units: int. Length of the tokens' embeddings. Defaults to 64.

    Call:
        y: tensor (batch, *field.shape).

    Returns:
        Tensor (batch, n), or (batch, height, width, channels) of an image.

    Example:
    >>> layer = kgen.layers.ConditionCode(kgen.fields.Label(3))
    >>> keras.ops.convert_to_numpy(layer(np.array([2]))).tolist()
    [[0.0, 0.0, 1.0]]
    """

    def __init__(self, field, units=64, **kwargs):
        super().__init__(**kwargs)
        self.field = field
        self.units = units
        self.num_codes = field.num_codes if isinstance(field, Label) else None
        self.embeddings = None
        self.built = True
        if isinstance(field, Tokens):
            self.embeddings = self.add_weight(
                shape=(field.vocabulary, units), initializer="uniform", name="embeddings"
            )

    def call(self, y):
        if self.num_codes:
            if self.field.low < 0:
                y = ops.where(y < 0, self.num_codes - 1, y)  # what is unknown is the last
            return ops.one_hot(y, self.num_codes, dtype=self.compute_dtype)
        if self.embeddings is None:
            return ops.cast(y, self.compute_dtype)
        counts = ops.cast(ops.not_equal(y, 0), self.compute_dtype)[..., None]
        total = ops.sum(ops.take(self.embeddings, y, axis=0) * counts, axis=1)
        return total / ops.maximum(ops.sum(counts, axis=1), 1.0)

    def compute_output_shape(self, shape):
        if self.num_codes:
            return (*shape, self.num_codes)
        return shape if self.embeddings is None else (shape[0], self.units)

    def get_config(self):
        return super().get_config() | {
            "field": keras.saving.serialize_keras_object(self.field),
            "units": self.units,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"field": keras.saving.deserialize_keras_object(config["field"])})
