"""The network of NADE."""

import keras
import numpy as np
from keras import ops

from kgen.checks import whole_number
from kgen.networks.ordered_network import OrderedNetwork, product, rows_of


@keras.saving.register_keras_serializable("kgen")
class NADENetwork(OrderedNetwork):
    """One hidden layer a number, of shared weights: each adds to what the one before it summed up.

    h_d = sigmoid(c + sum_(j < d) W_j x_j),  outputs_d = b_d + V_d h_d   (eq. 1 and 2)

    Args:
        units: int. Of the hidden layer.
        **kwargs: those of `OrderedNetwork`, with one order.

    Reference: Larochelle & Murray, The Neural Autoregressive Distribution Estimator, 2011.
    https://proceedings.mlr.press/v15/larochelle11a.html
    """

    def __init__(self, image_shape, outputs, units=500, **kwargs):
        super().__init__(image_shape, outputs, **kwargs)
        if len(self.orders) > 1:
            raise ValueError(f"Expected one order. Received: {len(self.orders)} of them")
        self.units = self.num_kept = whole_number("units", units)
        small = keras.initializers.RandomNormal(stddev=1.0 / np.sqrt(self.size))
        self.w = self.add_weight((self.size, units), small, name="w")
        self.c = self.add_weight((units,), "zeros", name="c")
        start = keras.initializers.RandomNormal(stddev=1.0 / np.sqrt(units))
        self.v = self.add_weight((self.size, units, outputs), start, name="v")
        self.bias = self.add_weight((self.size, outputs), "zeros", name="b")
        self.build_condition(units)
        self.built = True

    def call(self, inputs, order=0):
        x, y = self.flat(inputs)
        order = self.orders[0]
        x = ops.take(x, order, axis=1)
        w, v, b = (ops.take(each, order, axis=0) for each in (self.w, self.v, self.bias))
        kept = ops.reshape(self.conditioned(self.c, y), (-1, self.units))
        outputs, num = [], self.image_shape[1] * self.image_shape[2]
        earlier = np.tril(np.ones((num, num), "float32"), -1)
        for start in range(0, self.size, num):  # the sums of all numbers at once would fill memory
            here = slice(start, start + num)
            parts = x[:, here, None] * w[here]
            sums = kept[:, None] + ops.matmul(ops.cast(earlier, parts.dtype), parts)
            h = ops.sigmoid(sums)
            outputs.append(ops.einsum("bdh,dho->bdo", h, v[here]) + b[here])
            kept = sums[:, -1] + parts[:, -1]
        outputs = ops.concatenate(outputs, axis=1)
        return self.as_images(ops.take(outputs, self.ranks[0], axis=1))

    def begin(self, y):
        kept = ops.reshape(self.conditioned(self.c, y), (-1, self.units))
        return kept, ops.convert_to_tensor(self.bias)[:, None], ops.convert_to_tensor(self.v)

    def outputs_at(self, weights, kept, place, where):
        _, b, v = weights
        return rows_of(b, where) + product(ops.sigmoid(kept), v, where)

    def advance(self, weights, kept, place, where, value):
        return kept + value * ops.take(ops.convert_to_tensor(self.w), where, axis=0)

    def get_config(self):
        return super().get_config() | {"units": self.units}


def nade(image_shape, outputs, units=500, order=None, condition=None, name="network"):
    """A neural autoregressive distribution estimator (Larochelle & Murray 2011).

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers a pixel and colour.
        units: int. Of the hidden layer.
        order: int array (height * width * channels,), a permutation. Defaults to that of rows and
            colours.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, int for as many
            classes, or None. With it the network takes `[image, condition]`.
        name: str. Name of the model.

    Returns:
        `OrderedNetwork`.
    """
    orders = None if order is None else [order]
    return NADENetwork(image_shape, outputs, units, orders=orders, condition=condition, name=name)
