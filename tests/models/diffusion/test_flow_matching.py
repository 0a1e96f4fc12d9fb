"""Flow matching between normal distributions, whose flow is linear and known."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import priors
from kgen.metrics.evaluation import check_verbs
from kgen.models.diffusion.flow_matching import paired
from kgen.samplers import DDIM, ODE
from tests.zoo import constant_network, denoiser

SHAPE, STD = (2, 2, 1), 0.5
RNG = np.random.default_rng(0)


def numpy(x):
    return ops.convert_to_numpy(x)


@keras.saving.register_keras_serializable("tests")
class Velocity(keras.layers.Layer):
    """E[x - eps | x_t] for images of N(0, STD^2)."""

    def call(self, x, t):
        t = ops.reshape(t / 1000.0, (-1, 1, 1, 1))
        return x * (t * STD**2 - (1.0 - t)) / (ops.square(t * STD) + ops.square(1.0 - t))


def exact(**kwargs):
    x, t = keras.Input(SHAPE), keras.Input(())
    network = keras.Model([x, t], Velocity()(x, t))
    return kgen.FlowMatching(SHAPE, network, ema_decay=None, seed=0, **kwargs)


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 3), ("heun", 2)])
def test_from_noise_to_gaussian_data(method, order):
    """The map is x to STD x; errors fall with the method's order, one higher for the midpoint's
    in this world."""
    x = np.linspace(-1.0, 1.0, 4).reshape(1, *SHAPE).astype("float32")
    errors = []
    for steps in (8, 16, 32):
        found = exact().walk(ops.convert_to_tensor(x), None, None, ODE(steps, method=method))
        errors.append(np.abs(numpy(found) - STD * x).max())
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), order, atol=0.35)
    assert errors[-1] < (0.03 if order == 1 else 1e-3)


def test_a_chain_shows_the_way_itself():
    """Of a velocity that is the same everywhere the frames are on a straight line."""
    network = constant_network((1, 1, 2), 0.1)
    model = kgen.FlowMatching((1, 1, 2), network, prior=priors.Uniform(2), ema_decay=None, seed=0)
    way = model.chain(8, frames=5, steps=4, seed=0)
    inside = ((way > 0.0) & (way < 1.0)).all(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(np.diff(way[inside], axis=1), 0.0125, atol=1e-5)
    assert inside.sum() >= 4


def test_eulers_method_is_ddim():
    x = ops.convert_to_tensor(RNG.standard_normal((3, *SHAPE)).astype("float32"))
    model = exact()
    euler, ddim = (numpy(model.walk(x, None, None, each)) for each in (ODE(7), DDIM(7)))
    np.testing.assert_allclose(euler, ddim, atol=1e-5)


@pytest.mark.one_backend
def test_the_density_of_gaussian_data():
    model = exact()
    x = STD * RNG.standard_normal((3, *SHAPE)).astype("float32")
    probe = ops.convert_to_tensor(RNG.choice([-1.0, 1.0], x.shape).astype("float32"))
    path = model.path(ODE(100))
    found = model.log_density(ops.convert_to_tensor(x), None, probe, path)
    of_each = np.square(x / STD) + np.log(2.0 * np.pi * STD**2)
    np.testing.assert_allclose(numpy(found), -0.5 * of_each.sum(axis=(1, 2, 3)), atol=2e-3)


def test_the_trace_is_estimated_without_bias():
    """Of a velocity A x the change of log p is tr A, the mean over all probes of e' A e."""
    model = exact()
    matrix = RNG.standard_normal((4, 4)).astype("float32")

    def slope(x, u, y):
        return ops.reshape(ops.matmul(ops.reshape(x, (-1, 4)), matrix), ops.shape(x)) + 0.0 * u

    model.slope = slope
    probes = np.array([*itertools.product([-1.0, 1.0], repeat=4)], "float32").reshape(16, *SHAPE)
    zero = ops.zeros((16, *SHAPE))
    found = model.log_density(zero, None, ops.convert_to_tensor(probes), model.path(ODE(3)))
    change = numpy(found) - numpy(model.log_prior(zero))
    # From images to noise u falls from 1 to 0.
    assert change.mean() == pytest.approx(-np.trace(matrix), rel=1e-4)
    assert change.std() > 0.1


