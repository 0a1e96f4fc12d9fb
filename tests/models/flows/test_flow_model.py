"""Flows: inverses, determinants, densities that sum to 1, and what adapt and fit are given."""

import math

import keras
import numpy as np
import pytest
from keras import ops
from scipy.stats import norm

import kgen
from kgen import FlowModel, Glow, RealNVP
from kgen.layers import (
    ActNorm,
    Coupling,
    EdgeConv2D,
    InvertibleConv,
    Reorder,
    Split,
    Squeeze,
    Standardize,
)
from kgen.networks import InvertibleNetwork, glow, real_nvp
from tests.tiers import in_tiers

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (16, 8, 8, 1), dtype="uint8")
BITS = math.log(2.0)


def numpy(x):
    return ops.convert_to_numpy(x)


def perturbed(network, scale=0.1):
    """A network whose weights are not those of the start, at which couplings do nothing."""
    rng = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign(numpy(variable) + scale * rng.standard_normal(variable.shape))
    return network


@pytest.fixture
def double():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(before)


def coupling(channels, width=8, **kwargs):
    """A coupling of pixels alone, which bends."""
    stays = channels // 2
    network = keras.Sequential(
        [
            keras.Input((1, 1, stays)),
            keras.layers.Dense(width, activation="tanh"),
            keras.layers.Dense(2 * (channels - stays)),
        ]
    )
    return Coupling(network, **kwargs)


NETWORKS = {
    "glow": lambda: glow((4, 4, 2), width=4, depth=2),
    "additive": lambda: glow((4, 4, 1), width=4, depth=2, scale=None),
    "real_nvp": lambda: real_nvp((4, 4, 1), width=4, depth=1),
    "conditional": lambda: glow((4, 2, 1), width=4, depth=1, condition=3),
}


@pytest.mark.one_backend
@pytest.mark.parametrize("name", in_tiers(NETWORKS, quick=["additive", "conditional"], on_each=()))
def test_it_has_an_inverse_and_the_jacobians_determinant(name, double):
    network = perturbed(NETWORKS[name]())
    shape, size = network.image_shape, math.prod(network.image_shape)
    is_double = keras.backend.backend() != "jax"  # which has none unless asked
    h = 1e-5 if is_double else 1e-2
    around = h * np.concatenate([np.eye(size), -np.eye(size)]).reshape(-1, *shape)
    first, *others = RNG.standard_normal((3, *shape))
    x = np.concatenate([first + around, [first], others])
    y = None
    if network.condition is not None:
        y = ops.convert_to_tensor(np.array([2] * (2 * size + 1) + [0, 1], "int32"))
    compiled = FlowModel(shape, network, condition=network.condition).compiled_function
    z, log_det = compiled(network.call)(ops.convert_to_tensor(x, "float64"), y)
    back = numpy(compiled(network.inverse)(z, y))
    np.testing.assert_allclose(back, x, atol=1e-9 if is_double else 1e-4)
    above, below, _ = np.split(numpy(z).astype("float64"), [size, 2 * size])
    _, expected = np.linalg.slogdet((above - below) / (2 * h))
    found = float(numpy(log_det)[2 * size])
    assert found == pytest.approx(expected, abs=1e-6 if is_double else 0.02)


def test_the_inverse_in_single_precision():
    model = Glow((16, 16, 3), width=8, depth=3, seed=0)
    perturbed(model.network, 0.05)
    x = RNG.integers(0, 256, (2, 16, 16, 3), dtype="uint8")
    np.testing.assert_allclose(model.decode(model.encode(x)), x / 255.0, atol=1e-3)


@pytest.mark.one_backend
def test_a_density_integrates_to_one():
    steps = [coupling(2), InvertibleConv(), coupling(2, swap=True), ActNorm(), coupling(2)]
    network = perturbed(InvertibleNetwork((1, 1, 2), steps), 0.5)
    side = np.linspace(-12.0, 12.0, 601)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 1, 1, 2).astype("float32")
    z, log_det = network(ops.convert_to_tensor(grid))
    log_p = kgen.priors.Normal(2).log_prob(z) + log_det
    area = (side[1] - side[0]) ** 2
    assert np.exp(numpy(log_p).astype("float64")).sum() * area == pytest.approx(1.0, abs=2e-3)


