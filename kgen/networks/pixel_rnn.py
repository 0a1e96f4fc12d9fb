"""The networks of PixelRNN, of one scale and of two."""

import keras
from keras import ops

from kgen.checks import whole_number
from kgen.fields import FeatureMap
from kgen.layers import ConditionCode, Conv2DTranspose, MaskedConv2D, ResidualLSTM
from kgen.networks.causal_network import CausalNetwork
from kgen.networks.conditioning import as_field, check_vector
from kgen.networks.pixel_cnn import masked_head, sizes


def pixel_rnn(
    image_shape,
    outputs,
    cell="diagonal",
    filters=None,
    blocks=None,
    subsampling=1,
    head=None,
    condition=None,
    name="network",
):
    """Masked convolution and residual LSTMs (van den Oord et al. 2016a, table 1).

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers a pixel and colour.
        cell: "row" for Row LSTMs, "diagonal" for Diagonal BiLSTMs.
        filters: int. h in the paper: channels of a state, others have twice as many. Defaults to
            the paper's 128 for colour, 16 for grey images.
        blocks: int. Residual LSTMs. Defaults to the paper's 12 for colour, 7 for grey images.
        subsampling: int. Above 1 one network of every so many rows and columns, and another of all
            given these (section 3.6).
        head: int. Channels of the last hidden layer. Defaults to the paper's 1024 for colour, twice
            `filters` for grey images.
        condition: `kgen.fields.Field` of a label, attributes, tokens, a vector or, where
            `subsampling` is 1, an image of the same height and width, int for as many classes, or
            None. With it the network takes `[image, condition]`.
        name: str. Name of the model.

    Returns:
        `CausalNetwork`, or `MultiScaleNetwork`, from (batch, height, width, channels) to (batch,
        height, width, outputs * channels), of which channel i belongs to colour i mod channels.
    """
    *size, colors = image_shape
    filters, blocks = sizes(colors, filters, blocks, 12)
    if filters < colors:
        raise ValueError(
            f"Expected as many filters (a width) as colours, {colors}. Received: {filters=}"
        )

    def one_scale(size, condition, name):
        layers = [
            MaskedConv2D(2 * filters, 7, "A", colors),
            *(ResidualLSTM(2 * filters, cell, colors) for _ in range(blocks)),
            *masked_head(head, 2 * filters, outputs, colors),
        ]
        return CausalNetwork(layers, (*size, colors), condition, name=name)

    if subsampling == 1:
        return one_scale(size, condition, name)
    condition, subsampling = as_field(condition), whole_number("subsampling", subsampling)
    check_vector(condition, "a PixelRNN of two scales")
    if any(length % subsampling for length in size):
        raise ValueError(
            f"Expected height and width that are multiples of {subsampling=}. Received: "
            f"image_shape={tuple(image_shape)}"
        )
    seen = 2 * filters
    if condition is not None:
        seen += ConditionCode(condition).compute_output_shape((None, *condition.shape))[-1]
    return MultiScaleNetwork(
        one_scale([length // subsampling for length in size], condition, "small"),
        one_scale(size, FeatureMap((*size, seen)), "large"),
        [_upsampled(2 * filters, n) for n in _factors(subsampling)],
        name=name,
    )


def _upsampled(filters, by):
    return Conv2DTranspose(filters, 2 * by, by, padding="same", data_format="channels_last")


def _factors(number):
    found = []
    while number > 1:
        found.append(next(n for n in range(2, number + 1) if number % n == 0))
        number //= found[-1]
    return found


@keras.saving.register_keras_serializable("kgen")
class MultiScaleNetwork(keras.Model):
    """Of every n-th row and column an image is made, and all else given it (section 3.6).

    The order is that of the small image's pixels, then that of all others, each row by row: the
    small image is a part of the large one, and is copied there.

    Args:
        small: `CausalNetwork` of (height / n, width / n, channels).
        large: `CausalNetwork` of (height, width, channels), whose condition is the image that
            `upsampling` makes of the small one, with the code of `small`'s condition beside it.
        upsampling: list of layers, the first of which takes the small image, with a ReLU after each
            but the last.

    Call:
        inputs: images (batch, height, width, channels), or the list of these and the condition.

    Returns:
        (batch, height, width, outputs).

    Reference: van den Oord et al., Pixel Recurrent Neural Networks, 2016.
    https://arxiv.org/abs/1601.06759
    """

    def __init__(self, small, large, upsampling, **kwargs):
        super().__init__(**kwargs)
        scale = large.image_shape[0] // small.image_shape[0]
        expected = (*(scale * n for n in small.image_shape[:2]), small.image_shape[2])
        seen = getattr(large.condition, "shape", ())
        if large.image_shape != expected or len(seen) != 3:
            raise ValueError(
                "Expected networks of small images, and of large ones that are so many times as "
                "high and wide, whose condition is of their pixels. Received: small of "
                f"{small.image_shape}, large of {large.image_shape}, {large.condition}"
            )
        self.small = small
        self.large = large
        self.upsampling = upsampling
        self.image_shape = large.image_shape
        self.condition = small.condition
        self.sees_colors = large.sees_colors
        self.period = self.image_shape[0]  # all rows at once
        self.subsampling = scale
        self.code = None if self.condition is None else ConditionCode(self.condition)
        self(self.symbolic_inputs())  # builds it

    def symbolic_inputs(self):
        """What it takes, as `keras.KerasTensor`s."""
        x, given = keras.KerasTensor((None, *self.image_shape)), self.small.symbolic_inputs()
        return x if self.condition is None else [x, given[1]]

    def call(self, inputs):
        x, y = (inputs, None) if self.condition is None else inputs
        small = x[:, :: self.subsampling, :: self.subsampling]
        of_small = self.small(small if y is None else [small, y])
        others = self.large([x, self._seen(small, y)])
        return ops.where(self._is_small(), self._spread(of_small), others)

    def _seen(self, small, y):
        """What the large network is given of the small image, for each pixel."""
        x = small
        for layer in self.upsampling:
            x = layer(x if layer is self.upsampling[0] else ops.relu(x))
        if y is None:
            return x
        code = self.code(y)
        code = ops.repeat(code[:, None], self.image_shape[0] * self.image_shape[1], axis=1)
        code = ops.reshape(code, (-1, *self.image_shape[:2], code.shape[-1]))
        return ops.concatenate([x, ops.cast(code, x.dtype)], axis=-1)

    def _is_small(self):
        """Where the pixels of the small image are, bool (1, height, width, 1)."""
        rows, columns = (ops.arange(n) % self.subsampling == 0 for n in self.image_shape[:2])
        return ops.logical_and(rows[:, None], columns)[None, ..., None]

    def _spread(self, of_small):
        """Each pixel of the small image n x n times."""
        return ops.repeat(ops.repeat(of_small, self.subsampling, 1), self.subsampling, 2)

    def start(self, batch_size):
        """What `generate` begins with.

        Args:
            batch_size: int or scalar tensor.
        """
        return self.small.start(batch_size), self.large.start(batch_size)

    def generate(self, choose, given, memory, y=None):
        """Makes images, as `CausalNetwork.generate` does, all rows of them."""
        of_small, of_large = memory
        thinned = [t[:, :: self.subsampling, :: self.subsampling] for t in given]
        small, of_small = self.small.generate(choose, thinned, of_small, y)

        def choose_others(outputs, before, is_small, copied, *given):
            return ops.where(is_small, copied, choose(outputs, before, *given))

        copied = self._spread(small)
        is_small = ops.broadcast_to(self._is_small(), ops.shape(copied))
        given = [is_small, copied, *given]
        image, of_large = self.large.generate(choose_others, given, of_large, self._seen(small, y))
        return image, (of_small, of_large)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "dtype": serialize(self.dtype_policy),
            "small": serialize(self.small),
            "large": serialize(self.large),
            "upsampling": [serialize(layer) for layer in self.upsampling],
        }

    @classmethod
    def from_config(cls, config):
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            **config
            | {
                "small": deserialize(config["small"]),
                "large": deserialize(config["large"]),
                "upsampling": [deserialize(each) for each in config["upsampling"]],
            }
        )
