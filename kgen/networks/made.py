"""The networks of MADE and, without hidden layers, of the fully visible sigmoid belief net."""

import keras
import numpy as np
from keras import ops

from kgen.checks import whole_number, whole_numbers
from kgen.networks.ordered_network import OrderedNetwork, product, random_orders, rows_of


@keras.saving.register_keras_serializable("kgen")
class MaskedNetwork(OrderedNetwork):
    """Dense layers without the weights by which a number would know itself or one after it.

    A unit has a degree, up to which numbers of the order it may know: weights go from a degree to
    one that is at least as high, and out of the last layer to a number that is later.

    M_l = 1[m_l >= m_(l-1)],  M_out = 1[m_0 > m_L]   (Germain et al. 2015, eq. 8 and 9)

    The degrees of hidden units are the same in each order, so that orders differ by what they are
    of. What masks hide is left out in each call and stays in the weights.

    Args:
        units: tuple of int. Of the hidden layers, each with a ReLU. None at all is a fully visible
            sigmoid belief net.
        direct: bool. Weights from the numbers to the outputs, too.
        degrees: list of lists of int, those of the hidden units. Defaults to random ones.
        **kwargs: those of `OrderedNetwork`.

    Reference: Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015.
    https://arxiv.org/abs/1502.03509
    """

    def __init__(self, image_shape, outputs, units=(500,), direct=True, degrees=None, **kwargs):
        super().__init__(image_shape, outputs, **kwargs)
        self.units = whole_numbers("units", units)
        self.direct = bool(direct) or not self.units
        degrees = random_degrees(self.units, self.size) if degrees is None else degrees
        self.degrees = [np.asarray(each, "int32") for each in degrees]
        self.kernels, self.biases = [], []
        sizes = [self.size, *self.units]
        for i, (inputs, num) in enumerate(zip(sizes, sizes[1:], strict=False)):
            self.kernels.append(self.add_weight((inputs, num), "he_normal", name=f"kernel_{i}"))
            self.biases.append(self.add_weight((num,), "zeros", name=f"bias_{i}"))
        shape = (self.size, self.size * outputs)
        if self.units:
            self.out = self.add_weight((sizes[-1], shape[1]), "glorot_uniform", name="out")
        # The numbers of a mixture's components would stay equal for ever if they began so.
        start = keras.initializers.RandomNormal(stddev=0.01) if outputs > 1 else "zeros"
        self.bias = self.add_weight(shape[1:], start, name="bias")
        if self.direct:
            self.straight = self.add_weight(shape, "zeros", name="straight")
        self.num_kept = sum(self.units[:1]) + self.direct * self.size
        self.build_condition(*self.units[:1], shape[1])
        self.built = True

    def call(self, inputs, order=0):
        x, y = self.flat(inputs)
        ranks = ops.take(ops.convert_to_tensor(self.ranks), order, axis=0)
        later = ops.repeat(ranks, self.num_outputs)
        h, degrees = x, ranks
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            own = ops.convert_to_tensor(self.degrees[i])
            h = ops.matmul(h, _masked(kernel, degrees[:, None] <= own)) + bias
            h, degrees = ops.relu(self.conditioned(h, y, 0) if i == 0 else h), own
        # Of the first numbers no unit knows the condition.
        outputs = self.conditioned(ops.convert_to_tensor(self.bias), y)
        if self.units:
            seen = degrees[:, None] < later
            outputs = outputs + ops.matmul(h, _masked(self.out, seen))
        if self.direct:
            seen = ranks[:, None] < later
            outputs = outputs + ops.matmul(x, _masked(self.straight, seen))
        return self.as_images(outputs)

    def begin(self, y):
        kept = ops.zeros((1, 0), self.variable_dtype)
        if self.units:
            kept = ops.reshape(self.conditioned(self.biases[0], y, 0), (-1, self.units[0]))
        if self.direct:  # the numbers themselves, 0 where they are not known
            kept = ops.pad(kept, ((0, 0), (0, self.size)))
        shape = (-1, self.size, self.num_outputs)
        bias = self.conditioned(ops.convert_to_tensor(self.bias), y)
        by_number = [ops.swapaxes(ops.reshape(bias, shape), 0, 1)]
        for is_there, name in ((self.units, "out"), (self.direct, "straight")):
            if is_there:
                kernel = ops.convert_to_tensor(getattr(self, name))
                by_number.append(ops.swapaxes(ops.reshape(kernel, shape), 0, 1))
        degrees = [ops.convert_to_tensor(each) for each in self.degrees]
        between = [
            _masked(kernel, before[:, None] <= own)
            for kernel, before, own in zip(self.kernels[1:], degrees, degrees[1:], strict=False)
        ]
        return kept, by_number, degrees, between

    def outputs_at(self, weights, kept, place, where):
        _, (bias, *by_number), degrees, between = weights
        outputs = rows_of(bias, where)
        seen = []
        if self.units:
            h = ops.relu(kept[:, : self.units[0]])
            for kernel, own_bias in zip(between, self.biases[1:], strict=True):
                h = ops.relu(ops.matmul(h, kernel) + own_bias)
            seen.append(h * ops.cast(degrees[-1] < place, h.dtype))
        if self.direct:
            seen.append(kept[:, kept.shape[1] - self.size :])
        for x, kernel in zip(seen, by_number, strict=True):
            outputs = outputs + product(x, kernel, where)
        return outputs

    def advance(self, weights, kept, place, where, value):
        degrees, moved = weights[2], []
        if self.units:
            kernel = ops.take(ops.convert_to_tensor(self.kernels[0]), where, axis=0)
            moved.append(value * kernel * ops.cast(degrees[0] >= place, kernel.dtype))
        if self.direct:
            is_here = ops.arange(self.size, dtype="int32") == ops.reshape(where, (-1, 1))
            moved.append(value * ops.cast(is_here, kept.dtype))
        return kept + ops.concatenate(moved, axis=-1)

    def get_config(self):
        return super().get_config() | {
            "units": self.units,
            "direct": self.direct,
            "degrees": [each.tolist() for each in self.degrees],
        }


