"""Distributions of pixels of few levels: their probabilities, and what is drawn of them."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kgen.distributions import (
    Bernoulli,
    Categorical,
    DiscretizedLogistic,
    FixedNormal,
    LogisticMixture,
    Normal,
)
from kgen.noise import StepNoise

# Two components: logits; means of red, green and blue; log-scales; coefficients of red on green,
# red on blue and green on blue, of which the tanh counts.
COLOURS = [
    *(0.3, -0.2),
    *(0.1, -0.3, 0.2, 0.0, -0.1, 0.4),
    *(-2.0, -1.5, -1.8, -2.2, -2.5, -1.0),
    *(0.5, -0.4, 0.3, 0.2, -0.6, 0.1),
]


def outputs_of(numbers, num):
    return ops.tile(
        ops.reshape(ops.convert_to_tensor(numbers, "float32"), (1, 1, 1, -1)), (num, 1, 1, 1)
    )


def log_p(distribution, numbers, images):
    """log p of images (num, colours) of one pixel."""
    x = ops.convert_to_tensor(np.asarray(images)[:, None, None], "float32")
    return -ops.convert_to_numpy(distribution.nll(x, outputs_of(numbers, len(images))))


@pytest.mark.each_backend
def test_a_coupled_mixture_by_hand():
    """Of the published code's formula, worked out in double precision."""
    levels = np.array([[0, 128, 255], [100, 120, 140], [255, 255, 255]])
    found = log_p(LogisticMixture(2, coupled=True), COLOURS, levels / 255)
    np.testing.assert_allclose(found, [-12.50993099, -14.93205874, -20.37887619], rtol=2e-6)


@pytest.mark.parametrize("coupled", [True, False])
def test_a_mixture_sums_to_1(coupled):
    mixture = LogisticMixture(2, levels=8, coupled=coupled)
    numbers = COLOURS if coupled else np.random.default_rng(0).normal(size=18)
    colours = np.array(list(itertools.product(range(8), repeat=3))) / 7
    assert np.exp(log_p(mixture, numbers, colours).astype("float64")).sum() == pytest.approx(
        1, abs=2e-6
    )


def test_a_mixture_of_one_far_and_narrow_is_finite():
    mixture = LogisticMixture(1)
    for mean, log_scale in itertools.product((-50.0, 0.0, 50.0), (-90.0, 0.0, 90.0)):
        found = log_p(mixture, [3.0, mean, log_scale], np.array([[0.0], [0.5], [1.0]]))
        assert np.isfinite(found).all()


def draws_of(distribution, numbers, num, before=(), temperature=1.0, color=0):
    """Levels drawn of a grid of as many numbers in (0, 1), squared where two are taken."""
    u = (np.arange(num) + 0.5) / num
    if distribution.uniforms == 2:
        u = np.stack(np.meshgrid(u, u), axis=-1).reshape(-1, 2)
    u = ops.convert_to_tensor(u.reshape(len(u), 1, 1, -1), "float32")
    temperature = np.float32(temperature)
    given = distribution.prepare(u, -ops.ones_like(u[..., :1]), temperature)
    outputs = ops.reshape(outputs_of(numbers, len(u)), (len(u), -1))
    if not distribution.coupled:
        outputs = outputs[:, color :: len(numbers) // distribution.parameters]
    before = [ops.full((len(u), 1), value) for value in before]
    drawn = distribution.draw(outputs, before, temperature, *(t[:, 0, 0] for t in given))
    levels = np.rint(ops.convert_to_numpy(drawn)[:, 0] * (distribution.levels - 1)).astype(int)
    return np.bincount(levels, minlength=distribution.levels) / len(u)


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("distribution", "numbers"),
    [
        (Bernoulli(), [0.4]),
        (Categorical(5), [0.1, -1.0, 0.7, 0.0, 0.3]),
        (LogisticMixture(3, levels=5), [0.1, -0.3, 0.5, -0.8, 0.1, 0.6, -1.0, -2.0, -0.5]),
    ],
)
def test_what_is_drawn_has_the_probabilities(distribution, numbers):
    levels = np.arange(distribution.levels)[:, None] / (distribution.levels - 1)
    p = np.exp(log_p(distribution, numbers, levels))
    np.testing.assert_allclose(draws_of(distribution, numbers, 400), p, atol=0.004)


@pytest.mark.each_backend
def test_a_colour_is_drawn_given_those_before():
    """p(green | red) and p(blue | red, green), of the joint probabilities of 512 colours."""
    mixture = LogisticMixture(2, levels=8, coupled=True)
    colours = np.array(list(itertools.product(range(8), repeat=3))) / 7
    joint = np.exp(log_p(mixture, COLOURS, colours).astype("float64")).reshape(8, 8, 8)
    np.testing.assert_allclose(draws_of(mixture, COLOURS, 300), joint.sum((1, 2)), atol=0.005)
    for red, green in ((1, 5), (6, 0)):
        x = [2 * red / 7 - 1, 2 * green / 7 - 1]
        of_red = joint[red].sum(axis=1)
        found = draws_of(mixture, COLOURS, 300, x[:1])
        np.testing.assert_allclose(found, of_red / of_red.sum(), atol=0.005)
        found = draws_of(mixture, COLOURS, 300, x)
        np.testing.assert_allclose(found, joint[red, green] / joint[red, green].sum(), atol=0.005)


@pytest.mark.parametrize("coupled", [True, False])
def test_a_low_temperature_leaves_the_likeliest_component_s_mean(coupled):
    mixture = LogisticMixture(2, levels=256, coupled=coupled)
    numbers = [0.3, -0.2, 0.1, -0.3, -2.0, -1.5]
    found = draws_of(mixture, numbers, 50, temperature=1e-3)
    assert found[np.rint(255 * 0.55).astype(int)] > 0.99


@pytest.mark.parametrize("coupled", [True, False])
def test_the_outputs_for_a_mean_image(coupled):
    mean = np.random.default_rng(0).random((2, 3, 3))
    for distribution in (LogisticMixture(4, coupled=coupled), Categorical(16)):
        outputs = distribution.output_for(mean)
        assert outputs.shape == (2, 3, distribution.num_outputs(3))
        found = distribution.mean(ops.convert_to_tensor(outputs[None], "float32"))
        np.testing.assert_allclose(ops.convert_to_numpy(found)[0], mean, atol=2e-3)


def test_they_are_saved():
    plain = Bernoulli(), Normal(), DiscretizedLogistic(), FixedNormal(0.2)
    for distribution in (LogisticMixture(3, 16, coupled=True), Categorical(7), *plain):
        config = keras.saving.serialize_keras_object(distribution)
        again = keras.saving.deserialize_keras_object(config)
        assert type(again) is type(distribution)
        assert again.get_config() == distribution.get_config()


def test_bits_are_not_reported_of_two_levels():
    assert not Categorical(2).has_bits_per_dim and Categorical(3).has_bits_per_dim


def test_two_levels_are_drawn_whatever_the_distribution():
    noise = StepNoise(keras.random.SeedGenerator(0).next())
    for distribution in (Bernoulli(), Categorical(2)):
        found = ops.convert_to_numpy(distribution.observe(ops.full((40, 5, 5, 1), 0.3), noise))
        assert set(np.unique(found)) == {0, 1} and found.mean() == pytest.approx(0.3, abs=0.05)
    found = Categorical(3).observe(ops.full((1, 1, 1, 1), 0.3), noise)
    assert float(ops.squeeze(found)) == 0.5
