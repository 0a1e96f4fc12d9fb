"""FVSBN, NADE and MADE: orders, sums to 1, samples, and what each is by hand."""

import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend
from kgen.distributions import LogisticMixture
from kgen.fields import FeatureMap
from kgen.networks import made, nade
from tests.models.pixelwise import labels_of
from tests.tiers import in_tiers

PERMUTED = [3, 0, 5, 1, 4, 2]
CASES = {
    "fvsbn": lambda: kgen.FVSBN((3, 2, 1)),
    "fvsbn, told, in an order": lambda: kgen.FVSBN((3, 2, 1), order=PERMUTED, num_classes=3),
    "fvsbn, colour": lambda: kgen.FVSBN((2, 1, 3), levels=3),
    "nade": lambda: kgen.NADE((3, 2, 1), width=5),
    "nade, told, in an order": lambda: kgen.NADE((3, 2, 1), width=5, order=PERMUTED, num_classes=3),
    "nade, colour": lambda: kgen.NADE((2, 1, 3), levels=3, width=4),
    "made": lambda: kgen.MADE((3, 2, 1), width=9),
    "made, deep": lambda: kgen.MADE((3, 2, 1), width=20, depth=2, num_classes=3),
    "made, of orders": lambda: kgen.MADE((3, 2, 1), width=9, orders=3, num_classes=3),
    "made, colour": lambda: kgen.MADE(
        (1, 2, 3), levels=3, width=9, orders=2, likelihood=LogisticMixture(2, levels=3)
    ),
}
ON_EACH = ["fvsbn, colour", "nade, told, in an order", "made, of orders"]


@functools.cache
def model_of(name):
    """One with weights that make a difference; tests leave it as it is."""
    model = CASES[name]()
    rng = np.random.default_rng(0)
    for v in model.trainable_variables:
        v.assign(0.7 * rng.normal(size=v.shape))
    return model


def all_images(model):
    grid = itertools.product(range(model.levels), repeat=int(np.prod(model.image_shape)))
    return np.array(list(grid), "float32").reshape(-1, *model.image_shape) / (model.levels - 1)


@pytest.mark.parametrize("name", CASES)
def test_a_number_sees_those_before_it_in_the_order_and_no_other(name):
    model = model_of(name)
    network, size = model.network, model.network.size
    x = np.random.default_rng(0).normal(size=(16, *model.image_shape)).astype("float32")
    y = labels_of(model, 16)
    for k, order in enumerate(network.orders):

        def gradient(x, chosen, k=k):
            def output(x):
                outputs = network(model.join(x, y), order=k)
                *shape, _ = outputs.shape
                outputs = ops.reshape(outputs, (*shape, network.num_outputs, model.image_shape[-1]))
                return ops.sum(ops.where(chosen[:, :, None], outputs, 0.0) ** 2)

            return backend.input_gradient(output, x)

        gradient = backend.compile_function(model, gradient)
        sees = np.zeros((size, size), bool)
        for row, number in enumerate(order):
            chosen = (np.arange(size) == number).reshape(model.image_shape)
            found = ops.convert_to_numpy(gradient(ops.convert_to_tensor(x), chosen))
            sees[row] = (found != 0).any(axis=0).ravel()[order]
        np.testing.assert_array_equal(sees, np.tril(np.ones((size, size), bool), -1))


