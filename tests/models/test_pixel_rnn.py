import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend
from kgen.fields import Image
from kgen.layers import (
    DiagonalBiLSTM,
    MaskedConv2D,
    ResidualLSTM,
    RowLSTM,
    ShiftedStem,
    ShortcutStreams,
)
from kgen.layers.diagonal_bi_lstm import skew, unskew
from kgen.networks import CausalNetwork
from tests.models.pixelwise import (
    give_weights,
    labels_of,
    naive_samples,
    pixels_seen,
    scan_order,
)
from tests.models.test_pixel_cnn import record
from tests.tiers import in_tiers

# Of each cell and of two scales; in colour, and of a label.
CASES = {
    "row": {"image_shape": (5, 4, 1), "levels": 2, "cell": "row", "num_classes": 3},
    "diagonal": {"image_shape": (3, 4, 3), "levels": 4, "cell": "diagonal"},
    "scales": {"image_shape": (4, 6, 1), "levels": 3, "subsampling": 2, "num_classes": 3},
    "scales in colour": {"image_shape": (3, 6, 3), "levels": 4, "cell": "row", "subsampling": 3},
}


ON_EACH = ["diagonal", "scales"]


def new_model(image_shape, **kwargs):
    model = kgen.PixelRNN(image_shape, **{"width": 3, "depth": 2, "seed": 0} | kwargs)
    give_weights(model.network)
    return model


@functools.cache
def model_of(name):
    """For tests that leave it as it is."""
    return new_model(**CASES[name])


def order_of(model):
    """The pixels as they are made: those of the small image, then the others."""
    n = model.subsampling or 1
    return sorted(scan_order(model), key=lambda pixel: pixel[0] % n > 0 or pixel[1] % n > 0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def next_state(sums, c):
    o, f, i, g = np.split(sums, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def numbers_of(layer, shape):
    """An input, and of a layer the sums from it and the maps of the states, in double precision."""
    give_weights(layer)
    x = np.random.default_rng(1).normal(size=shape).astype("float32")
    sums = ops.convert_to_numpy(layer.input_to_state(x)).astype("float64")
    return x, sums, ops.convert_to_numpy(layer.state_to_state).astype("float64")


@pytest.mark.one_backend
def test_a_row_lstm_is_equation_3():
    layer, shape = RowLSTM(3), (2, 4, 5, 2)
    layer.build(shape)
    x, sums, (kernel,) = numbers_of(layer, shape)
    h, c = np.zeros((5, 7, 2, 3)), np.zeros((5, 7, 2, 3))  # a row above, a column at each side
    for row, column in np.ndindex(4, 5):
        seen = np.concatenate(list(h[row, column : column + 3]), axis=-1)
        state = next_state(sums[:, row, column] + seen @ kernel, c[row, column + 1])
        h[row + 1, column + 1], c[row + 1, column + 1] = state
    expected = np.transpose(h[1:, 1:-1], (2, 0, 1, 3))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-5)


@pytest.mark.one_backend
def test_a_diagonal_bilstm_is_equation_3():
    layer, shape = DiagonalBiLSTM(3), (2, 4, 5, 2)
    layer.build(shape)
    x, both, kernels = numbers_of(layer, shape)
    states = []
    for sums, kernel, step in zip(np.split(both, 2, axis=-1), kernels, (1, -1), strict=True):
        sums = sums[:, :, ::step]
        h, c = np.zeros((5, 6, 2, 3)), np.zeros((5, 6, 2, 3))  # a row above, a column beside
        for row, column in np.ndindex(4, 5):
            seen = np.concatenate([h[row, column + 1], h[row + 1, column]], axis=-1)
            state = next_state(sums[:, row, column] + seen @ kernel, c[row + 1, column])
            h[row + 1, column + 1], c[row + 1, column + 1] = state
        states.append(np.transpose(h[:, 1:], (2, 0, 1, 3))[:, :, ::step])
    expected = states[0][:, 1:] + states[1][:, :-1]  # the other's row above
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-5)


@pytest.mark.parametrize("layer", [RowLSTM, DiagonalBiLSTM])
def test_forget_gates_begin_open(layer):
    """Of x = 0 and a state of 0, so that of all gates nothing but the biases is left."""
    layer = layer(3, colors=3)
    layer.build((None, 4, 4, 6))
    sums = ops.convert_to_numpy(layer.input_to_state(np.zeros((1, 1, 1, 6), "float32")))
    gates = np.split(sums.ravel(), 4 * layer.directions)
    np.testing.assert_array_equal(gates, [[each] * 3 for each in (0, 1, 0, 0) * layer.directions])


def test_skewing():
    x = np.arange(1.0, 7.0).reshape(1, 1, 2, 3, 1)
    found = ops.convert_to_numpy(skew(ops.convert_to_tensor(x)))[0, 0, ..., 0]
    np.testing.assert_array_equal(found, [[1, 2, 3, 0], [0, 4, 5, 6]])
    np.testing.assert_array_equal(unskew(skew(ops.convert_to_tensor(x))), x)


