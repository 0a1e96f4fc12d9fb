import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend
from kgen.noise import SeededNoise, StepNoise
from kgen.seeds import seed_words, seeds_of
from tests.models.pixelwise import labels_of
from tests.tiers import in_tiers

SHAPES = [(4, 4, 1), (3, 3, 3)]


def test_a_gated_pixel_cnn_needs_no_labels(tmp_path):
    model = kgen.GatedPixelCNN((5, 4, 1), levels=4, width=4, depth=1, seed=0)
    model.compile(keras.optimizers.Adam(0.03))
    images = np.random.default_rng(0).integers(0, 4, (16, 5, 4, 1)) / 3.0
    start = model.log_likelihood(images)
    model.fit(images, epochs=3, batch_size=8, verbose=0)
    trained = model.log_likelihood(images)
    assert trained.mean() > start.mean()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.log_likelihood(images), trained)


def new_models(shape, levels, num_classes=3, **kwargs):
    """One of each class, with weights that make a difference."""
    made = [
        kgen.PixelCNN(shape, levels=levels, width=6, depth=2, seed=0, **kwargs),
        kgen.GatedPixelCNN(
            shape, levels=levels, width=6, depth=2, num_classes=num_classes, seed=0, **kwargs
        ),
    ]
    for model in made:
        rng = np.random.default_rng(0)
        for v in model.trainable_variables:
            fan_in = np.prod(v.shape[:-1]) if len(v.shape) > 1 else 9
            v.assign(rng.normal(size=v.shape) / np.sqrt(fan_in))
    return made


models = functools.cache(new_models)  # for tests that leave them as they are


def logits_at(model, values, y):
    """(num, height, width, colours, outputs) of integer images."""
    x = (values / (model.levels - 1)).astype("float32")
    logits = ops.convert_to_numpy(model.compiled_function(model._outputs)(x, y))
    *start, num_outputs = logits.shape
    colors = values.shape[-1]
    return np.swapaxes(logits.reshape(*start, num_outputs // colors, colors), -1, -2)


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_sees_what_comes_later(shape):
    """In scan order, colours in turn: the output's Jacobian is strictly lower triangular."""
    for model in models(shape, levels=4):
        y = labels_of(model, 4)
        x = np.random.default_rng(0).normal(size=(4, *shape)).astype("float32")

        def gradient(x, chosen, model=model, y=y):
            def output(x):
                outputs = model.network(x if y is None else [x, y])
                outputs = ops.reshape(outputs, (4, *shape[:2], 4, shape[2]))
                return ops.sum(ops.where(chosen[:, :, None], outputs, 0.0) ** 2)

            return backend.input_gradient(output, x)

        gradient = backend.compile_function(model, gradient)
        num = int(np.prod(shape))
        sees = np.zeros((num, num), bool)
        for row in range(num):
            chosen = (np.arange(num) == row).reshape(shape)
            found = ops.convert_to_numpy(gradient(ops.convert_to_tensor(x), chosen))
            sees[row] = (found != 0).any(axis=0).ravel()
        assert not np.triu(sees).any()
        before = np.tril(np.ones((num, num), bool), -1)
        if isinstance(model, kgen.GatedPixelCNN):
            np.testing.assert_array_equal(sees, before)
        else:
            assert sees[before].mean() > 0.8


def test_the_blind_spot():
    """Stacked masked convolutions do not see to the right above beyond a slope of their size."""
    sees = {}
    shape = (9, 17, 1)
    for model in models(shape, levels=2, num_classes=None):
        x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(32, *shape)), "float32")

        def gradient(x, network=model.network):
            return backend.input_gradient(lambda x: network(x)[:, 8, 4] ** 2, x)

        found = ops.convert_to_numpy(backend.compile_function(model, gradient)(x))
        sees[type(model)] = (found[..., 0] != 0).any(axis=0)
    # From (8, 4) two masks B of 3x3 and then a mask A of 7x7.
    stacked = {(8, 4)}
    for half, mask in ((1, "B"), (1, "B"), (3, "A")):
        above = {(-up, right) for up in range(1, half + 1) for right in range(-half, half + 1)}
        kernel = above | {(0, -left) for left in range(mask == "A", half + 1)}
        stacked = {(i + di, j + dj) for i, j in stacked for di, dj in kernel}
    stacked = {(i, j) for i, j in stacked if 0 <= i < 9 and 0 <= j < 17}
    assert {tuple(place) for place in np.argwhere(sees[kgen.PixelCNN]).tolist()} == stacked
    # All that the rows above hold within 3 + 1 + 1 to the right, and the row so far.
    whole = {(i, j) for i in range(3, 8) for j in range(10)} | {(8, j) for j in range(4)}
    assert {tuple(place) for place in np.argwhere(sees[kgen.GatedPixelCNN]).tolist()} == whole
    assert stacked < whole