@pytest.mark.one_backend
@pytest.mark.parametrize("name", in_tiers(CASES, quick=["made, of orders"], on_each=ON_EACH))
def test_probabilities_sum_to_1(name):
    model = model_of(name)
    images = all_images(model)
    for label in (None,) if model.num_classes is None else range(3):
        labels = None if label is None else np.full(len(images), label)
        log_p = model.log_likelihood(images, labels, seed=0, batch_size=len(images))
        assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_samples_have_the_probabilities_of_the_model(name):
    """Chi-square over all images that are expected five times."""
    model = model_of(name)
    images, num = all_images(model), 20_000
    labels = None if model.num_classes is None else 1
    log_p = model.log_likelihood(images, labels, seed=0, batch_size=len(images))
    sampled = model.sample(num, labels, seed=0, batch_size=num).reshape(num, -1)
    levels = np.rint(sampled * (model.levels - 1)).astype(int)
    numbers = levels @ model.levels ** np.arange(levels.shape[1])[::-1]
    found, expected = np.bincount(numbers, minlength=len(images)), num * np.exp(log_p)
    counted = expected > 5
    degrees = counted.sum()
    chi_square = np.sum((found - expected)[counted] ** 2 / expected[counted])
    assert chi_square < degrees + 3.1 * np.sqrt(2 * degrees) + 5  # p = .001 and a little
    assert found[~counted].sum() < 2 * expected[~counted].sum() + 20


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "name", in_tiers(CASES, quick=["nade, told, in an order"], on_each=ON_EACH)
)
def test_completions_are_of_what_comes_before_in_the_order(name):
    model = model_of(name)
    images = all_images(model)[[5, -7]]
    hidden = np.zeros((2, *model.image_shape[:2]), bool)
    hidden[0, :1], hidden[1, -1:] = True, True
    labels = labels_of(model, 2)
    made = model.complete(images, hidden, labels, copies=32, seed=0)
    for image, mask, copies in zip(images, hidden, made, strict=True):
        np.testing.assert_allclose(copies[:, ~mask], np.repeat(image[None], 32, 0)[:, ~mask])
        assert len(np.unique(copies[:, mask].reshape(32, -1), axis=0)) > 1
    everything = np.ones(model.image_shape[:2], bool)
    again = model.complete(images, everything, labels, seed=3)
    assert again.shape == (2, 1, *model.image_shape)


def test_several_orders_are_mixed_as_probabilities():
    """Of averaged logits those of all images do not sum to 1."""
    model = model_of("made, of orders")
    images, num = all_images(model), len(model.network.orders)
    x, y = ops.convert_to_tensor(images), ops.zeros(len(images), "int32")
    by_order = [ops.convert_to_numpy(model._nll_in(k, x, y)).astype("float64") for k in range(num)]
    expected = np.log(np.mean([np.exp(-nll) for nll in by_order], axis=0))
    found = model.log_likelihood(images, 0, seed=0, batch_size=len(images))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    logits = np.mean(
        [ops.convert_to_numpy(model.network([2 * x - 1, y], order=k)) for k in range(num)], axis=0
    )
    log_p = np.where(images, -np.logaddexp(0, -logits), -np.logaddexp(0, logits))
    assert abs(np.exp(log_p.sum(axis=(1, 2, 3))).sum() - 1) > 0.01


