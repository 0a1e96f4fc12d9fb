"""docs/your_own_model.md: its sessions run, and its models are right."""

import doctest
import sys

import keras
import numpy as np
import pytest
from keras import ops

from kgen.noise import SeededNoise
from kgen.seeds import seed_words, seeds_of
from tests import own_models


@pytest.mark.full
@pytest.mark.one_backend
def test_the_sessions_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "my_models", own_models)
    parser, examples = doctest.DocTestParser(), []
    for before, source in own_models.blocks():
        if own_models.is_session(source):
            for example in parser.get_examples(source):
                example.lineno += before
                examples.append(example)
    page = own_models.PAGE
    test = doctest.DocTest(examples, {}, page.name, str(page), 0, page.read_text())
    result = doctest.DocTestRunner().run(test)
    assert result.failed == 0 < result.attempted


def test_the_models_are_short():
    sources = [source for _, source in own_models.blocks() if not own_models.is_session(source)]
    lengths = {
        name: sum(len(list(filter(str.strip, s.splitlines()))) for s in sources if any_of(names, s))
        for name, names in {
            "autoencoder": ("class AdversarialAutoencoder",),
            "diffusion": ("class TimeCode", "class Diffusion", "def _at"),
        }.items()
    }
    assert all(0 < length <= 80 for length in lengths.values()), lengths


def any_of(names, source):
    return any(name in source for name in names)


@keras.saving.register_keras_serializable("tests")
class ExactNoise(keras.layers.Layer):
    """The mean of the noise in x_t where pixels are N(0, s^2), each by itself.

    eps = sqrt(1 - ab) x_t / (ab s^2 + 1 - ab)
    """

    def __init__(self, alpha_bar, s, **kwargs):
        super().__init__(**kwargs)
        alpha_bar = np.asarray(alpha_bar)
        self.factors = np.sqrt(1.0 - alpha_bar) / (alpha_bar * s**2 + 1.0 - alpha_bar)

    def call(self, x, time):
        t = ops.cast(ops.round(time * len(self.factors)), "int32")
        return own_models._at(self.factors, t) * x


def test_the_diffusion_model_samples_what_its_noise_is_of():
    """With the exact noise of Gaussian data the sampler is a linear recursion of their variance."""
    s, shape, timesteps = 0.1, (4, 4, 1), 50  # nothing reaches the clipping at 1
    model = own_models.Diffusion(shape, timesteps=timesteps, units=1)
    x, time = keras.Input(shape), keras.Input(())
    exact = keras.Model([x, time], ExactNoise(model.alpha_bar, s)(x, time))
    model.average.network = exact

    u = np.arange(timesteps + 1) / timesteps
    f = np.cos((u + 0.008) / 1.008 * np.pi / 2.0) ** 2
    alpha = np.maximum(f[1:] / f[:-1], 0.001)
    ab = np.cumprod(alpha)
    variance = variance_of_samples(ab, alpha, s)

    samples = 2.0 * model.sample(2048, seed=0, batch_size=2048) - 1.0
    assert abs(samples.mean()) < 4.0 * s / np.sqrt(samples.size)
    # The standard error of the variance is a factor of sqrt(2 / num).
    np.testing.assert_allclose(
        samples.var(), variance, rtol=4.0 * np.sqrt(2.0 / samples.size), atol=0
    )
    assert abs(np.corrcoef(samples.reshape(-1, 16)[:, :2].T)[0, 1]) < 0.1


def variance_of_samples(ab, alpha, s):
    """Of x_0 from N(0, 1) at the last step (Ho et al. 2020, eq. 6 and 7)."""
    variance, before = 1.0, np.append(1.0, ab[:-1])
    for t in reversed(range(len(ab))):
        of_x_0 = np.sqrt(before[t]) * (1.0 - alpha[t]) / (1.0 - ab[t])
        of_x_t = np.sqrt(alpha[t]) * (1.0 - before[t]) / (1.0 - ab[t])
        x_0 = np.sqrt(ab[t]) * s**2 / (ab[t] * s**2 + 1.0 - ab[t])
        variance = (of_x_0 * x_0 + of_x_t) ** 2 * variance
        variance += (1.0 - alpha[t]) * (1.0 - before[t]) / (1.0 - ab[t])
    return variance


def test_the_oracle_of_the_sampler():
    """The reference: linear beta, 1000 steps, the smaller variance."""
    alpha = 1.0 - np.linspace(1e-4, 0.02, 1000)
    ab = np.cumprod(alpha)
    assert variance_of_samples(ab, alpha, 0.5) == pytest.approx(0.2461252114, abs=1e-9)
    assert variance_of_samples(ab, alpha, 1.0) == pytest.approx(0.9910673764, abs=1e-9)


def test_the_schedule_of_the_diffusion_model():
    """Nichol & Dhariwal 2021: T = 1000, to the digit."""
    model = own_models.Diffusion((2, 2, 1), timesteps=1000, units=1)
    found = model.alpha_bar[[0, 250, 500, 750, 998, 999]]
    expected = [
        0.9999587158,
        0.8458879865,
        0.4922851724,
        0.1431786464,
        2.428766907e-06,
        2.428766907e-09,
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert model.of_x_0[0] == pytest.approx(1.0) and model.of_x_t[0] == model.sigma[0] == 0.0


def test_the_loss_of_the_diffusion_model_by_hand():
    """A network that says 0 leaves the noise itself: E eps^2 = 1."""
    model = own_models.Diffusion((8, 8, 1), timesteps=10, units=1)
    for variable in model.network.trainable_variables:
        variable.assign(0.0 * variable)
    noise = SeededNoise(ops.convert_to_tensor(seed_words(seeds_of(0, 64))))
    x = ops.full((64, 8, 8, 1), 0.25)
    loss = float(ops.convert_to_numpy(model.simple_loss(model.network, x, None, noise)))
    again = SeededNoise(ops.convert_to_tensor(seed_words(seeds_of(0, 64))))
    again.integers((64,), 0, 10)
    eps = ops.convert_to_numpy(again.normal((64, 8, 8, 1)))
    assert loss == pytest.approx(np.mean(eps**2), rel=1e-5)


def test_the_games_losses_by_hand():
    real, fake = np.array([[2.5], [0.5], [-1.0], [0.0]]), np.array([[-3.0], [-0.5], [1.0], [0.0]])
    expected = [0.0, 3.0, 6.0, 4.0]
    found = own_models.Hinge(2.0).adversary_loss(real, fake)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected)
    found = own_models.judge_by_hinge(real, fake)
    np.testing.assert_allclose(ops.convert_to_numpy(found), [0.0, 1.0, 4.0, 2.0])
    found = own_models.please_the_judge(real, fake)
    np.testing.assert_allclose(ops.convert_to_numpy(found), [3.0, 0.5, -1.0, 0.0])


def test_the_autoencoders_encoder_has_two_players():
    model = own_models.AdversarialAutoencoder((8, 8, 1), 3, units=4, width=4, seed=0)
    model.compile()
    encoder = {id(v) for v in model.encoder.trainable_variables}
    moved = {p: {id(v) for v in vs} for p, vs in model.optimizer.player_variables.items()}
    assert moved["generator"] == encoder < moved["autoencoder"]
    assert not encoder & moved["discriminator"]