class Spread:
    """The noise between levels, given."""

    def __init__(self, u):
        self.u = u

    def uniform(self, shape):
        return ops.ones(shape) * ops.convert_to_tensor(self.u)


def test_levels_of_the_identity_after_the_logit():
    model = FlowModel((1, 1, 1), InvertibleNetwork((1, 1, 1), []))
    bits, total = {}, 0.0
    u = ((np.arange(500) + 0.5) / 500).astype("float32").reshape(-1, 1, 1, 1)
    for k in range(256):
        x = np.full((500, 1, 1, 1), k / 255.0, "float32")
        nats = model._log_probability(ops.convert_to_tensor(x), None, Spread(u), model.network)
        nats = numpy(nats).astype("float64")
        bits[k] = -nats.mean() / BITS, -np.log(np.exp(nats).mean()) / BITS
        total += np.exp(nats).mean()
    assert total == pytest.approx(0.9967645926, abs=2e-5)
    assert bits[0] == pytest.approx((11.23002817, 11.22877975), abs=1e-4)
    assert bits[128] == pytest.approx((7.477774934, 7.477774933), abs=1e-4)
    assert bits[255][0] == pytest.approx(11.23002817, abs=1e-4)
    assert np.mean([bound for bound, _ in bits.values()]) == pytest.approx(8.207529431, abs=1e-4)


@pytest.mark.one_backend
def test_the_logit_by_hand():
    model = FlowModel((1, 1, 1), InvertibleNetwork((1, 1, 1), []))
    values = ops.reshape(ops.convert_to_tensor([0.0, 128.0]), (2, 1, 1, 1))
    reals, log_det = model._to_reals(values, 0.5)
    np.testing.assert_allclose(numpy(reals).ravel(), [-2.908034555, 0.007031278968], rtol=1e-4)
    np.testing.assert_allclose(numpy(log_det), [2.908964714, 1.280946205], rtol=1e-5)
    images = numpy(model._to_images(reals)).ravel()
    np.testing.assert_allclose(images, [0.0, 128 / 255], atol=1e-6)


def test_the_factors_of_a_1x1_convolution():
    layer = InvertibleConv()
    layer.build((None, 4, 4, 3))
    layer.order.assign([2, 0, 1])
    layer.lower.assign([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [-0.25, 0.75, 0.0]])
    layer.upper.assign([[0.0, 0.2, -0.4], [0.0, 0.0, 0.3], [0.0, 0.0, 0.0]])
    layer.sign.assign([1, -1, 1])
    layer.log_scale.assign(np.log([2.0, 0.5, 0.8]))
    x = np.zeros((3, 4, 4, 3), "float32")
    x[range(3), 0, 0, range(3)] = 1.0  # its columns
    z, log_det = layer(x)
    expected = [[-0.5, -0.425, 1.125], [2.0, 0.2, -0.4], [1.0, -0.4, 0.1]]
    np.testing.assert_allclose(numpy(z)[:, 0, 0].T, expected, atol=1e-6)
    np.testing.assert_allclose(numpy(log_det), -3.570296821, rtol=1e-6)
    np.testing.assert_allclose(numpy(layer.inverse(z)), x, atol=1e-5)


