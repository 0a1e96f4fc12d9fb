"""The ladder VAE: merged normals, divergences by level, and likelihoods by quadrature."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

import kgen
from kgen import losses
from kgen.distributions import FixedNormal
from tests.contract import EAGER
from tests.models.test_vae import all_binary_images


class GivenByLevel:
    """Noise whose normal numbers are known, from the top level down."""

    def __init__(self, *eps):
        self.eps = [ops.convert_to_tensor(each, "float32") for each in eps]

    def normal(self, shape):
        return self.eps.pop(0)


def ladder(latent_dims=(2, 1), units=(5, 4), shape=(2, 2, 1), scale=0.5, **kwargs):
    """A small ladder whose weights do something, the same on every backend."""
    model = kgen.LadderVAE(shape, latent_dims, units, seed=0, **kwargs)
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        start = 1.0 if variable.name == "gamma" else 0.0
        variable.assign(start + scale * rng.standard_normal(variable.shape))
    for variable in model.non_trainable_variables:
        if variable.name.startswith("moving"):
            variable.assign(0.5 + rng.random(variable.shape))
    return model


def network(model, *inputs):
    """What a network gives, as float64."""
    return ops.convert_to_numpy(model(*inputs, training=False)).astype("float64")


def logs_of(model, x, eps, monkeypatch, training=False):
    logged = {}
    monkeypatch.setattr(model, "log", lambda **values: logged.update(values))
    model.negative_elbo(ops.convert_to_tensor(x), None, GivenByLevel(*eps), training=training)
    return {name: ops.convert_to_numpy(value) for name, value in logged.items()}


@pytest.mark.one_backend
def test_two_normals_are_merged_by_precision():
    given = [np.array([value], "float32") for value in (1.0, np.log(0.5), 0.0, 0.0)]
    mean, log_var = losses.merge_normals(*map(ops.convert_to_tensor, given))
    assert float(mean[0]) == pytest.approx(2 / 3, rel=1e-6)
    assert np.exp(float(log_var[0])) == pytest.approx(1 / 3, rel=1e-6)
    mean, log_var, *other = (
        np.random.default_rng(i).standard_normal((3, 4)).astype("float32") for i in range(4)
    )
    found = losses.merge_normals(*map(ops.convert_to_tensor, (mean, log_var, *other)))
    swapped = losses.merge_normals(*map(ops.convert_to_tensor, (*other, mean, log_var)))
    z = np.linspace(-3.0, 3.0, 12).reshape(3, 4)
    product = stats.norm.logpdf(z, mean, np.exp(0.5 * log_var))
    product += stats.norm.logpdf(z, other[0], np.exp(0.5 * other[1]))
    for merged_mean, merged_log_var in (found, swapped):
        merged = [ops.convert_to_numpy(each) for each in (merged_mean, merged_log_var)]
        density = stats.norm.logpdf(z, merged[0], np.exp(0.5 * merged[1]))
        at_0 = stats.norm.logpdf(0.0, merged[0], np.exp(0.5 * merged[1]))
        of_0 = stats.norm.logpdf(0.0, mean, np.exp(0.5 * log_var))
        of_0 += stats.norm.logpdf(0.0, other[0], np.exp(0.5 * other[1]))
        np.testing.assert_allclose(density - at_0, product - of_0, rtol=1e-4, atol=1e-4)


@pytest.mark.one_backend
def test_merging_far_variances_does_not_overflow():
    given = [np.array([value], "float32") for value in (1.0, -90.0, -1.0, 90.0)]
    mean, log_var = losses.merge_normals(*map(ops.convert_to_tensor, given))
    assert (float(mean[0]), float(log_var[0])) == (1.0, -90.0)


@pytest.mark.one_backend
def test_with_one_level_it_is_a_vae(monkeypatch):
    """Of the same two networks: loss, its terms, codes and importance weights."""
    model = ladder((2,), (5,), likelihood=FixedNormal(std=0.5), beta=1.5)
    nets = {"encoder": model.encoder, "decoder": model.decoder}
    vae = kgen.VAE((2, 2, 1), 2, likelihood=FixedNormal(std=0.5), beta=1.5, **nets)
    x = np.random.default_rng(0).random((4, 2, 2, 1)).astype("float32")
    eps = np.random.default_rng(1).standard_normal((4, 1, 2))
    logs = logs_of(model, x, [eps], monkeypatch)
    logged = {}
    monkeypatch.setattr(vae, "log", lambda **values: logged.update(values))
    vae.negative_elbo(ops.convert_to_tensor(x), None, GivenByLevel(eps), training=False)
    for name, value in logged.items():
        np.testing.assert_allclose(logs[name], ops.convert_to_numpy(value), rtol=1e-5)
    np.testing.assert_allclose(logs["level_1_kl_loss"], logs["kl_loss"], rtol=1e-6)
    np.testing.assert_allclose(model.encode(x), vae.encode(x), atol=1e-6)
    np.testing.assert_allclose(model.sample(5, seed=1), vae.sample(5, seed=1), atol=1e-6)
    found, expected = (each.log_likelihood(x, num_samples=7, seed=2) for each in (model, vae))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    mean, log_var = np.split(network(model.encoder, x), 2, axis=1)
    z = mean + np.exp(0.5 * log_var) * eps[:, 0]
    pixels = network(model.decoder, z.astype("float32"))
    nll = -stats.norm.logpdf(x, pixels, 0.5).sum(axis=(1, 2, 3))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1.0 - log_var).sum(axis=1)
    np.testing.assert_allclose(logs["loss"], nll + 1.5 * kl, rtol=1e-5)


@pytest.mark.one_backend
def test_divergences_of_each_level_by_hand(monkeypatch):
    model = ladder((3, 2, 1), (6, 5, 4), likelihood=FixedNormal(std=0.5))
    x = np.random.default_rng(0).random((4, 2, 2, 1)).astype("float32")
    eps = [np.random.default_rng(i).standard_normal((4, 1, i)) for i in (1, 2, 3)]
    logs = logs_of(model, x, eps, monkeypatch)
    said = np.split(network(model.encoder, x), [6, 10], axis=1)
    means, variances, kls = {}, {}, {}
    p_mean, p_var = np.zeros((4, 1)), np.ones((4, 1))
    for level in (3, 2, 1):
        mean, log_var = np.split(said[level - 1], 2, axis=1)
        variances[level] = np.exp(log_var)
        means[level] = mean
        if level < 3:
            precision = np.exp(-log_var) + 1.0 / p_var
            means[level] = (mean * np.exp(-log_var) + p_mean / p_var) / precision
            variances[level] = 1.0 / precision
        ratio = variances[level] / p_var
        away = (means[level] - p_mean) ** 2 / p_var
        kls[level] = 0.5 * (ratio + away - 1.0 - np.log(ratio)).sum(axis=1)
        z = means[level] + np.sqrt(variances[level]) * eps[3 - level][:, 0]
        if level > 1:
            outputs = network(model.steps_down[level - 2], z.astype("float32"))
            p_mean, p_log_var = np.split(outputs, 2, axis=1)
            p_var = np.exp(p_log_var)
    for level, kl in kls.items():
        np.testing.assert_allclose(logs[f"level_{level}_kl_loss"], kl, rtol=1e-4, atol=1e-5)
    pixels = network(model.decoder, z.astype("float32"))
    nll = -stats.norm.logpdf(x, pixels, 0.5).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(logs["loss"], nll + sum(kls.values()), rtol=1e-4)
    below = [max(0.5 - kl.mean(), 0.0) for kl in kls.values()]
    assert min(below) == 0.0 < max(below)
    free = ladder((3, 2, 1), (6, 5, 4), likelihood=FixedNormal(std=0.5), free_bits=0.5, beta=2.0)
    found = logs_of(free, x, eps, monkeypatch)["loss"]
    expected = nll + 2.0 * (sum(kls.values()) + sum(below))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.one_backend
def test_likelihoods_agree_with_quadrature():
    """Log p(x) of all images of 2x2, of two levels of one and two latents on a grid."""
    model = ladder((2, 1), (5, 4))
    for variable in model.encoder.trainable_variables:  # that z ~ q covers p(z|x)
        if variable.name == "bias":
            variable.assign(np.repeat([0.3, 1.2], variable.shape[0] // 2))
    for variable in model.steps_down[0].trainable_variables:
        variable.assign(1.3 * variable)
    x = all_binary_images()
    side = np.linspace(-12.0, 12.0, 121)
    z_1 = np.array(list(itertools.product(side, side)))
    step = side[1] - side[0]
    p_mean, p_log_var = np.split(
        network(model.steps_down[0], side[:, None].astype("float32")), 2, axis=1
    )
    density = stats.norm.logpdf(z_1[:, None], p_mean, np.exp(0.5 * p_log_var)).sum(axis=-1)
    log_prior = np.logaddexp.reduce(density + stats.norm.logpdf(side), axis=1) + np.log(step)
    assert np.exp(log_prior).sum() * step**2 == pytest.approx(1.0, abs=2e-3)
    logits = network(model.decoder, z_1.astype("float32")).reshape(-1, 4)
    log_joint = log_prior - np.logaddexp(0.0, logits).sum(axis=1)
    log_joint = log_joint + x.reshape(16, 4) @ logits.T
    log_p = np.logaddexp.reduce(log_joint, axis=1) + 2.0 * np.log(step)
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=2e-3)
    estimate = model.log_likelihood(x, num_samples=3000, seed=0)
    np.testing.assert_allclose(estimate, log_p, atol=0.1)
    assert np.exp(estimate).sum() == pytest.approx(1.0, abs=0.02)
    elbo = model.elbo(x, num_samples=200, seed=1)
    assert (elbo < log_p + 0.05).all() and elbo.mean() < log_p.mean() - 0.01
    drawn = model.split(model.draw_latents(4000, seed=0))
    assert [each.shape for each in drawn] == [(4000, 2), (4000, 1)]
    assert np.abs(drawn[1].mean()) < 0.06 and drawn[1].std() == pytest.approx(1.0, abs=0.05)
    weights = np.exp(log_prior) * step**2
    np.testing.assert_allclose(drawn[0].mean(axis=0), weights @ z_1, atol=0.1)
    np.testing.assert_allclose(np.mean(drawn[0] ** 2, axis=0), weights @ z_1**2, rtol=0.1)


@pytest.mark.one_backend
def test_samples_at_a_time_are_as_many_as_the_codes_of_all_levels_let_fit(monkeypatch):
    """Images of 4 numbers, codes of 3,000, of which a pass holds six times as many."""
    model, passes = ladder((2000, 1000), (2, 2)), []

    def run(function, rows, labels, *, k, **kwargs):
        passes.append(k)
        return np.zeros((len(rows["image"]), k))

    monkeypatch.setattr(model, "run", run)
    model.log_likelihood(np.zeros((1, 2, 2, 1)), num_samples=5, seed=0)
    assert passes == [2, 2, 2]
    assert 100 * passes[0] * 4 * 6 * 3000 <= 2**24 < 100 * (passes[0] + 1) * 4 * 6 * 3000


def test_what_is_kept_from_a_level_up():
    model = ladder((3, 2, 1), (6, 5, 4), scale=1.0)
    x = np.repeat(np.random.default_rng(0).random((2, 2, 2, 1)), 200, axis=0).round()
    images = {level: model.resample(x, level=level, seed=0) for level in (1, 2, 3)}
    away = [np.abs(each[:200].mean(0) - each[200:].mean(0)).max() for each in images.values()]
    assert away[0] > away[2] + 0.01
    alone = model.resample(x[:3], level=2, seed=0)
    np.testing.assert_allclose(alone, images[2][:3], atol=1e-6)
    code = model.encode(x[:2])
    np.testing.assert_allclose(model.decode(code), model.reconstruct(x[:2]), atol=1e-6)
    changed = code.copy()
    changed[:, 3:] += 1.0
    np.testing.assert_allclose(model.decode(changed), model.decode(code), atol=1e-6)
    np.testing.assert_array_equal(np.concatenate(model.split(code), axis=1), code)
    top = np.split(network(model.encoder, x[:2]), [6, 10], axis=1)[2][:, :1]
    np.testing.assert_allclose(model.split(code)[2], top, atol=1e-5)
    with pytest.raises(ValueError, match="level as a whole number in 1..3. Received: level=4"):
        model.resample(x, level=4)


@pytest.mark.full
def test_it_learns(digits):
    model = kgen.LadderVAE((8, 8, 1), (4, 2), (32, 16), seed=0)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=EAGER)
    model.adapt(digits[0])
    before = model.log_likelihood(digits[0], num_samples=20, seed=0).mean()
    history = model.fit(digits[0], epochs=40, batch_size=16, verbose=0).history
    after = model.log_likelihood(digits[0], num_samples=20, seed=0).mean()
    assert after > before + 1.0
    levels = history["level_1_kl_loss"][-1] + history["level_2_kl_loss"][-1]
    assert levels == pytest.approx(history["kl_loss"][-1], rel=1e-4)
    logs = model.evaluate(digits[0], verbose=0, return_dict=True)
    assert model.figures(logs)["elbo"] == -(logs["reconstruction_loss"] + logs["kl_loss"])


def test_latents_know_the_condition():
    model = ladder(num_classes=3, scale=1.0)
    z = [model.draw_latents(5, label, seed=0) for label in range(3)]
    assert np.abs(z[0][:, :2] - z[2][:, :2]).max() > 0.1  # the bottom's, in the same place above
    np.testing.assert_array_equal(z[0][:, 2:], z[2][:, 2:])
    for label in range(3):
        images = model.sample(5, label, seed=0)
        np.testing.assert_allclose(model.decode(z[label], label), images, atol=1e-6)
    with pytest.raises(ValueError, match="Expected labels"):
        model.draw_latents(5, seed=0)


def test_a_warm_up_follows_the_steps():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    model = kgen.LadderVAE((4, 4, 1), (2, 1), (4, 3), beta=schedule, seed=0)
    model.compile(run_eagerly=EAGER)
    x = np.random.default_rng(0).random((8, 4, 4, 1))
    history = model.fit(x, batch_size=8, epochs=6, verbose=0).history
    weighed = np.subtract(history["loss"], history["reconstruction_loss"])
    expected = np.minimum(np.arange(6) / 4, 1.0) * history["kl_loss"]
    np.testing.assert_allclose(weighed, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"latent_dims": (4, 4), "units": (8, 8)}, r"fewer.*latent_dims=\(4, 4\)"),
        ({"latent_dims": (2, 4), "units": (8, 8)}, r"fewer.*latent_dims=\(2, 4\)"),
        ({"latent_dims": (4, 2)}, r"units for each.*units=\(512, 256, 128, 64, 32\)"),
        ({"latent_dims": (), "units": ()}, "one level or more"),
        ({"latent_dims": 4}, "latent_dims as a tuple"),
        ({"units": (8, 0)}, "units as a tuple"),
        ({"beta": -1.0}, "beta"),
        ({"likelihood": "gamma"}, "gamma"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        kgen.LadderVAE((4, 4, 1), **kwargs)