@pytest.mark.parametrize("shape", SHAPES)
def test_nan_in_the_future_stays_there(shape):
    for model in models(shape, levels=4):
        x = np.zeros((1, *shape), "float32")
        x[0, 2, 1:] = np.nan
        x[0, 3:] = np.nan
        y = labels_of(model, 1)
        network = backend.compile_function(model, model.network)
        outputs = ops.convert_to_numpy(network(x if y is None else [x, y]))
        # A colour image's pixel gives NaN at itself: zeros tell its colours apart.
        finite = 2 if shape[-1] == 1 else 1
        assert np.isfinite(outputs[0, :2]).all() and np.isfinite(outputs[0, 2, :finite]).all()


@pytest.mark.parametrize(("shape", "levels"), [((3, 3, 1), 2), ((2, 1, 3), 4)])
def test_probabilities_sum_to_1(shape, levels):
    grid = itertools.product(range(levels), repeat=int(np.prod(shape)))
    images = np.array(list(grid), "float32").reshape(-1, *shape) / (levels - 1)
    for model in models(shape, levels):
        for label in (None,) if model.num_classes is None else range(3):
            labels = None if label is None else np.full(len(images), label)
            log_p = model.log_likelihood(images, labels, seed=0, batch_size=len(images))
            assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("shape", "levels"),
    in_tiers(
        [((5, 4, 1), 2), ((4, 5, 3), 2), ((4, 5, 3), 5), ((19, 6, 1), 5)],
        quick=[((4, 5, 3), 5)],
    ),
)
def test_cached_sampling_is_naive_sampling(shape, levels):
    """Pixel for pixel from the same uniform numbers."""
    check_sampling(models(shape, levels), shape, levels)


@pytest.mark.parametrize("colors", in_tiers([1, 3], quick=[3]))
@pytest.mark.parametrize(
    ("first", "second"),
    in_tiers(
        [((1, 3), (3, 1)), ((3, 1), (1, 3)), ((3, 5), (1, 1)), ((1, 1), (5, 3))],
        quick=[((1, 3), (3, 1)), ((1, 1), (5, 3))],
    ),
)
def test_kernels_of_any_shape(first, second, colors):
    shape = (4, 3, colors)
    layers = [
        kgen.layers.MaskedConv2D(6, first, "A", colors, activation="relu"),
        kgen.layers.MaskedConv2D(6, second, "B", colors, activation="relu"),
        kgen.layers.MaskedResidualBlock(6, 5, colors),
        kgen.layers.MaskedConv2D(colors, 1, "B", colors),
    ]
    network = kgen.networks.CausalNetwork(layers, shape)
    check_sampling([kgen.PixelCNN(shape, levels=2, network=network)], shape, 2)


def check_sampling(made, shape, levels):
    for model in made:
        y = labels_of(model, 2)
        key = ops.convert_to_tensor(seed_words(seeds_of(7, 2)))
        uniform = ops.convert_to_numpy(SeededNoise(key).uniform((2, *shape)))
        values = np.zeros((2, *shape), "int32")
        for row, column, color in np.ndindex(*shape):
            logits = logits_at(model, values, y)[:, row, column, color].astype("float64")
            if levels == 2:
                drawn = uniform[:, row, column, color] < 1 / (1 + np.exp(-logits[:, 0]))
            else:
                p = np.exp(logits - logits.max(axis=1, keepdims=True))
                below = np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)[:, :-1]
                drawn = (below <= uniform[:, row, column, color, None]).sum(axis=1)
            values[:, row, column, color] = drawn
        sampled = model.sample(2, y, seed=7)
        np.testing.assert_allclose(sampled, values / (levels - 1), atol=1e-6)
        assert 0 < values.mean() < levels - 1