def test_each_step_takes_the_next_order():
    """Steps of SGD that move nothing, and the losses of the three orders in turn."""
    model = kgen.MADE((2, 2, 1), width=4, orders=3, seed=0)
    model.compile(keras.optimizers.SGD(0.0))
    x = (np.random.default_rng(0).random((8, 2, 2, 1)) < 0.5).astype("float32")
    expected = [
        float(ops.mean(model._nll_in(k % 3, ops.convert_to_tensor(x), None))) for k in range(5)
    ]
    losses = [
        model.fit(x, batch_size=8, shuffle=False, verbose=0).history["loss"][0] for _ in range(5)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert len(np.unique(np.round(expected[:3], 5))) == 3


def test_nade_by_hand():
    """The running sum is the dense formula."""
    model = model_of("nade, told, in an order")
    network = model.network
    w, c, v, b = (
        ops.convert_to_numpy(each).astype("float64")
        for each in (network.w, network.c, network.v, network.bias)
    )
    code = ops.convert_to_numpy(network.of_code[-1].kernel)[2]
    x = all_images(model).reshape(-1, 6)[37]
    logits = np.zeros(6)
    for d, number in enumerate(PERMUTED):
        before = PERMUTED[:d]
        h = 1 / (1 + np.exp(-(c + code + x[before] @ w[before])))
        logits[number] = h @ v[number, :, 0] + b[number, 0]
    expected = -np.where(x > 0, np.logaddexp(0, -logits), np.logaddexp(0, logits)).sum()
    image = x.reshape(1, 3, 2, 1).astype("float32")
    assert model.log_likelihood(image, 2, seed=0)[0] == pytest.approx(expected, rel=1e-5)


def test_fvsbn_by_hand():
    model = model_of("fvsbn")
    w = ops.convert_to_numpy(model.network.straight).astype("float64")
    b = ops.convert_to_numpy(model.network.bias).astype("float64")
    x = all_images(model).reshape(-1, 6)[45]
    logits = np.array([b[d] + x[:d] @ w[:d, d] for d in range(6)])
    expected = -np.where(x > 0, np.logaddexp(0, -logits), np.logaddexp(0, logits)).sum()
    image = x.reshape(1, 3, 2, 1).astype("float32")
    assert model.log_likelihood(image, seed=0)[0] == pytest.approx(expected, rel=1e-5)


def test_fvsbn_finds_the_network_that_its_data_are_of():
    """It is convex: three binary pixels."""
    true = kgen.FVSBN((3, 1, 1), seed=0)
    for v, values in zip(
        true.network.trainable_variables, ([0.5, -1.0, 0.3], 1.5 * np.ones((3, 3))), strict=True
    ):
        v.assign(np.reshape(values, v.shape))
    images = all_images(true)
    p = np.exp(true.log_likelihood(images, seed=0))
    data = np.repeat(images, np.rint(4000 * p).astype(int), axis=0)
    model = kgen.FVSBN((3, 1, 1), seed=1)
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(data, epochs=200, batch_size=len(data), verbose=0)
    np.testing.assert_allclose(np.exp(model.log_likelihood(images, seed=0)), p, atol=0.01)


def test_adapt_starts_at_the_mean_image(digits):
    images = digits[0]
    p = np.clip(images.mean(axis=0, dtype="float64"), 0.001, 0.999)
    expected = -(p * np.log(p) + (1 - p) * np.log1p(-p)).sum()
    fvsbn = kgen.FVSBN((8, 8, 1), ema_decay=0.9)
    fvsbn.adapt(images)
    np.testing.assert_array_equal(fvsbn.network.bias, fvsbn.averaged().bias)
    for model in (fvsbn, kgen.FVSBN((8, 8, 1), levels=17), kgen.MADE((8, 8, 1), levels=17)):
        model.adapt([(images[:40], None), (images[40:], None)])
        outputs = ops.convert_to_tensor(model.network.bias)
        outputs = ops.reshape(outputs, (1, 8, 8, -1))
        mean = ops.convert_to_numpy(model.distribution.mean(outputs))[0]
        np.testing.assert_allclose(mean, images.mean(axis=0), atol=2e-3)
    nll = np.mean([-fvsbn.log_likelihood(images, seed=seed).mean() for seed in range(8)])
    assert nll == pytest.approx(expected, rel=0.02)


def test_the_papers_sizes():
    assert kgen.NADE((28, 28, 1)).network.count_params() == 785_284
    network = kgen.FVSBN((28, 28, 1)).network
    assert np.tril(np.ones((784, 784)), -1).sum() + 784 == 307_720
    assert network.count_params() == 784 * 784 + 784  # those that the mask hides among them


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kgen.NADE((2, 2, 1), order=[0, 1, 2, 2]), "permutation of 0..3.*2, 2"),
        (lambda: kgen.FVSBN((2, 2, 1), order=[0, 1, 2]), r"4 whole numbers.*of shape \(3,\)"),
        (lambda: made((2, 2, 1), 1, orders=[[0.0, 1.0, 2.0, 3.0]]), "4 whole numbers.*float64"),
        (lambda: kgen.PixelCNN((2, 2, 1), 2, made((2, 2, 1), 1)), "kgen.networks.CausalNetwork"),
        (
            lambda: kgen.NADE((2, 2, 1), network=nade((2, 2, 1), 1, 3), order=[3, 2, 1, 0]),
            "no order with a network of your own",
        ),
        (lambda: kgen.MADE((2, 2, 1), orders=0), "orders as a whole number of at least 1"),
        (
            lambda: kgen.MADE((2, 2, 1), network=nade((2, 2, 1), 3)),
            r"to \(2, 2, 1\).*to \(2, 2, 3\)",
        ),
        (lambda: kgen.NADE((2, 2, 1), levels=4, likelihood="bernoulli"), "levels=2"),
        (
            lambda: kgen.NADE((2, 2, 1), condition=FeatureMap((2, 2, 3))),
            "Expected labels, attributes, tokens or a vector .*FeatureMap",
        ),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_network_of_several_orders_in_any_of_them():
    network = made((2, 2, 1), 1, units=(6,), orders=3)
    model = kgen.NADE((2, 2, 1), network=network, seed=0)
    for v in model.trainable_variables:
        v.assign(np.random.default_rng(0).normal(size=v.shape))
    log_p = model.log_likelihood(all_images(model), seed=0)
    assert np.exp(log_p.astype("float64")).sum() == pytest.approx(1.0, abs=1e-5)
    numbers = model.sample(8000, seed=0, batch_size=8000).reshape(-1, 4) @ [8, 4, 2, 1]
    found = np.bincount(numbers.astype(int), minlength=16)
    expected = 8000 * np.exp(log_p)
    assert np.sum((found - expected) ** 2 / expected) < 37.7  # p = .001 of 15 degrees


