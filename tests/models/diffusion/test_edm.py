"""EDM in the world of its reference's digits: of data N(0, 0.25) the network's best output is 0."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen.samplers import DDIM, Ancestral, Heun
from tests.zoo import constant_network, denoiser

SHAPE = (2, 2, 1)
RNG = np.random.default_rng(0)


def numpy(x):
    return ops.convert_to_numpy(x)


def silent(**kwargs):
    """A model whose network gives 0."""
    return kgen.EDM(SHAPE, constant_network(SHAPE), ema_decay=None, seed=0, **kwargs)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [(Heun(18), 0.527624637), (Heun(36), 0.5060970919), (DDIM(18), 0.4230314364)],
)
def test_where_noise_of_80_ends(sampler, expected):
    x = silent().walk(ops.ones((1, *SHAPE)), None, None, sampler, bounded=False)
    np.testing.assert_allclose(numpy(x), expected, rtol=1e-5)


def test_its_times():
    path = silent().path(Heun(18))
    np.testing.assert_allclose(path.noise[:4], [80.0, 57.58598472, 40.7855738, 28.3745846])
    np.testing.assert_allclose(path.noise[[16, 17, 18]], [0.007528019963, 0.002, 0.0], rtol=1e-8)


def test_ancestral_steps_are_of_the_posterior():
    """The variance goes from step to step by the rows; of many steps it comes to the data's."""
    model, variances = silent(), []
    for steps in (100, 1600):
        path = model.path(Ancestral(steps))
        rows, variance = Ancestral(steps).rows(path), 80.0**2
        for i, sigma in enumerate(path.noise[:-1]):
            factor = rows["of_x"][i] + rows["of_x0"][i] * 0.25 / (sigma**2 + 0.25)
            variance = factor**2 * variance + rows["draws"][i] * np.exp(rows["log_small"][i])
        variances.append(variance)
    assert variances[1] == pytest.approx(0.25, abs=0.003)
    x = RNG.standard_normal((2000, *SHAPE)).astype("float32")
    noise = kgen.noise.StepNoise(keras.random.SeedGenerator(0).next())
    x = numpy(model.walk(ops.convert_to_tensor(x), None, noise, Ancestral(100), bounded=False))
    assert x.var() == pytest.approx(variances[0], rel=0.05)


@pytest.mark.one_backend
def test_the_loss_is_that_of_the_raw_network():
    """lambda makes it ||F - (y - c_skip x) / c_out||^2, whatever sigma is."""
    model = kgen.EDM((8, 8, 1), denoiser(), ema_decay=None, seed=0)
    sigma = np.array([0.01, 0.5, 20.0], "float32")
    row = model.level(ops.convert_to_tensor(sigma))
    outputs, x_0, n = RNG.standard_normal((3, 3, 8, 8, 1)).astype("float32")
    s = sigma.reshape(3, 1, 1, 1)
    x = x_0 + s * n
    guess, _ = model.x0_of(ops.convert_to_tensor(outputs), ops.convert_to_tensor(x), row)
    weight = (s**2 + 0.25) / (0.5 * s) ** 2
    c_skip, c_out = 0.25 / (s**2 + 0.25), 0.5 * s / np.sqrt(s**2 + 0.25)
    raw = np.square(outputs - (x_0 - c_skip * x) / c_out).mean(axis=(1, 2, 3))
    weighted = (weight * np.square(numpy(guess) - x_0)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(weighted, raw, rtol=2e-3)
    np.testing.assert_allclose(numpy(model.told(row)).ravel(), np.log(sigma) / 4, rtol=1e-5)
    seen = numpy(model.seen(ops.convert_to_tensor(x), row))
    np.testing.assert_allclose(seen, x / np.sqrt(s**2 + 0.25), rtol=1e-5)


class Fixed:
    """Noise that is the same number everywhere."""

    def __init__(self, value):
        self.value = value

    def normal(self, shape):
        return self.value * ops.ones(shape)


@pytest.mark.one_backend
def test_the_logged_loss_by_hand():
    """Of a network that gives 0, images of 1 and draws of 1: sigma is 1 at mean -1, deviation 1."""
    model = silent(log_sigma_mean=-1.0, log_sigma_std=1.0)
    loss = model.denoising_loss(ops.ones((2, *SHAPE)), None, Fixed(1.0))
    x, guess = 2.0, 0.25 / 1.25 * 2.0
    assert float(loss) == pytest.approx((1.0 + 4.0) * (guess - 1.0) ** 2, rel=1e-5), x


@pytest.mark.one_backend
def test_the_density_of_gaussian_data():
    model = silent()
    x = 0.5 * RNG.standard_normal((3, *SHAPE)).astype("float32")
    probe = ops.convert_to_tensor(RNG.choice([-1.0, 1.0], x.shape).astype("float32"))
    found = model.log_density(ops.convert_to_tensor(x), None, probe, model.path(Heun(200)))
    variance = 0.25 + 0.002**2
    exact = -0.5 * (np.square(x) / variance + np.log(2.0 * np.pi * variance)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(numpy(found), exact, atol=0.02)


def test_noise_and_back():
    model = silent()
    images = RNG.uniform(0.2, 0.8, (2, *SHAPE)).astype("float32")
    apart = []
    for steps in (40, 80):
        noise = model.encode(images, steps=steps)
        apart.append(np.abs(model.decode(noise, steps=steps) - images).max())
    assert apart[1] < min(0.3 * apart[0], 0.01)
    # The ODE is linear: x = 80 z is from (2 image - 1) by the ratio of the deviations.
    ratio = np.sqrt((0.25 + 80.0**2) / (0.25 + 0.002**2)) / 80.0
    np.testing.assert_allclose(noise, ratio * (2.0 * images - 1.0), rtol=0.02)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: silent(sigma_min=0.0), "sigma_min as a finite number above"),
        (lambda: silent(sigma_max=0.001), "sigma_max as a finite number above"),
        (lambda: silent().sample(1, sampler="ancestral"), "a sampler of so many steps"),
        (lambda: silent().sample(1, sampler=DDIM(4, "even")), "spacing None"),
        (lambda: silent().denoise(np.zeros((1, *SHAPE)), 100.0), "t in 0.002..80"),
        (lambda: silent().sample(1, sampler="midpoint"), "ancestral, ddim"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
