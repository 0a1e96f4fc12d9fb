"""What tests do pixel by pixel, each with a full pass of the network."""

import numpy as np
from keras import ops

from kgen import backend
from kgen.noise import SeededNoise
from kgen.seeds import seed_words, seeds_of


def scan_order(model):
    """The pixels, row by row."""
    return list(np.ndindex(model.image_shape[:2]))


def labels_of(model, num):
    return None if model.num_classes is None else np.arange(num, dtype="int32") % 3


def give_weights(*networks):
    """Weights that make a difference."""
    rng = np.random.default_rng(0)
    for network in networks:
        for v in network.variables:
            if "float" in v.dtype:
                fan_in = np.prod(v.shape[:-1]) if len(v.shape) > 1 else 9
                v.assign(rng.normal(size=v.shape) / np.sqrt(fan_in))


def naive_samples(model, num, seed, temperature, order):
    """Images of the same uniform numbers, a full pass for each pixel and colour."""
    y, distribution = labels_of(model, num), model.distribution
    *_, colors = shape = model.image_shape
    noise = SeededNoise(ops.convert_to_tensor(seed_words(seeds_of(seed, num))))
    uniform = noise.uniform((num, *shape[:2], colors * distribution.uniforms))
    given = distribution.prepare(uniform, -ops.ones((num, *shape)), np.float32(temperature))
    x = np.zeros((num, *shape), "float32")
    outputs_of = model.compiled_function(model._outputs)
    for row, column in order:
        for color in range(colors):
            outputs = outputs_of(x, y)[:, row, column]
            own = outputs if distribution.coupled else outputs[:, color::colors]
            before = ops.convert_to_tensor(2.0 * x[:, row, column, :color] - 1.0)
            drawn = distribution.draw(
                own,
                [before[:, i : i + 1] for i in range(color)],
                np.float32(temperature),
                *(each[:, row, column, color : color + 1] for each in given),
            )
            x[:, row, column, color] = ops.convert_to_numpy(drawn)[:, 0]
    return x


def pixels_seen(model, order, num=8):
    """Whether the outputs of a pixel, bool (pixels, pixels), see another; both as in `order`."""
    *size, colors = model.image_shape
    x = np.random.default_rng(0).normal(size=(num, *size, colors)).astype("float32")
    y = labels_of(model, num)

    def gradient(x, chosen):
        def output(x):
            outputs = model.network(model.join(x, y))
            return ops.sum(ops.where(chosen[..., None], outputs, 0.0) ** 2)

        return backend.input_gradient(output, x)

    gradient = backend.compile_function(model, gradient)
    rows, columns = np.transpose(order)
    sees = []
    for pixel in order:
        chosen = np.zeros(size, bool)
        chosen[pixel] = True
        found = ops.convert_to_numpy(gradient(ops.convert_to_tensor(x), chosen))
        sees.append((found != 0).any(axis=(0, 3))[rows, columns])
    return np.array(sees)
