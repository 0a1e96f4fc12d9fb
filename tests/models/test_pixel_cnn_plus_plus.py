import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen.distributions import Categorical, LogisticMixture
from kgen.seeds import seeds_of
from tests.models.pixelwise import (
    give_weights,
    labels_of,
    naive_samples,
    pixels_seen,
    scan_order,
)
from tests.models.test_pixel_cnn import record
from tests.tiers import in_tiers

# Of three scales, of two and of one; a label, and each likelihood.
CASES = {
    "binary": {"image_shape": (8, 4, 1), "levels": 2},
    "colour": {"image_shape": (4, 8, 3), "levels": 5, "num_classes": 3, "scales": 2},
    "categorical": {"image_shape": (5, 3, 1), "levels": 4, "likelihood": "categorical"},
    "in turn": {"image_shape": (2, 3, 3), "levels": 4, "likelihood": "categorical"},
    "mixture": {"image_shape": (2, 6, 1), "levels": 256, "likelihood": LogisticMixture(3)},
}


ON_EACH = ["colour", "in turn"]


def new_model(image_shape, **kwargs):
    """One with weights that make a difference, and an average of others."""
    model = kgen.PixelCNNPlusPlus(image_shape, width=5, depth=1, seed=0, **kwargs)
    give_weights(model.network, model.averaged())
    return model


@functools.cache
def model_of(name):
    """For tests that leave it as it is."""
    return new_model(**CASES[name])


@pytest.mark.parametrize("name", in_tiers(CASES, quick=["colour"], on_each=ON_EACH))
def test_all_that_is_before_a_pixel_is_seen_and_nothing_else(name):
    model = new_model(**CASES[name] | {"levels": 256, "likelihood": None})
    width = model.image_shape[1]
    sees = pixels_seen(model, scan_order(model))
    assert not np.triu(sees).any()
    before = np.tril(np.ones_like(sees), -1)
    assert sees[before].mean() > 0.9  # a network so deep does not reach all corners
    assert sees[1, 0] and sees[width, : width // 2].all()


@pytest.mark.one_backend
@pytest.mark.parametrize("name", in_tiers(CASES, quick=["colour"], on_each=ON_EACH))
def test_cached_outputs_are_parallel_outputs(name):
    model = model_of(name)
    y = labels_of(model, 2)
    levels = np.random.default_rng(1).integers(0, model.levels, (2, *model.image_shape))
    x = ops.convert_to_tensor(levels / (model.levels - 1), "float32")
    parallel = ops.convert_to_numpy(model.compiled_function(model._outputs)(x, y))
    cached = []

    def spy(outputs, before, known):
        record(cached, len(before), outputs)
        return 2.0 * known - 1.0

    made, _ = model.averaged().generate(spy, [x], model.averaged().start(2), y)
    np.testing.assert_allclose(ops.convert_to_numpy(made), 2 * ops.convert_to_numpy(x) - 1, 1e-6)
    for place, (color, outputs) in zip(np.ndindex(model.image_shape), cached, strict=True):
        assert color == place[2]
        own = (
            slice(None) if model.distribution.coupled else slice(color, None, model.image_shape[-1])
        )
        np.testing.assert_allclose(outputs, parallel[:, *place[:2], own], atol=2e-5)


@pytest.mark.parametrize("name", in_tiers(CASES, quick=["in turn"], on_each=ON_EACH))
def test_sampling_is_naive_sampling(name):
    """A full pass for each pixel, and the same uniform numbers."""
    model = model_of(name)
    x = naive_samples(model, 2, 7, 0.8, scan_order(model))
    sampled = model.sample(2, labels_of(model, 2), temperature=0.8, seed=7)
    np.testing.assert_allclose(sampled, x, atol=1e-6)
    assert len(np.unique(x)) > 1


SUMMED = [
    ((3, 3, 1), 2, {}),
    ((2, 4, 1), 2, {"scales": 2, "num_classes": 3}),
    ((2, 1, 3), 3, {"num_classes": 3}),
    ((2, 2, 1), 4, {"scales": 2, "likelihood": LogisticMixture(2, levels=4)}),
]


@pytest.mark.parametrize(("shape", "levels", "kwargs"), in_tiers(SUMMED, quick=SUMMED[2:]))
def test_probabilities_sum_to_1(shape, levels, kwargs):
    grid = itertools.product(range(levels), repeat=int(np.prod(shape)))
    images = np.array(list(grid), "float32").reshape(-1, *shape) / (levels - 1)
    model = new_model(shape, levels=levels, **kwargs)
    for label in (None,) if model.num_classes is None else range(3):
        labels = None if label is None else np.full(len(images), label)
        log_p = model.log_likelihood(images, labels, seed=0, batch_size=len(images))
        assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)


def test_samples_have_the_probabilities_of_the_model():
    """Chi-square over the 81 images of 2x2 of 3 levels, or 64 of a pixel of 4 levels in colour."""
    for shape, levels in (((2, 2, 1), 3), ((1, 1, 3), 4)):
        model = new_model(shape, levels=levels)
        num = int(np.prod(shape))
        grid = np.array(list(itertools.product(range(levels), repeat=num))).reshape(-1, *shape)
        log_p = model.log_likelihood((grid / (levels - 1)).astype("float32"))
        sampled = model.sample(8000, seed=0, batch_size=8000)
        numbers = np.rint(sampled.reshape(-1, num) * (levels - 1)) @ levels ** np.arange(num)[::-1]
        found = np.bincount(numbers.astype(int), minlength=len(grid))
        expected = 8000 * np.exp(log_p)
        degrees = len(grid) - 1
        limit = degrees + 3.1 * np.sqrt(2 * degrees) + 10  # p = .001 and a little
        assert np.sum((found - expected) ** 2 / expected) < limit


