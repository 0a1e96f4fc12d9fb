"""Networks of all pixels and colours in an order, each given those before it."""

import keras
import numpy as np
from keras import ops

from kgen.layers import ConditionCode
from kgen.layers.precision import full_precision
from kgen.networks.conditioning import as_field, check_vector


class OrderedNetwork(keras.Model):
    """A network of an image's numbers one after the other, of which each is given those before it.

    A subclass has the weights, gives all outputs at once in `call`, and one after the other by
    `begin`, `outputs_at` and `advance`. Both are of full precision where others would be mixed:
    sums over all pixels are no numbers to round.

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers that it gives for a pixel and colour.
        orders: int array (num, height * width * channels). In each row the numbers of an image, as
            they come row by row, each pixel's colours in turn, in an order that the network knows.
            None for that order itself.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, int for as many
            classes, or None. With it the network takes `[image, condition]`.

    Call:
        inputs: images (batch, height, width, channels) in [-1, 1], or a list with the condition.
        order: int scalar tensor. Which of the orders. Defaults to 0.

    Returns:
        (batch, height, width, outputs * channels), of which channel i belongs to colour i mod
        channels.
    """

    sees_colors = True
    period = 1

    def __init__(self, image_shape, outputs, orders=None, condition=None, dtype=None, **kwargs):
        super().__init__(dtype=full_precision(dtype), **kwargs)
        self.image_shape = tuple(image_shape)
        self.size = int(np.prod(image_shape))
        self.num_outputs = outputs
        self.orders = check_orders(orders, self.size)
        self.reorders = not np.array_equal(self.orders, np.arange(self.size)[None])
        self.ranks = np.argsort(self.orders, axis=1).astype("int32")
        condition = as_field(condition)
        check_vector(condition, type(self).__name__)
        self.condition = condition
        self.code = None
        if condition is not None:
            self.code = ConditionCode(condition, dtype=self.dtype_policy)
        self.of_code = []

    def symbolic_inputs(self):
        """What it takes, as `keras.KerasTensor`s."""
        x, field = keras.KerasTensor((None, *self.image_shape)), self.condition
        return x if field is None else [x, keras.KerasTensor((None, *field.shape), field.dtype)]

    def build_condition(self, *units):
        """Makes the layers that add the condition to so many numbers, of a conditional network."""
        if self.condition is None:
            return
        for num in units:
            layer = keras.layers.Dense(num, use_bias=False, dtype=self.dtype_policy)
            layer.build(self.code.compute_output_shape((None, *self.condition.shape)))
            self.of_code.append(layer)

    def conditioned(self, x, y, layer=-1):
        """Numbers (batch, units) or (units,), and what the condition adds to them by a layer."""
        return x if y is None else x + self.of_code[layer](self.code(y))

    def flat(self, inputs):
        """The numbers of images, (batch, size), in [0, 1], and the condition or None."""
        x, y = (inputs, None) if self.condition is None else inputs
        return 0.5 * (ops.reshape(x, (-1, self.size)) + 1.0), y

    def as_images(self, outputs):
        """What `call` returns, of (batch, size, outputs)."""
        outputs = ops.reshape(outputs, (-1, *self.image_shape, self.num_outputs))
        *size, colors = self.image_shape
        return ops.reshape(ops.swapaxes(outputs, -1, -2), (-1, *size, self.num_outputs * colors))

    def start_outputs_at(self, outputs):
        """Sets the outputs' biases.

        Args:
            outputs: array (height, width, outputs * channels), as one of what `call` returns.
        """
        *size, colors = self.image_shape
        outputs = np.asarray(outputs).reshape(*size, self.num_outputs, colors).swapaxes(-1, -2)
        self.bias.assign(outputs.reshape(self.bias.shape))

    def start(self, batch_size, order=None):
        """What `generate` keeps before the first number.

        Args:
            batch_size: int or scalar tensor.
            order: int tensor (batch,), which of the orders each image is made in. Defaults to 0.
        """
        if order is None:
            order = ops.zeros((batch_size,), "int32")
        return (
            ops.zeros((), "int32"),
            order,
            ops.zeros((batch_size, self.num_kept), self.variable_dtype),
        )

    def generate(self, choose, given, memory, y=None):
        """Makes numbers one after the other, as `CausalNetwork.generate` does rows.

        Args:
            choose: callable of the outputs (batch, outputs) for a number, an empty list, and of
                each of `given` at it, (batch, 1); it returns its value, float32 (batch, 1).
            given: list of tensors (batch, rows, width, channels), of numbers in their order.
            memory: what `start` or the call for those before returned.
            y: the condition (batch, ...), or None.

        Returns:
            The values, in their order (batch, rows, width, channels), and the memory.
        """
        shape = ops.shape(given[0])
        num = int(np.prod(given[0].shape[1:]))
        given = [ops.reshape(each, (-1, num)) for each in given]
        first, order, kept = memory
        weights, orders = self.begin(y), ops.convert_to_tensor(self.orders)

        def make(i, state):
            kept, made = state
            place = ops.minimum(first + ops.cast(i, "int32"), self.size - 1)  # rows may be padded
            where = ops.take(orders, place, axis=1)  # of each order
            # Of one order all images share a number, and no weights are gathered for each.
            where = where[0] if len(self.orders) == 1 else ops.take(where, order)
            outputs = self.outputs_at(weights, kept, place, where)
            value = choose(outputs, [], *(ops.take(each, [i], axis=1) for each in given))
            known = ops.cast(0.5 * (value + 1.0), kept.dtype)
            kept = self.advance(weights, kept, place, where, known)
            is_here = ops.arange(num, dtype="int32") == ops.cast(i, "int32")
            return kept, ops.where(is_here, value, made)

        kept = ops.where(first > 0, kept, weights[0] + ops.zeros_like(kept))
        made = ops.zeros(ops.shape(given[0]), "float32")
        kept, made = ops.fori_loop(0, num, make, (kept, made))
        return ops.reshape(made, shape), (first + num, order, kept)

    def get_config(self):
        return {
            "name": self.name,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "image_shape": self.image_shape,
            "outputs": self.num_outputs,
            "orders": self.orders.tolist(),
            "condition": keras.saving.serialize_keras_object(self.condition),
        }

    @classmethod
    def from_config(cls, config):
        condition = keras.saving.deserialize_keras_object(config["condition"])
        return cls(**config | {"condition": condition})