def test_a_likelihood_is_of_256_levels():
    """A level's probability is about the density in its middle by the width of its bin."""
    model = exact()
    images = RNG.choice([30, 100, 226], (2, *SHAPE)).astype("uint8")
    found = model.log_likelihood(images, num_samples=64, steps=100, seed=0)
    x = (images + 0.5) / 128.0 - 1.0
    density = -0.5 * (np.square(x / STD) + np.log(2.0 * np.pi * STD**2))
    np.testing.assert_allclose(found, (density - np.log(128.0)).sum(axis=(1, 2, 3)), atol=0.01)
    few = [
        model.log_likelihood(x, num_samples=2, steps=5, seed=0) for x in (images, images / 255.0)
    ]
    np.testing.assert_array_equal(*few)


def test_noise_and_back():
    model = exact()
    images = RNG.uniform(0.3, 0.7, (2, *SHAPE)).astype("float32")
    noise = model.encode(images, steps=40)
    np.testing.assert_allclose(noise, (2.0 * images - 1.0) / STD, atol=2e-3)
    np.testing.assert_allclose(model.decode(noise, steps=40), images, atol=1e-3)


def test_the_way_between_images_is_of_their_noise():
    """Along the great circle, or straight; decoded by a flow that is linear."""
    model = exact()
    start, end = RNG.uniform(0.3, 0.7, (2, 1, *SHAPE)).astype("float32")
    noise = [model.encode(each, steps=40).ravel().astype("float64") for each in (start, end)]
    lengths = [np.linalg.norm(each) for each in noise]
    along = noise[0] / lengths[0] + noise[1] / lengths[1]
    along *= np.mean(lengths) / np.linalg.norm(along)
    for spherical, middle in ((True, along), (False, (noise[0] + noise[1]) / 2.0)):
        given = {"steps": 3, "spherical": spherical, "sampler_steps": 40}
        found = model.interpolate(start, end, **given)[0, 1].ravel()
        np.testing.assert_allclose(found, 0.5 * (STD * middle + 1.0), atol=2e-3)


@pytest.mark.anywhere
def test_pairs_are_the_nearest_in_sum():
    x, eps = RNG.standard_normal((2, 5, 2, 1, 1))
    found = paired(x, eps)
    cost = np.square(x[:, None] - eps[None]).sum(axis=(2, 3, 4))
    sums = {p: cost[range(5), p].sum() for p in itertools.permutations(range(5))}
    assert tuple(found) == min(sums, key=sums.get)
    assert found.dtype == "int32"


@pytest.mark.anywhere
def test_pairs_are_of_one_condition():
    x, eps = RNG.standard_normal((2, 12, 2, 1, 1))
    for y in (np.arange(12) % 3, np.stack([np.arange(12) % 3, np.ones(12)], axis=1)):
        found = paired(x, eps, y)
        assert sorted(found) == list(range(12))
        np.testing.assert_array_equal(y[found], y)
    unlike = np.arange(12) / 7.0
    np.testing.assert_array_equal(paired(x, eps, unlike), np.arange(12))


class Drawn:
    """Noise of given numbers."""

    def __init__(self, normal, uniform):
        self.drawn = {"normal": normal, "uniform": uniform}

    def normal(self, shape):
        return ops.convert_to_tensor(self.drawn["normal"])

    def uniform(self, shape):
        return ops.convert_to_tensor(self.drawn["uniform"])


@pytest.mark.one_backend
@pytest.mark.parametrize("coupling", ["independent", "optimal_transport"])
def test_the_loss_by_hand(coupling):
    """Of a network that gives 0, the squared way from noise to image: of the pairs."""
    network = constant_network(SHAPE)
    model = kgen.FlowMatching(SHAPE, network, coupling=coupling, ema_decay=None, seed=0)
    images = np.stack([np.zeros(SHAPE), np.ones(SHAPE)]).astype("float32")
    eps = np.stack([np.full(4, 2.0), np.full(4, -3.0)]).astype("float32")
    noise = Drawn(eps, np.array([0.3, 0.6], "float32"))
    loss = float(model.denoising_loss(ops.convert_to_tensor(images), None, noise))
    # Images are -1 and 1 inside: of ways 2 - -1 and -3 - 1; crossed -3 - -1 and 2 - 1.
    expected = {"independent": (9.0 + 16.0) / 2, "optimal_transport": (4.0 + 1.0) / 2}
    assert loss == pytest.approx(expected[coupling], rel=1e-5)