TOLD = [name for name in CASES if "told" in name] + ["made, deep"]


@pytest.mark.parametrize("name", TOLD)
def test_the_condition_reaches_each_number(name):
    """The first one too, which no unit of MADE's knows anything of."""
    model = model_of(name)
    x = ops.zeros((3, *model.image_shape))
    outputs = ops.convert_to_numpy(model.network([x, np.arange(3)]))
    assert np.ptp(outputs, axis=0).min() > 1e-3


@pytest.mark.parametrize("model_class", [kgen.FVSBN, kgen.NADE, kgen.MADE])
@pytest.mark.parametrize("adapted", [False, True])
def test_components_of_a_mixture_learn_different_things(model_class, adapted):
    """Equal ones would have equal gradients in each step."""
    likelihood = LogisticMixture(3, levels=8)
    model = model_class((2, 2, 1), levels=8, likelihood=likelihood, seed=0)
    images = np.random.default_rng(0).integers(0, 8, (32, 2, 2, 1)) / 7
    if adapted:
        model.adapt(images)
    model.compile(keras.optimizers.Adam(0.05))
    model.fit(images, epochs=3, verbose=0)
    outputs = ops.convert_to_numpy(model.network(2.0 * images - 1.0)).reshape(32, 4, 3, 3)
    means, log_scales = outputs[:, :, 1], outputs[:, :, 2]
    assert np.ptp(means, axis=-1).min() > 1e-4 and np.ptp(log_scales, axis=-1).min() > 1e-4


@pytest.mark.one_backend
@pytest.mark.parametrize("dtype", in_tiers(["mixed_bfloat16", "mixed_float16"], quick=[]))
@pytest.mark.parametrize("model_class", [kgen.FVSBN, kgen.NADE, kgen.MADE])
def test_mixed_precision_rounds_no_outputs(model_class, dtype):
    """A likelihood is of the distribution that samples are drawn from, in float32."""
    sizes = {"likelihood": LogisticMixture(2, levels=256), "levels": 256, "seed": 0}
    model, half = (model_class((4, 4, 1), **sizes, dtype=d) for d in ("float32", dtype))
    rng = np.random.default_rng(0)
    weights = model.network.get_weights()
    for each in (model, half):
        each.network.set_weights([rng.normal(size=w.shape) / np.sqrt(len(w)) for w in weights])
        narrow = np.concatenate([rng.normal(size=(4, 4, 4)), np.full((4, 4, 2), -5.0)], axis=-1)
        each.network.start_outputs_at(narrow)
        rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (64, 4, 4, 1)).astype("float32") / 255
    differences = model.log_likelihood(images) - half.log_likelihood(images)
    assert np.abs(differences).max() < 0.05
    outputs = half.network(ops.convert_to_tensor(images))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"


@pytest.mark.one_backend
@pytest.mark.parametrize("model_class", in_tiers([kgen.FVSBN, kgen.NADE, kgen.MADE], quick=[]))
def test_double_precision_of_copies(model_class, tmp_path):
    """What is made outside `dtype=` again: an average, a config's model, a file's."""
    model = model_class((3, 3, 1), dtype="float64", ema_decay=0.9, num_classes=3, seed=0)
    images, labels = np.random.default_rng(0).random((8, 3, 3, 1)), np.arange(8) % 3
    model.compile()
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    found = model.log_likelihood(images, labels, seed=0)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.log_likelihood(images, labels, seed=0), found)
    if keras.backend.backend() != "jax":  # whose float64 is float32
        for each in (model.averaged(), loaded.network, type(model).from_config(model.get_config())):
            assert {str(v.dtype) for v in each.trainable_variables} <= {"float64"}


def test_masks_are_those_of_the_file():
    """Whatever NumPy's random numbers will be."""
    network = made((2, 2, 1), 1, units=(5, 4))
    config = network.get_config()
    assert [len(degrees) for degrees in config["degrees"]] == [5, 4]
    config["degrees"] = [[0, 1, 2, 0, 1], [2, 2, 1, 0]]
    again = type(network).from_config(config)
    assert [each.tolist() for each in again.degrees] == config["degrees"]


def test_a_nade_of_several_orders():
    with pytest.raises(ValueError, match="Expected one order. Received: 2 of them"):
        type(nade((2, 1, 1), 1, 3))((2, 1, 1), 1, 3, orders=[[0, 1], [1, 0]])