@pytest.mark.parametrize("cell", ["row", "diagonal"])
def test_what_one_layer_sees(cell):
    """Of 5x5 pixels a Row LSTM at (4, 2) sees 21 of the 23 up to its own, at (2, 0) 6."""
    layer = {"row": RowLSTM, "diagonal": DiagonalBiLSTM}[cell](4)
    x = np.random.default_rng(0).normal(size=(8, 5, 5, 2)).astype("float32")
    layer.build(x.shape)
    give_weights(layer)

    def gradient(x, row, column):
        return backend.input_gradient(lambda x: ops.sum(layer(x)[:, row, column] ** 2, axis=-1), x)

    counts = {}
    for row, column in ((4, 2), (2, 0), (3, 4)):
        found = ops.convert_to_numpy(gradient(ops.convert_to_tensor(x), row, column))
        sees = (found != 0).any(axis=(0, 3))
        expected = {(i, j) for i, j in np.ndindex(5, 5) if (i, j) <= (row, column)}
        if cell == "row":
            expected = {
                (i, j) for i, j in expected if column - (row - i) - 1 <= j <= column + (row - i)
            }
        assert set(map(tuple, np.argwhere(sees).tolist())) == expected
        counts[row, column] = len(expected)
    assert cell == "diagonal" or (counts[4, 2], counts[2, 0]) == (21, 6)


@pytest.mark.parametrize("name", in_tiers(CASES, quick=["diagonal"], on_each=ON_EACH))
def test_nothing_sees_what_comes_later(name):
    model = model_of(name)
    sees = pixels_seen(model, order_of(model))
    assert not np.triu(sees, 1).any()
    # A colour sees those of its own pixel before it.
    assert np.diag(sees).any() == (model.image_shape[-1] > 1)
    before = sees[np.tril(np.ones_like(sees), -1)]
    assert before.all() if name == "diagonal" else before.mean() > 0.8


@pytest.mark.one_backend
@pytest.mark.parametrize("name", in_tiers(CASES, quick=["scales"], on_each=ON_EACH))
def test_sampling_is_naive_sampling(name):
    model = model_of(name)
    x = naive_samples(model, 2, 7, 0.8, order_of(model))
    sampled = model.sample(2, labels_of(model, 2), temperature=0.8, seed=7)
    np.testing.assert_allclose(sampled, x, atol=1e-6)
    assert len(np.unique(x)) > 1


@pytest.mark.parametrize("condition", [None, 3, Image((5, 4, 2))])
@pytest.mark.parametrize("cell", ["row", "diagonal"])
def test_cached_outputs_are_parallel_outputs(cell, condition):
    """Of the layers by themselves too, and with a condition for each pixel."""
    layers = [
        MaskedConv2D(9, 3, "A", 3),
        ResidualLSTM(9, cell, 3),
        {"row": RowLSTM, "diagonal": DiagonalBiLSTM}[cell](5, 3),
        MaskedConv2D(6, 1, "B", 3),
    ]
    network = CausalNetwork(layers, (5, 4, 3), condition)
    give_weights(network)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 4, 3)).astype("float32"), None
    if condition is not None:
        y = np.array([2, 0]) if condition == 3 else rng.random((2, 5, 4, 2)).astype("float32")
    parallel = ops.convert_to_numpy(network(x if y is None else [x, y]))
    cached = []

    def spy(outputs, before, known):
        record(cached, len(before), outputs)
        return known

    y = None if y is None else ops.convert_to_tensor(y)
    network.generate(spy, [ops.convert_to_tensor(x)], network.start(2), y)
    for place, (color, outputs) in zip(np.ndindex(5, 4, 3), cached, strict=True):
        assert color == place[2]
        np.testing.assert_allclose(outputs, parallel[:, *place[:2], color::3], atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "kwargs"),
    [
        ((3, 3, 1), {"levels": 2, "cell": "row"}),
        ((3, 3, 1), {"levels": 2, "cell": "diagonal", "num_classes": 3}),
        ((2, 1, 3), {"levels": 3, "cell": "diagonal"}),
        ((2, 4, 1), {"levels": 2, "subsampling": 2, "num_classes": 3}),
    ],
)
def test_probabilities_sum_to_1(shape, kwargs):
    levels = kwargs["levels"]
    grid = itertools.product(range(levels), repeat=int(np.prod(shape)))
    images = np.array(list(grid), "float32").reshape(-1, *shape) / (levels - 1)
    model = new_model(shape, **kwargs)
    for label in (None,) if model.num_classes is None else range(3):
        labels = None if label is None else np.full(len(images), label)
        log_p = model.log_likelihood(images, labels, seed=0, batch_size=len(images))
        assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)


def test_images_of_one_small_image_sum_to_its_probability():
    """Which is that of the small network alone."""
    model = new_model((2, 4, 1), levels=2, subsampling=2, num_classes=3)
    images = np.array(list(itertools.product((0.0, 1.0), repeat=8)), "float32").reshape(-1, 2, 4, 1)
    p = np.exp(model.log_likelihood(images, 1, seed=0, batch_size=256).astype("float64"))
    small = kgen.PixelRNN((1, 2, 1), 2, network=model.network.small, num_classes=3)
    for pixels in itertools.product((0.0, 1.0), repeat=2):
        (expected,) = small.log_likelihood(np.reshape(pixels, (1, 1, 2, 1)), 1, seed=0)
        is_of_it = (images[:, 0, ::2, 0] == pixels).all(axis=1)
        assert p[is_of_it].sum() == pytest.approx(np.exp(expected), rel=1e-5)