@pytest.mark.parametrize("shape", [(4, 4, 1), (3, 3, 3)])
def test_cached_outputs_are_parallel_outputs(shape):
    for model in models(shape, levels=4):
        y = labels_of(model, 2)
        x = np.random.default_rng(1).integers(0, 4, (2, *shape)).astype("int32")
        parallel, cached = logits_at(model, x, y), []

        def spy(outputs, before, known, cached=cached):
            record(cached, len(before), outputs)
            return 2.0 * known / 3.0 - 1.0

        known = ops.convert_to_tensor(x, "float32")
        ops.convert_to_numpy(model.network.generate(spy, [known], model.network.start(2), y)[0])
        for place, (color, outputs) in zip(np.ndindex(*shape), cached, strict=True):
            assert color == place[2]
            np.testing.assert_allclose(outputs, parallel[:, *place], atol=1e-5)


def record(found, color, outputs):
    """Appends what a loop has computed, which JAX compiles and other backends run in Python."""

    def append(outputs):
        found.append((color, ops.convert_to_numpy(outputs)))

    if keras.backend.backend() == "jax":
        import jax

        jax.debug.callback(append, outputs, ordered=True)
    else:
        append(outputs)


def test_a_uniform_softmax_takes_8_bits():
    model = kgen.PixelCNN((4, 4, 3), width=3, depth=1)
    model.network.set_weights([0.0 * w for w in model.network.get_weights()])
    model.compile()
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype="uint8")
    logs = model.evaluate(images, return_dict=True, verbose=0)
    assert logs["bits_per_dim"] == pytest.approx(8.0, abs=3e-5)
    assert model.figures(logs)["log_likelihood"] == pytest.approx(-48 * np.log(256), rel=4e-6)
    np.testing.assert_allclose(model.log_likelihood(images), -48 * np.log(256), rtol=1e-6)