def test_a_1x1_convolution_begins_as_a_rotation():
    layer = InvertibleConv()
    z, log_det = layer(np.eye(5, dtype="float32").reshape(5, 1, 1, 5))
    w = numpy(z)[:, 0, 0]
    np.testing.assert_allclose(w @ w.T, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(numpy(log_det), 0.0, atol=1e-5)


def test_squeezed_blocks():
    x = np.arange(32.0).reshape(1, 4, 4, 2)
    z, log_det = Squeeze()(x)
    assert numpy(z)[0, 0, 0].tolist() == [0, 1, 2, 3, 8, 9, 10, 11]
    assert numpy(log_det).tolist() == [0.0]
    layer = Reorder([2, 0, 1])
    there = layer(np.arange(3.0).reshape(1, 1, 1, 3))[0]
    assert numpy(there).ravel().tolist() == [2.0, 0.0, 1.0]
    assert numpy(layer.inverse(there)).ravel().tolist() == [0.0, 1.0, 2.0]


def test_a_convolution_knows_the_edge():
    """Of an image of 0 what counts are the weights of what lies outside."""
    layer = EdgeConv2D(1, 3)
    layer.build((None, 3, 3, 2))
    layer.of_edge.assign(np.ones((3, 3, 1, 1)))
    found = numpy(layer(np.zeros((1, 3, 3, 2), "float32")))[0, ..., 0]
    assert found.tolist() == [[5.0, 3.0, 5.0], [3.0, 0.0, 3.0], [5.0, 3.0, 5.0]]


def test_couplings_at_the_start():
    """Glow's scale is sigmoid(2) of half of the numbers; a checkerboard's is 1; adding has none."""
    for scale, expected in (("sigmoid", -0.126928011 * 2 * 3), ("tanh", 0.0), (None, 0.0)):
        last = keras.layers.Conv2D(2 if scale else 1, 1, kernel_initializer="zeros")
        network = keras.Sequential([keras.Input((2, 3, 1)), last])
        x = RNG.standard_normal((2, 2, 3, 2)).astype("float32")
        _, log_det = Coupling(network, scale=scale)(x)
        np.testing.assert_allclose(numpy(log_det), expected, rtol=1e-6)


@pytest.mark.parametrize("swap", [False, True])
def test_what_stays_in_a_checkerboard(swap):
    network = keras.Sequential([keras.Input((3, 4, 2)), keras.layers.Conv2D(2, 3, padding="same")])
    layer = Coupling(network, "checkerboard", swap, "tanh")
    x = RNG.standard_normal((2, 3, 4, 1)).astype("float32")
    z, _ = layer(x)
    layer.most.assign(0.7)
    z, log_det = layer(x)
    stays = (np.indices((3, 4)).sum(axis=0) + swap) % 2 == 0
    moved = (numpy(z) != x).all(axis=(0, 3))
    np.testing.assert_array_equal(moved, ~stays)
    np.testing.assert_allclose(numpy(layer.inverse(z)), x, atol=1e-5)


def test_what_is_left_is_standardised():
    layer = Standardize()
    x = np.array([5.0, 1.0], "float32").reshape(1, 2, 1, 1)
    layer.build(x.shape)
    layer.mean.assign([3.0])
    layer.log_std.assign([math.log(2.0)])
    eps, log_det = layer(x)
    np.testing.assert_allclose(numpy(eps).ravel(), [1.0, -1.0], rtol=1e-6)
    np.testing.assert_allclose(numpy(log_det), -2.0 * math.log(2.0), rtol=1e-6)
    np.testing.assert_allclose(numpy(layer.inverse(eps)), x, rtol=1e-6)


def test_half_leaves_by_what_the_other_says():
    network = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Dense(2, use_bias=False)])
    network.set_weights([np.array([[2.0, math.log(3.0)]])])
    x = np.array([1.0, 8.0], "float32").reshape(1, 1, 1, 2)
    goes_on, eps, log_det = Split(network)(x)
    assert numpy(goes_on).item() == 1.0
    assert numpy(eps).item() == pytest.approx((8.0 - 2.0) / 3.0)
    assert float(numpy(log_det)[0]) == pytest.approx(-math.log(3.0))


@pytest.mark.one_backend
def test_adapt_makes_each_normalization_normal():
    model = Glow((8, 8, 1), width=6, depth=2, seed=0)
    rate = np.array([0.2, 0.5], "float32").repeat(20)[:, None, None, None]
    images = np.clip(rate * RNG.random((40, 8, 8, 1)), 0, 1).astype("float32")
    model.adapt(images)
    noise = np.random.default_rng(5).random((40, 8, 8, 1)).astype("float32")
    levels = ops.convert_to_tensor(np.rint(images * 255.0))
    x, _ = model._to_reals(levels, ops.convert_to_tensor(noise))
    for step in model.network.steps:
        x, *left, _ = step(x, None)
        if isinstance(step, ActNorm):
            found = numpy(x)
            np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0.0, atol=0.1)
            np.testing.assert_allclose(found.std(axis=(0, 1, 2)), 1.0, atol=0.1)