def random_degrees(units, size, seed=0):
    """Of each layer's units, from the least of the layer before on."""
    rng = np.random.default_rng(seed)
    degrees, least = [], 0
    for num in units:
        degrees.append(rng.integers(least, max(size - 1, least + 1), num))
        least = int(degrees[-1].min())
    return degrees


def _masked(kernel, mask):
    kernel = ops.convert_to_tensor(kernel)
    return kernel * ops.cast(mask, kernel.dtype)


def made(image_shape, outputs, units=(500,), orders=1, direct=True, condition=None, name="network"):
    """A masked autoencoder (Germain et al. 2015).

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers a pixel and colour.
        units: tuple of int. Of the hidden layers.
        orders: int, so many of them, that of rows and colours first and others at random; or an int
            array (num, height * width * channels), a permutation a row.
        direct: bool. Weights from the numbers to the outputs, too.
        condition: `kgen.fields.Field` of a label, attributes, tokens or a vector, int for as many
            classes, or None. With it the network takes `[image, condition]`.
        name: str. Name of the model.

    Returns:
        `OrderedNetwork`.
    """
    if np.ndim(orders) == 0:
        orders = random_orders(whole_number("orders", orders), int(np.prod(image_shape)))
    return MaskedNetwork(
        image_shape,
        outputs,
        units,
        direct,
        orders=orders,
        condition=condition,
        name=name,
    )


def fvsbn(image_shape, outputs, order=None, condition=None, name="network"):
    """A fully visible sigmoid belief net (Frey et al. 1995): a logistic regression for each pixel.

    Args:
        image_shape: tuple (height, width, channels).
        outputs: int. Numbers a pixel and colour.
        order: int array (height * width * channels,), a permutation. Defaults to that of rows and
            colours.
        condition: as of `made`.
        name: str. Name of the model.

    Returns:
        `OrderedNetwork`.
    """
    return made(image_shape, outputs, (), 1 if order is None else [order], True, condition, name)