def test_two_levels_binarize_at_random():
    model, _ = models((8, 8, 1), levels=2)
    grey, binary = np.full((64, 8, 8, 1), 0.3), np.eye(8)[None, ..., None]
    noise = StepNoise(keras.random.SeedGenerator(0).next())
    assert ops.convert_to_numpy(model.distribution.observe(grey, noise)).mean() == pytest.approx(
        0.3, abs=0.03
    )
    a, b, c = (model.log_likelihood(grey, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert np.all(a != c)
    np.testing.assert_array_equal(*(model.log_likelihood(binary, seed=seed) for seed in (0, 1)))


def test_evaluation_binarizes_with_noise_of_its_own():
    model = kgen.PixelCNN((5, 4, 1), levels=2, width=2, depth=1, seed=0)
    model.compile()
    before = ops.convert_to_numpy(model.seed_generator.state)
    first, second = (model.evaluate(np.full((8, 5, 4, 1), 0.3), verbose=0) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(ops.convert_to_numpy(model.seed_generator.state), before)


@pytest.mark.one_backend
def test_samples_have_the_probabilities_of_the_model():
    """Chi-square over the 16 binary images of 2x2, at two temperatures; 15 degrees of freedom."""
    model, _ = new_models((2, 2, 1), levels=2, num_classes=None)
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(np.random.default_rng(1).random((64, 2, 2, 1)) ** 2, epochs=3, verbose=0)
    grid = np.array(list(itertools.product((0, 1), repeat=4)), "int32").reshape(-1, 2, 2, 1)
    for temperature in (1.0, 0.5):
        logits = logits_at(model, grid, None)[..., 0].astype("float64") / temperature
        log_p = np.where(grid, -np.logaddexp(0, -logits), -np.logaddexp(0, logits))
        expected = 4000 * np.exp(log_p.sum(axis=(1, 2, 3)))
        sampled = model.sample(4000, seed=0, temperature=temperature, batch_size=4000)
        numbers = sampled.reshape(-1, 4) @ [8, 4, 2, 1]
        found = np.bincount(numbers.astype(int), minlength=16)
        assert np.sum((found - expected) ** 2 / expected) < 37.7  # p = 0.001


@pytest.mark.each_backend
@pytest.mark.parametrize("levels", in_tiers([2, 5], quick=[5]))
def test_completions_keep_what_is_given(levels):
    for model in models((5, 4, 1), levels):
        y = labels_of(model, 2)
        images = np.random.default_rng(0).integers(0, levels, (2, 5, 4, 1)) / (levels - 1)
        mask = np.zeros((2, 5, 4), bool)
        mask[0, 3:], mask[1, :, 1] = True, True
        complete = functools.partial(model.complete, images, labels=y, copies=8)
        made = complete(mask, seed=0)
        assert made.shape == (2, 8, 5, 4, 1) and made.dtype == np.float32
        for image, hidden, copies in zip(images, mask, made, strict=True):
            np.testing.assert_allclose(copies[:, ~hidden], [image[~hidden]] * 8, atol=1e-6)
            assert len(np.unique(copies[:, hidden].round(3), axis=0)) > 1
        everything = np.ones((5, 4), bool)
        if levels > 2:  # else the binarization draws first
            labels = None if y is None else np.repeat(y, 8)
            samples = model.sample(16, labels, seed=seeds_of(3, 2, copies=8))
            made = complete(everything, seed=3)
            np.testing.assert_array_equal(made.reshape(samples.shape), samples)
        shown = complete(~everything)
        np.testing.assert_allclose(shown, np.repeat(images[:, None], 8, axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: m.complete(x, np.ones((4, 5), bool)), "mask of shape .num, 5, 4."),
        (lambda m, x: m.complete(x, np.ones((5, 4))), "a bool mask.*float64"),
        (lambda m, x: m.complete(x[:, :4], np.ones((5, 4), bool)), "Resize the images"),
        (lambda m, x: m.sample(2, labels=[0, 1]), "unconditional"),
        (lambda m, x: m.log_likelihood(x[..., 0, 0]), "Expected images of shape"),
    ],
)
def test_bad_calls(call, message):
    model, _ = models((5, 4, 1), levels=2)
    with pytest.raises(ValueError, match=message):
        call(model, np.zeros((2, 5, 4, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": keras.Sequential([keras.Input((5, 4, 1))])}, "CausalNetwork"),
        (
            lambda: {"network": kgen.networks.pixel_cnn((5, 4, 1), 3, 2, 1), "levels": 4},
            r"to \(5, 4, 4\).*to \(5, 4, 3\)",
        ),
        (
            lambda: {"network": kgen.networks.pixel_cnn((5, 5, 1), 1, 2, 1), "levels": 2},
            r"from \(5, 4, 1\).*from \(5, 5, 1\)",
        ),
        ({"num_classes": 3}, "unconditional"),
    ],
)
def test_bad_arguments(arguments, message):
    arguments = arguments() if callable(arguments) else arguments
    with pytest.raises((ValueError, TypeError), match=message):
        kgen.PixelCNN((5, 4, 1), **arguments)


GOLDEN = {
    "PixelCNN": [53.697159, 3693.991455, 0.490741],
    "GatedPixelCNN": [64.086136, 3169.244873, 0.513889],
}


@pytest.mark.each_backend
def test_goldens_agree_over_the_backends():
    """The mean loss of three steps of SGD, the sum of weights after them, and the mean sample."""
    images = np.random.default_rng(1).integers(0, 4, (12, 4, 3, 3)) / 3.0
    for model in new_models((4, 3, 3), levels=4):
        y = labels_of(model, 12)
        model.compile(keras.optimizers.SGD(0.01))
        (loss,) = model.fit(
            np.tile(images, (3, 1, 1, 1)),
            None if y is None else np.tile(y, 3),
            batch_size=12,
            shuffle=False,
            verbose=0,
        ).history["loss"]
        found = [
            loss,
            sum(np.abs(w).sum() for w in model.network.get_weights()),
            model.sample(4, labels_of(model, 4), seed=0).mean(),
        ]
        np.testing.assert_allclose(found, GOLDEN[type(model).__name__], rtol=1e-5)


@pytest.mark.parametrize(
    "policy", in_tiers(["mixed_bfloat16", "mixed_float16"], quick=["mixed_float16"])
)
def test_samples_in_half_precision(policy):
    for model in models((5, 4, 1), levels=256, dtype=policy):
        y = labels_of(model, 3)
        images = model.sample(3, y, seed=0)
        np.testing.assert_allclose(images * 255, np.rint(images * 255), atol=1e-3)
        assert np.isfinite(model.log_likelihood(images, y)).all()