def test_adapt_is_done_once_and_kept(tmp_path):
    model = Glow((8, 8, 1), width=4, depth=1, ema_decay=0.9, seed=0)
    model.compile()
    with pytest.warns(UserWarning, match="not adapted"):
        model.fit(IMAGES, epochs=1, verbose=0)
    fresh = Glow((8, 8, 1), width=4, depth=1, ema_decay=0.9, seed=0)
    fresh.adapt(IMAGES)
    bias = [numpy(each.bias) for each in fresh.network.act_norms()]
    assert np.abs(bias[0]).max() > 0.1
    for name in ("network", "average"):
        own = fresh.average.network if name == "average" else fresh.network
        for each, expected in zip(own.act_norms(), bias, strict=True):
            np.testing.assert_array_equal(numpy(each.bias), expected)
    fresh.save(tmp_path / "glow.keras")
    loaded = keras.saving.load_model(tmp_path / "glow.keras")
    with pytest.warns(UserWarning, match="nothing is changed"):
        loaded.adapt(255 - IMAGES)
    for each, expected in zip(loaded.network.act_norms(), bias, strict=True):
        np.testing.assert_array_equal(numpy(each.bias), expected)


def test_more_draws_are_a_tighter_bound():
    """Of black of two levels, P = Phi(logit(0.5)) - Phi(logit(0.05)), behind the identity."""
    model = FlowModel((1, 1, 1), InvertibleNetwork((1, 1, 1), []), levels=2, seed=0)
    p = 0.05 + 0.9 * (np.arange(10_000) + 0.5) / 20_000
    density = norm.pdf(np.log(p / (1.0 - p))) * 0.9 / (p * (1.0 - p)) / 2.0
    exact = norm.cdf(0.0) - norm.cdf(np.log(0.05 / 0.95))
    assert density.mean() == pytest.approx(exact, rel=1e-6)
    black = np.zeros((4000, 1, 1, 1), "uint8")
    one = model.log_likelihood(black, seed=0, batch_size=4000)
    assert one.mean() == pytest.approx(np.log(density).mean(), abs=0.03)
    many = model.log_likelihood(black[:500], seed=0, num_samples=100, batch_size=500)
    assert many.mean() == pytest.approx(np.log(exact), abs=0.01)