def rows_of(table, where):
    """Of weights by number (size, batch or 1, any), those of one (batch or 1, any).

    Args:
        table: tensor.
        where: int tensor, the number of all images, or (batch,), that of each.
    """
    if not len(where.shape):
        return ops.take(table, where, axis=0)
    if table.shape[1] == 1:
        return ops.take(table, where, axis=0)[:, 0]
    index = ops.reshape(where, (1, -1, 1)) + ops.zeros_like(table[:1], dtype="int32")
    return ops.take_along_axis(table, index, axis=0)[0]


def product(x, kernel, where):
    """X (batch, inputs) times the weights (size, inputs, outputs) of a number, as of `rows_of`."""
    kernel = ops.take(kernel, where, axis=0)
    if not len(where.shape):
        return ops.matmul(x, kernel)
    return ops.squeeze(ops.matmul(x[:, None], kernel), 1)


def check_orders(orders, size):
    """Orders of so many numbers, int32 (num, size)."""
    if orders is None:
        return np.arange(size, dtype="int32")[None]
    found = np.atleast_2d(np.asarray(orders))
    if found.dtype.kind not in "iu" or found.ndim != 2 or found.shape[1] != size:
        raise ValueError(
            f"Expected an order to be {size} whole numbers. Received: {found.dtype} of shape "
            f"{found.shape[1:]}"
        )
    wrong = (np.sort(found, axis=1) != np.arange(size)).any(axis=1)
    if wrong.any():
        raise ValueError(
            f"Expected each order to be a permutation of 0..{size - 1}. Received: orders="
            f"{found[wrong][0]!r:.60}"
        )
    return found.astype("int32")


def random_orders(num, size, seed=0):
    """So many orders, int32 (num, size): that of rows and colours first, the others at random."""
    rng = np.random.default_rng(seed)
    return np.stack([np.arange(size)] + [rng.permutation(size) for _ in range(num - 1)])