@pytest.mark.one_backend
def test_it_trains_on_pairs():
    """In compiled steps, too, by SciPy: the ways of pairs are shorter, so that the loss is."""
    images = RNG.random((32, *SHAPE)).astype("float32")
    losses, compiled = [], []
    for coupling in ("independent", "optimal_transport"):
        network = constant_network(SHAPE)
        model = kgen.FlowMatching(SHAPE, network, coupling=coupling, num_classes=None, seed=0)
        model.compile(keras.optimizers.SGD(0.0))
        compiled.append(model.jit_compile)
        history = model.fit(images, batch_size=16, epochs=4, verbose=0).history
        losses.append(np.mean(history["loss"]))
    assert losses[1] < 0.8 * losses[0]
    assert compiled[0] == compiled[1]


def test_its_network_is_told_t_and_shown_the_way():
    model = kgen.FlowMatching((8, 8, 1), denoiser(), ema_decay=None, seed=0)
    images = RNG.random((2, 8, 8, 1)).astype("float32")
    t = np.array([0.25, 1.0], "float32")
    noisy = model.noisy(images, t, seed=3)
    eps = model.noisy(images, 0.0, seed=3)
    part = t.reshape(2, 1, 1, 1)
    np.testing.assert_allclose(noisy, part * (2 * images - 1) + (1 - part) * eps, atol=1e-5)
    v = numpy(model.network([noisy, 1000.0 * t]))
    expected = np.clip(0.5 * (noisy + (1 - part) * v + 1.0), 0.0, 1.0)
    np.testing.assert_allclose(model.denoise(noisy, t), expected, atol=1e-5)


def test_ways_begin_at_another_prior():
    model = kgen.FlowMatching((1, 1, 2), prior=priors.Uniform(2), width=8, seed=0)
    assert "complete" not in model.signatures()
    start = model.chain(3, frames=2, seed=0, steps=1)[:, 0] * 2.0 - 1.0
    assert np.abs(start).max() <= 1.0
    assert model.sample(3, seed=0, sampler="heun", steps=1).shape == (3, 1, 1, 2)
    for verb in (
        lambda: model.sample(1, sampler="ddim"),
        lambda: model.complete(np.zeros((1, 1, 1, 2)), np.ones((1, 1, 1), bool)),
    ):
        with pytest.raises(ValueError, match="prior that is not normal"):
            verb()


def test_a_prior_without_a_density_everywhere_has_no_likelihood():
    with_it, without = exact(), exact(prior="uniform")
    assert with_it.signatures().keys() - without.signatures() >= {"log_likelihood"}
    with pytest.raises(ValueError, match="density above 0.* Received: a prior Uniform"):
        without.log_likelihood(np.zeros((1, *SHAPE)))
    check_verbs(["log_likelihood"], with_it)
    with pytest.raises(ValueError, match="FlowMatching with a prior Uniform"):
        check_verbs(["log_likelihood"], without)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: exact(coupling="ot"), "coupling in"),
        (lambda: exact(prior="student"), "prior in"),
        (lambda: exact(prior=priors.Normal(3)), "vectors of length 4"),
        (lambda: exact().sample(1, sampler="heun", steps=0), "steps as a whole number"),
        (lambda: exact().sample(1, sampler=ODE(4, "even")), "spacing None"),
        (lambda: exact().sample(1, sampler=kgen.samplers.Heun(4)), "euler, midpoint, heun"),
        (lambda: ODE(method="rk4"), "method in"),
        (lambda: exact().denoise(np.zeros((1, *SHAPE)), 2.0), "t in 0.0..1.0"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_model_of_one_step_completes_in_as_many_as_draws_need():
    model = kgen.FlowMatching((4, 4, 1), width=4, sampler=kgen.samplers.ODE(1), seed=0)
    x, mask = np.full((1, 4, 4, 1), 0.5), np.arange(4)[:, None].repeat(4, axis=1) >= 2
    made = model.complete(x, mask, seed=0)
    np.testing.assert_array_equal(made, model.complete(x, mask, steps=2, seed=0))
    with pytest.raises(ValueError, match="at least 2 or None. Received: steps=1"):
        model.complete(x, mask, steps=1)
