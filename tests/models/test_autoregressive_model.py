"""The sampling engine, and what autoregressive models refuse or tell."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend
from kgen.layers import ColorHead, GatedBlock, MaskedConv2D, ShiftedStem, ShortcutStreams
from kgen.layers.scan_row import scan_row
from kgen.models.in_batches import with_progress
from kgen.networks import CausalNetwork
from tests.models.test_pixel_cnn import models


@pytest.mark.full
def test_memory_is_that_of_some_rows():
    """What is kept has the size of the rows that a kernel sees, whatever the image's height."""
    shapes = []
    for height in (8, 40):
        for model in models((height, 6, 1), levels=2):
            memory = keras.tree.flatten(model.network.start(2))
            shapes.append([tuple(tensor.shape) for tensor in memory])
    assert shapes[:2] == shapes[2:]
    assert all(rows <= 3 and width == 6 for shape in shapes for _, rows, width, _ in shape)


@pytest.mark.each_backend
@pytest.mark.parametrize("width", [1, 5, 6, 8])
def test_a_scan_of_a_row_is_a_loop_over_its_pixels(width, monkeypatch):
    monkeypatch.setattr(backend, "SCAN_UNROLL", 4)
    row = np.random.default_rng(0).normal(size=(2, width, 3)).astype("float32")

    def advance(column, state, pixel):
        ((total,), product), (x, (y,)) = state, pixel
        return (total + x if column % 2 == 0 else total,), product * y

    start = (ops.zeros((2, 3)),), ops.ones((2, 3))
    for period in (1, 2) if width % 2 == 0 else (1,):
        (totals,), products = scan_row(advance, start, (ops.array(row), (ops.array(row),)), period)
        counted = row * (np.arange(width) % period == 0)[:, None]
        np.testing.assert_allclose(totals, np.cumsum(counted, axis=1), atol=1e-6)
        np.testing.assert_allclose(products, np.cumprod(row, axis=1), atol=1e-6)


def test_progress(capsys):
    list(with_progress(range(3), patience=60.0))
    list(with_progress(range(1), patience=0.0))
    assert not capsys.readouterr().out
    list(with_progress(range(3), patience=0.0))
    assert "3/3" in capsys.readouterr().out


def test_values_between_the_levels_are_told_of_once(recwarn):
    model = kgen.PixelCNN((5, 4, 1), levels=4, width=2, depth=1)
    model.log_likelihood(np.full((1, 5, 4, 1), 1 / 3))
    model.log_likelihood(np.full((1, 5, 4, 1), 85, "uint8"))
    assert not [w for w in recwarn if "levels" in str(w.message)]
    grey = np.full((1, 5, 4, 1), 0.6)
    with pytest.warns(UserWarning, match="values between the 4 levels"):
        found = model.log_likelihood(grey)
    recwarn.clear()
    np.testing.assert_array_equal(found, model.log_likelihood(np.full((1, 5, 4, 1), 2 / 3)))
    model.log_likelihood(grey)
    assert not [w for w in recwarn if "levels" in str(w.message)]
    model = kgen.PixelCNN((5, 4, 1), levels=4, width=2, depth=1)
    model.compile()
    with pytest.warns(UserWarning, match="values between the 4 levels") as told:
        model.fit(grey, verbose=0)
    (own,) = [each for each in told if "levels" in str(each.message)]
    assert own.filename == __file__


def test_eight_bits_of_other_levels_are_not_between_them(recwarn):
    model = kgen.PixelCNN((17, 1, 1), levels=17, width=2, depth=1)
    integers = np.round(np.arange(17) * 255 / 16).astype("uint8").reshape(1, 17, 1, 1)
    np.testing.assert_array_equal(
        model.log_likelihood(integers), model.log_likelihood(integers / 255.0)
    )
    assert not [w for w in recwarn if "levels" in str(w.message)]