@pytest.mark.one_backend
def test_without_alpha_the_ends_are_finite():
    """White of 256 levels rounds to 1 of nearly the largest u, and black is 0 of u = 0."""
    model = FlowModel((1, 1, 1), InvertibleNetwork((1, 1, 1), []), alpha=0.0, seed=0)
    values = np.array([0.0, 255.0, 255.0, 0.0, 128.0], "float32").reshape(5, 1, 1, 1)
    u = np.array([0.0, 1 - 2.0**-20, 0.5, 0.5, 0.5], "float32").reshape(5, 1, 1, 1)
    found = model._to_reals(ops.convert_to_tensor(values), ops.convert_to_tensor(u))
    h, log_det = (numpy(x).ravel() for x in found)
    assert np.isfinite(h).all() and np.isfinite(log_det).all()
    v = ((values + u) / 256).ravel()[2:]
    np.testing.assert_allclose(h[2:], np.log(v / (1 - v)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(log_det[2:], -np.log(v * (1 - v)), rtol=1e-4)


@pytest.mark.one_backend
def test_networks_of_couplings_are_told_of_training():
    told = []

    class Told(keras.layers.Layer):
        def call(self, x, training=False):
            told.append(training)
            return x

    network = keras.Sequential([keras.Input((1, 1, 1)), Told(), keras.layers.Dense(2)])
    model = FlowModel((1, 1, 2), InvertibleNetwork((1, 1, 2), [Coupling(network)]), seed=0)
    images = np.zeros((4, 1, 1, 2), "uint8")
    model.compile(keras.optimizers.SGD(0.0))
    for verb, expected in [
        (lambda: model.fit(images, verbose=0), {True}),
        (lambda: model.evaluate(images, verbose=0), {False}),
        (lambda: model.log_likelihood(images, seed=0), {False}),
        (lambda: model.sample(2, seed=0), {False}),
    ]:
        told.clear()
        verb()
        assert set(told) == expected


def test_grey_that_is_rounded_to_two_levels_is_told():
    model = FlowModel((1, 1, 1), InvertibleNetwork((1, 1, 1), []), levels=2)
    with pytest.warns(UserWarning, match="between the 2 levels"):
        model.log_likelihood(np.full((1, 1, 1, 1), 0.3), seed=0)


def test_rows_have_nothing_to_do_with_each_other():
    model = RealNVP((8, 8, 1), width=4, depth=1, seed=0)
    perturbed(model.network)
    order, seeds = np.random.default_rng(0).permutation(16), np.arange(16)
    found = model.log_likelihood(IMAGES, seed=seeds)
    moved = model.log_likelihood(IMAGES[order], seed=seeds[order])
    np.testing.assert_allclose(moved, found[order], rtol=1e-5)


def test_temperature():
    model = Glow((8, 8, 1), width=4, depth=1, seed=0)
    perturbed(model.network)
    middle = model.decode(np.zeros((1, 64), "float32"))
    np.testing.assert_allclose(
        model.sample(2, seed=0, temperature=0.0), middle.repeat(2, axis=0), atol=1e-6
    )
    z = model.draw_latents(3, seed=4)
    for temperature in (1.0, 0.5):
        found = model.sample(3, seed=4, temperature=temperature)
        np.testing.assert_allclose(found, model.decode(temperature * z), atol=1e-6)


@pytest.mark.parametrize(("model_class", "scale"), [(Glow, 3.0), (RealNVP, 1.5)])
def test_an_inverse_that_runs_away_gives_an_image(model_class, scale):
    model = model_class((8, 8, 1), width=4, depth=3, seed=0)
    perturbed(model.network, scale)
    samples = model.sample(8, temperature=1e4, seed=0)
    assert samples.min() >= 0.0 and samples.max() <= 1.0


def test_a_user_network_is_kept(tmp_path):
    network = glow((4, 4, 1), width=4, depth=1, condition=3)
    model = FlowModel((4, 4, 1), perturbed(network), num_classes=3, seed=0)
    copy = type(network).from_config(network.get_config())
    copy.set_weights(network.get_weights())
    z = model.draw_latents(3, seed=0)
    y = ops.convert_to_tensor(np.arange(3, dtype="int32"))
    expected = model._to_images(copy.inverse(ops.convert_to_tensor(z), y))
    np.testing.assert_allclose(model.decode(z, np.arange(3)), numpy(expected), atol=1e-6)


@pytest.mark.full
def test_the_papers_network_has_as_many_parameters():
    """Without what is beside a triangle, and with theirs of the top, a convolution of zeros."""
    network = glow((32, 32, 3))
    found = sum(math.prod(v.shape) for v in network.trainable_variables)
    beside = 32 * sum(c * (c + 1) for c in (12, 24, 48))
    top = 9 * 97 * 96 + 2 * 96
    assert found - beside - 96 + top == 44_603_604


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Glow((8, 6, 1), squeezes=2), r"the next are \(8, 4\) and \(8, 8\)"),
        (lambda: RealNVP((7, 8, 1)), r"that 2 divides, for 1 levels: the next are \(6, 8\)"),
        (lambda: Glow((8, 8, 1), alpha=0.5), r"alpha in \[0, 0.5\)"),
        (lambda: Glow((8, 8, 1), levels=1), "levels"),
        (lambda: Glow((8, 8, 1), coupling="both"), "coupling in"),
        (
            lambda: FlowModel((8, 8, 1), glow((4, 4, 1), 4, 1)),
            r"of \(8, 8, 1\) with condition",
        ),
        (lambda: FlowModel((8, 8, 1), keras.Sequential()), "kgen.networks.InvertibleNetwork of"),
        (lambda: Glow((8, 8, 1), network=glow((8, 8, 1), 4, 1), width=4), "no width"),
        (lambda: Glow((8, 8, 1), glow((8, 8, 1), 4, 1), coupling="additive"), "no coupling"),
        (lambda: Glow((8, 8, 1), width=4, depth=1, num_classes=3).adapt(IMAGES), "images alone"),
        (lambda: Coupling(keras.Sequential()).build((None, 4, 4, 1)), "two channels at least"),
        (lambda: Glow((8, 8, 1), width=4, depth=1).sample(1, temperature=-1.0), "temperature"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