def test_completions_keep_what_is_shown():
    model = model_of("scales")
    images = np.random.default_rng(0).integers(0, 3, (3, 4, 6, 1)) / 2
    hidden = np.zeros((4, 6), bool)
    hidden[1:, 2:5] = True
    made = model.complete(images, hidden, labels=[0, 1, 2], copies=8, seed=0)
    np.testing.assert_allclose(made[:, :, ~hidden], np.repeat(images[:, None], 8, 1)[:, :, ~hidden])
    assert all(len(np.unique(made[i], axis=0)) > 1 for i in range(3))


@pytest.mark.full
def test_memory_is_that_of_a_row():
    """States, whatever the image's height."""
    for cell in ("row", "diagonal"):
        shapes = []
        for height in (8, 16):
            network = new_model((height, 6, 1), levels=2, cell=cell).network
            memory = keras.tree.flatten(network.start(2))
            shapes.append([tuple(tensor.shape) for tensor in memory])
        assert shapes[0] == shapes[1]
        assert shapes[0][1:4] == [(2,), (2, 6, 3), (2, 6, 3)]  # the first LSTM's


@pytest.mark.full
def test_the_networks_of_the_paper():
    """Counted layer by layer; no weight is of a size of the image's."""

    def masked(inputs, outputs, size=1):
        return inputs * outputs * size + outputs

    h, stem, head = 16, masked(1, 32, 49), masked(32, 32) + masked(32, 1)
    row = masked(32, 4 * h, 3) + 3 * h * 4 * h + masked(h, 32)
    diagonal = masked(32, 8 * h) + 2 * 2 * h * 4 * h + masked(h, 32)
    for cell, lstm in (("row", row), ("diagonal", diagonal)):
        network = kgen.PixelRNN((4, 4, 1), levels=2, cell=cell).network
        assert network.count_params() == stem + 7 * lstm + head


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"cell": "column"}, r"cell in \['row', 'diagonal'\].*'column'"),
        ({"subsampling": 3}, r"multiples of subsampling=3.*\(4, 4, 1\)"),
        ({"subsampling": 0}, "subsampling"),
        ({"subsampling": 2, "condition": Image((4, 4, 1))}, "a PixelRNN of two scales.*Image"),
        ({"image_shape": (4, 4, 3)}, "as many filters .* as colours, 3.*filters=2"),
        ({"network": lambda: model_of("row").network, "cell": "row"}, "no cell"),
        ({"network": lambda: keras.layers.Dense(1)}, "CausalNetwork or MultiScaleNetwork"),
    ],
)
def test_bad_arguments(kwargs, message):
    sizes = {"width": 2, "depth": 1}
    if "network" in kwargs:
        sizes, kwargs = {}, kwargs | {"network": kwargs["network"]()}
    with pytest.raises(ValueError, match=message):
        kgen.PixelRNN(**{"image_shape": (4, 4, 1)} | sizes | kwargs)


@pytest.mark.parametrize(
    ("layers", "condition", "message"),
    [
        (lambda: [MaskedConv2D(2, 3, "A"), RowLSTM(2)], Image((5, 5, 1)), "same height.*5, 5, 1"),
        (
            lambda: [ShiftedStem(2), ShortcutStreams(2, 1, 1)],
            Image((5, 4, 1)),
            "the layers .*shortcut_streams",
        ),
        (
            lambda: [MaskedConv2D(2, 3, "A")],
            Image((5, 4, 1)),
            "GatedBlock, ShortcutStreams or LSTM",
        ),
    ],
)
def test_images_as_conditions_of_other_networks(layers, condition, message):
    with pytest.raises(ValueError, match=message):
        CausalNetwork(layers(), (5, 4, 1), condition)


def test_networks_of_two_scales_that_do_not_fit():
    small, large = (model_of("scales").network.small, model_of("row").network)
    with pytest.raises(ValueError, match=r"small of \(2, 3, 1\), large of \(5, 4, 1\)"):
        kgen.networks.MultiScaleNetwork(small, large, [])


def test_an_image_as_the_condition():
    """Such as the grey image of one in colour."""
    model = new_model((9, 3, 1), levels=2, condition=Image((9, 3, 2)), depth=1)
    rng = np.random.default_rng(0)  # nine rows are made in two blocks of five
    images, given = rng.integers(0, 2, (8, 9, 3, 1)), rng.random((8, 9, 3, 2)).astype("float32")
    model.compile()
    model.fit(images, given, batch_size=4, verbose=0)
    assert model.sample(2, given[:2], seed=0).shape == (2, 9, 3, 1)
    differences = model.log_likelihood(images, given) - model.log_likelihood(images, given[::-1])
    assert np.abs(differences).max() > 1e-3
