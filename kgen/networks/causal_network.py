"""A network of causal layers, which makes images pixel by pixel."""

import functools
import math

import keras
from keras import ops

from kgen.layers import (
    ColorHead,
    ConditionCode,
    DiagonalBiLSTM,
    GatedBlock,
    LevelEmbedding,
    ResidualLSTM,
    RowLSTM,
    ShiftedStem,
    ShortcutStreams,
)
from kgen.layers.causal_step import PointwiseStep, SequenceStep
from kgen.layers.scan_row import scan_row
from kgen.networks.conditioning import as_field

ELEMENTWISE = tuple(
    getattr(keras.layers, name) for name in ("Activation", "ReLU", "LeakyReLU", "ELU", "Dropout")
)
TWO_STACKS = GatedBlock, ShiftedStem, ShortcutStreams
RECURRENT = ResidualLSTM, RowLSTM, DiagonalBiLSTM
SEE_CONDITION = GatedBlock, ShortcutStreams, *RECURRENT


@keras.saving.register_keras_serializable("kgen")
class CausalNetwork(keras.Model):
    """Layers one after the other, each of which sees of an image only what comes before a pixel.

    Args:
        layers: list of causal layers (`kgen.layers.MaskedConv2D`, `MaskedResidualBlock`,
            `GatedBlock`, `ResidualLSTM`, `RowLSTM`, `DiagonalBiLSTM`; `ShiftedStem` and then
            `ShortcutStreams`), the first of mask "A", and of Keras' layers that change each number
            by itself: Activation, ReLU, LeakyReLU, ELU, Dropout. After a `ShiftedStem`,
            `ColorHead` can be the last. Before all, `LevelEmbedding` can stand.
        image_shape: tuple (height, width, channels).
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, but without
            `ShortcutStreams` of an image or features of the same height and width too, int for as
            many classes, or None. With it the network takes `[image, condition]`.

    Call:
        inputs: images (batch, height, width, channels), or the list of these and the condition.

    Returns:
        What the last layer gives, (batch, height, width, outputs).
    """

    def __init__(self, layers, image_shape, condition=None, **kwargs):
        super().__init__(**kwargs)
        self.embedding = None
        if isinstance(layers[0], LevelEmbedding):
            self.embedding, *layers = layers
            self.autocast = False  # half precision would round its levels
        if not layers or getattr(layers[0], "mask", None) != "A":
            raise ValueError(
                'Expected a first layer of mask "A", which does not see the pixel itself. '
                f"Received: {layers[:1]!r}"
            )
        self.in_turn = getattr(layers[0], "sees_colors", True)
        self.color_head = None
        if not self.in_turn and isinstance(layers[-1], ColorHead):
            *layers, self.color_head = layers
        colors = image_shape[-1] if self.in_turn else 1
        for layer in layers:
            is_head = isinstance(layer, ColorHead)
            if is_head or not (hasattr(layer, "step") or isinstance(layer, ELEMENTWISE)):
                raise ValueError(
                    "Expected causal layers, and Keras' elementwise ones: others could let a pixel "
                    'see itself or what comes later. MaskedConv2D(n, 1, "B") is a Dense, and '
                    "ColorHead is the last of a network that begins with a ShiftedStem. "
                    f"Received: {layer.name} ({type(layer).__name__})"
                )
            if getattr(layer, "colors", colors) != colors:
                reason = "as the image has" if self.in_turn else "as a ShiftedStem sees none"
                raise ValueError(
                    f"Expected layers with colors={colors}, {reason}. Received: {layer.name} with "
                    f"colors={layer.colors}"
                )
        for before, layer in zip([None, *layers], layers, strict=False):
            if isinstance(layer, ShortcutStreams) and not isinstance(before, TWO_STACKS):
                raise ValueError(
                    "Expected ShortcutStreams right after a ShiftedStem. Received: "
                    f"{layer.name} after {getattr(before, 'name', None)}"
                )
        condition = as_field(condition)
        if condition is not None and not any(isinstance(each, SEE_CONDITION) for each in layers):
            raise ValueError(
                "Expected a GatedBlock, ShortcutStreams or LSTM among the layers with a condition: "
                f"they alone see it. Received: condition={condition}"
            )
        if condition is not None and len(condition.shape) == 3:
            self._check_image(condition, image_shape, layers)
        self.period = math.lcm(*(getattr(layer, "period", 1) for layer in layers))
        if any(size % self.period for size in image_shape[:2]):
            above = [-(-size // self.period) * self.period for size in image_shape[:2]]
            raise ValueError(
                f"Expected height and width that are multiples of {self.period}, as the layers "
                f"halve them, such as {tuple(above)}. Received: image_shape={tuple(image_shape)}"
            )
        self.causal_layers = layers
        self.image_shape = tuple(image_shape)
        self.condition = condition
        self.code = None if condition is None else ConditionCode(condition)
        self(self.symbolic_inputs())  # builds it

    @staticmethod
    def _check_image(condition, image_shape, layers):
        others = [layer.name for layer in layers if isinstance(layer, ShortcutStreams)]
        if condition.shape[:2] != tuple(image_shape[:2]) or others:
            raise ValueError(
                "Expected labels, attributes, tokens or a vector as the condition of a causal "
                "network, or without ShortcutStreams an image or features of the same height and "
                f"width. Received: condition={condition}, image_shape={tuple(image_shape)}"
                + (f", and the layers {others}" if others else "")
            )

    def symbolic_inputs(self):
        """What it takes, as `keras.KerasTensor`s."""
        x, field = keras.KerasTensor((None, *self.image_shape)), self.condition
        return x if field is None else [x, keras.KerasTensor((None, *field.shape), field.dtype)]

    def call(self, inputs):
        x, y = (inputs, None) if self.condition is None else inputs
        code, above = self._code(y), None
        if self.embedding is not None:
            x = self.embedding(x)
        for layer in self.causal_layers:
            if isinstance(layer, TWO_STACKS):
                x, above = layer(x, above, code)
            elif isinstance(layer, RECURRENT):
                x = layer(x, code)
            else:
                x = layer(x)
        if self.color_head is not None:
            image = inputs if self.condition is None else inputs[0]
            x = self.color_head(x, image)
        return x

    @property
    def sees_colors(self):
        """Whether a colour's outputs know the pixel's colours before it."""
        return self.in_turn or self.color_head is not None

    def _code(self, y):
        return None if y is None else self.code(y)

    def _steps(self, y):
        """The first layer in a loop over pixels, and all others."""
        code = self._code(y)
        steps, dtype = [], self.causal_layers[0].compute_dtype
        for layer in self.causal_layers:
            if layer.compute_dtype != dtype:
                dtype = layer.compute_dtype
                steps.append(PointwiseStep(functools.partial(ops.cast, dtype=dtype)))
            steps.append(_step(layer, code))
        first, *rest = steps
        return first, SequenceStep(rest)

    def start(self, batch_size):
        """What `generate` keeps above the first row: nothing yet.

        Args:
            batch_size: int or scalar tensor.
        """
        field = self.condition
        steps = self._steps(None if field is None else ops.zeros((1, *field.shape), field.dtype))
        return tuple(step.start(batch_size, self.image_shape[1]) for step in steps)

    def generate(self, choose, given, memory, y=None):
        """Makes rows of images, each layer at one pixel after the other.

        Args:
            choose: callable of the outputs (batch, outputs) at a pixel, where `sees_colors` those
                of its next colour, of the list of its colours so far, (batch, 1) each, and of each
                of `given` at the pixel and its next colour, (batch, 1); it returns the value that
                the layers see next, float32 (batch, 1).
            given: list of tensors (batch, rows, width, channels), at least one; the rows are a
                multiple of `period`.
            memory: what `start` or the call for the rows above returned.
            y: the condition (batch, ...), or None.

        Returns:
            The values (batch, rows, width, channels) and the memory for the rows below.
        """
        first, rest = self._steps(y)
        head = None if self.color_head is None else self.color_head.step()
        turns = range(self.period)
        places = [[rest.at(row, column) for column in turns] for row in turns]
        _, num_rows, _, colors = given[0].shape
        nothing = ops.zeros_like(given[0][:, 0, 0, :1], dtype="float32")
        dtype = self.causal_layers[0].compute_dtype

        def joined(values):  # on PyTorch what does nothing takes as long as a small layer
            return values[0] if colors == 1 else ops.concatenate(values, axis=-1)

        def advance_first(values, prepared, left):
            x = joined(values)
            if self.embedding is not None:
                return first.advance(self.embedding.call(x), prepared, left)
            return first.advance(x if dtype == "float32" else ops.cast(x, dtype), prepared, left)

        def make_pixel(row, column, state, at_pixel):
            prepared_first, prepared, given = at_pixel
            left_first, left, _ = state
            here = places[row][column]
            values = [nothing] * colors  # the mask hides those to come
            for color in range(colors):
                if color == 0 or self.in_turn:
                    hidden, _ = advance_first(values, prepared_first, left_first)
                    outputs, left_after = here.advance(hidden, prepared, left)
                    of_pixel = None if head is None else head.prepare(outputs)
                if head is not None:
                    outputs = head.advance(of_pixel, joined(values))
                of_color = [t[:, color : color + 1] for t in given]
                own = outputs[:, color::colors] if self.sees_colors and colors > 1 else outputs
                values[color] = choose(own, values[:color], *of_color)
            _, left_first = advance_first(values, prepared_first, left_first)
            return left_first, left_after, joined(values)

        def make_row(row, i, state):
            (rows_first, rows), image = state
            here = places[row][0]
            rows_first, above, prepared_first, left_first = first.start_row(rows_first, None)
            rows, _, prepared, left = here.start_row(rows, above)
            given_row = tuple(ops.take(t, i, axis=1) for t in given)
            start = left_first, left, joined([nothing] * colors)
            pixels = prepared_first, prepared, given_row
            advance = functools.partial(make_pixel, row)
            lefts_first, lefts, made = scan_row(advance, start, pixels, self.period)
            memory = first.end_row(rows_first, lefts_first), here.end_row(rows, lefts)
            # ops.slice_update would be an operation of XLA's, which not every server has.
            is_here = ops.reshape(
                ops.arange(num_rows, dtype="int32") == ops.cast(i, "int32"), (-1, 1, 1)
            )
            return memory, ops.where(is_here, made[:, None], image)

        def make_rows(i, state):
            for row in turns:
                state = make_row(row, i * self.period + row, state)
            return state

        image = ops.zeros(ops.shape(given[0]), "float32")  # half precision would round its levels
        memory, image = ops.fori_loop(0, num_rows // self.period, make_rows, (memory, image))
        return image, memory

    def get_config(self):
        ends = [[] if each is None else [each] for each in (self.embedding, self.color_head)]
        layers = [*ends[0], *self.causal_layers, *ends[1]]
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "layers": [keras.saving.serialize_keras_object(each) for each in layers],
            "image_shape": self.image_shape,
            "condition": keras.saving.serialize_keras_object(self.condition),
        }

    @classmethod
    def from_config(cls, config):
        layers = [keras.saving.deserialize_keras_object(each) for each in config["layers"]]
        condition = keras.saving.deserialize_keras_object(config["condition"])
        return cls(**config | {"layers": layers, "condition": condition})


def _step(layer, code):
    if isinstance(layer, TWO_STACKS + RECURRENT):
        return layer.step(code)
    # Not the layer itself: what Keras does around a call takes longer than the call.
    return layer.step() if hasattr(layer, "step") else PointwiseStep(layer.call)