@pytest.mark.parametrize("levels", [2, 4])
def test_levels_in_place_of_pixels_are_told_of(levels):
    model = kgen.PixelCNN((5, 4, 1), levels=levels, width=2, depth=1)
    with pytest.warns(UserWarning, match=f"divide them by {levels - 1}"):
        model.log_likelihood(np.full((1, 5, 4, 1), levels - 1, "uint8"))


def test_dark_images_are_not_taken_for_levels(recwarn):
    model = kgen.PixelCNN((5, 4, 1), levels=200, width=2, depth=1)
    model.log_likelihood(np.full((1, 5, 4, 1), 150, "uint8"))
    assert not [w for w in recwarn if "integers" in str(w.message)]


@pytest.mark.parametrize("labels", [None, [0, 3], [0, -1], [0.0, 1.0], [0]])
def test_labels_that_do_not_fit(labels):
    model = kgen.GatedPixelCNN((5, 4, 1), levels=2, width=2, depth=1, num_classes=3)
    model.compile()
    images, mask = np.zeros((2, 5, 4, 1)), np.ones((5, 4), bool)
    for call in (
        lambda: model.sample(2, labels),
        lambda: model.complete(images, mask, labels),
        lambda: model.log_likelihood(images, labels),
        lambda: model.fit(images, None if labels is None else np.array(labels), verbose=0),
    ):
        with pytest.raises(ValueError, match="labels"):
            call()


@pytest.mark.parametrize(
    ("layers", "num_classes", "message"),
    [
        (lambda: [MaskedConv2D(2, 3, "B")], None, 'first layer of mask "A"'),
        (lambda: [MaskedConv2D(2, 3, "A", colors=2)], None, "colors=1.*with colors=2"),
        (lambda: [MaskedConv2D(2, 3, "A"), keras.layers.Dense(1)], None, r"\(Dense\)"),
        (lambda: [GatedBlock(2, 7, "A"), keras.layers.Conv2D(1, 3)], None, r"\(Conv2D\)"),
        (lambda: [MaskedConv2D(2, 3, "A")], 3, "GatedBlock.* with a condition.*num_classes=3"),
        (lambda: [ShiftedStem(2), MaskedConv2D(2, 3, "B", colors=2)], None, "sees none.*colors=2"),
        (lambda: [ShiftedStem(2), MaskedConv2D(2, 3, "B")], 3, "with a condition.*num_classes=3"),
        (lambda: [MaskedConv2D(2, 3, "A"), ColorHead(2, 1, 2)], None, "ColorHead is the last of"),
        (lambda: [MaskedConv2D(2, 3, "A"), ShortcutStreams(2, 1)], None, "right after a Shif"),
        (
            lambda: [ShiftedStem(2), ShortcutStreams(2, 1, scales=2)],
            None,
            r"multiples of 2.*\(6, 4\)",
        ),
    ],
)
def test_networks_that_would_see_too_much_or_too_little(layers, num_classes, message):
    with pytest.raises(ValueError, match=message):
        CausalNetwork(layers(), (5, 4, 1), num_classes)


def test_a_gated_block_of_1x1():
    with pytest.raises(ValueError, match="kernel_size=1"):
        GatedBlock(2, 1)


@pytest.mark.parametrize("argument", [{"strides": 2}, {"dilation_rate": 2}, {"groups": 2}])
def test_what_a_masked_convolution_does_not_have(argument):
    (name,) = argument
    with pytest.raises(ValueError, match=f"Expected {name}=1"):
        MaskedConv2D(2, 3, "A", **argument)


def test_the_network_of_the_paper_for_mnist():
    network = kgen.PixelCNN((28, 28, 1), levels=2).network
    blocks = 7 * ((32 * 16 + 16) + (9 * 16 * 16 + 16) + (16 * 32 + 32))
    assert network.count_params() == (49 * 32 + 32) + blocks + (32 * 32 + 32) + 33 == 26433
    x = ops.zeros((1, 28, 28, 1))
    assert network(x).shape == (1, 28, 28, 1)