def test_completions_of_colours_are_of_the_posterior():
    """A mixture's component is chosen given the colours that are shown."""
    model = model_of("colour")
    images = np.random.default_rng(0).integers(0, 5, (3, 4, 8, 3)) / 4
    hidden = np.zeros((4, 8), bool)
    hidden[1:3, 2:5] = True
    made = model.complete(images, hidden, labels=[0, 1, 2], copies=4, seed=0)
    np.testing.assert_allclose(made[:, :, ~hidden], np.repeat(images[:, None], 4, 1)[:, :, ~hidden])
    assert len(np.unique(made[:, :, hidden], axis=1)) > 1
    everything = model.complete(images, np.ones((4, 8), bool), labels=[0, 1, 2], seed=3)
    sampled = model.sample(3, [0, 1, 2], seed=seeds_of(3, 3, copies=1))
    np.testing.assert_array_equal(everything[:, 0], sampled)


def test_dropout_is_off_but_in_training():
    model = kgen.PixelCNNPlusPlus((4, 4, 1), levels=2, width=4, depth=1, dropout=0.5, seed=0)
    x = ops.cast(np.random.default_rng(0).integers(0, 2, (4, 4, 4, 1)), "float32")
    evaluated = [model.log_likelihood(ops.convert_to_numpy(x), seed=0) for _ in range(2)]
    np.testing.assert_array_equal(*evaluated)
    trained = [ops.convert_to_numpy(model._nll(x, None, training=True)) for _ in range(2)]
    assert np.abs(trained[0] - trained[1]).max() > 1e-3


@pytest.mark.one_backend
@pytest.mark.full
def test_colours_in_turn_are_sampled_in_double_precision():
    model = kgen.PixelCNNPlusPlus((2, 2, 3), levels=2, width=3, depth=1, dtype="float64", seed=0)
    assert model.sample(2, seed=0).shape == (2, 2, 2, 3)


@pytest.mark.full
def test_the_paper_s_sizes():
    """Counted layer by layer: a doubled ELU before each convolution, 10 numbers a component."""
    model = kgen.PixelCNNPlusPlus((32, 32, 3), width=8, depth=2)
    f, conv, up = 8, lambda inputs, outputs, k: inputs * outputs * k + outputs, 0
    blocks_down = 3 * 2 * sum(conv(2 * f, f, k) + conv(2 * f, 2 * f, k) for k in (4, 6))
    blocks_up = (2 + 3 + 3) * sum(conv(2 * f, f, k) + conv(2 * f, 2 * f, k) for k in (4, 6))
    skips = 3 * 2 * (2 * f * f) + (2 + 3 + 3) * (2 * f * f + 4 * f * f)
    between = 2 * 2 * sum(conv(f, f, k) for k in (4, 6))
    stem = conv(4, f, 9) + conv(4, f, 6)
    assert up + blocks_down + blocks_up + skips + between + stem + conv(f, 100, 1) == (
        model.network.count_params()
    )


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"levels": 4, "likelihood": "bernoulli"}, "levels=2.*levels=4"),
        ({"levels": 2, "likelihood": "logistic_mixture"}, "levels as a whole number in 3..256"),
        ({"levels": 16, "likelihood": Categorical(8)}, "levels=8.*levels=16"),
        ({"likelihood": LogisticMixture}, "an object of kgen.distributions that draws"),
        ({"likelihood": "normal"}, "likelihood in .*'logistic_mixture'.*Received.*'normal'"),
        ({"scales": 4}, r"multiples of 8.*\(8, 8\)"),
        ({"dropout": 1.0}, "dropout"),
        ({"image_shape": (4, 4, 3), "network": (100, False)}, "coupled=False"),
        (
            {
                "image_shape": (4, 4, 3),
                "network": (90, True),
                "likelihood": LogisticMixture(10),
            },
            "coupled=True",
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    sizes = {"width": 2, "depth": 1}
    if "network" in kwargs:
        outputs, coupled = kwargs["network"]
        own = kgen.networks.pixel_cnn_plus_plus((4, 4, 3), outputs, 2, 1, 1, coupled=coupled)
        sizes, kwargs = {}, kwargs | {"network": own}
    with pytest.raises(ValueError, match=message):
        kgen.PixelCNNPlusPlus(**{"image_shape": (4, 4, 1)} | sizes | kwargs)


def test_a_coupled_mixture_of_a_network_that_sees_colours():
    with pytest.raises(ValueError, match="coupled=False"):
        kgen.PixelCNN((4, 4, 3), width=3, depth=1, likelihood=LogisticMixture(2, coupled=True))


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "model_class", in_tiers([kgen.PixelCNN, kgen.GatedPixelCNN], quick=[kgen.PixelCNN])
)
def test_a_mixture_in_networks_that_see_colours(model_class):
    """The probabilities of all images sum to 1, and samples are those of one full pass a colour."""
    likelihood = LogisticMixture(2, levels=3)
    model = model_class((2, 1, 3), levels=3, width=3, depth=1, likelihood=likelihood, seed=0)
    rng = np.random.default_rng(0)
    for v in model.network.trainable_variables:
        v.assign(rng.normal(size=v.shape))
    grid = np.array(list(itertools.product(range(3), repeat=6))).reshape(-1, 2, 1, 3) / 2
    log_p = model.log_likelihood(grid.astype("float32"), batch_size=len(grid))
    assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)
    model.compile(keras.optimizers.SGD(1e-3))
    model.fit(grid[:32], verbose=0)
    assert model.sample(4, seed=0).shape == (4, 2, 1, 3)
