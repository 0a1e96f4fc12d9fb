"""The importance-weighted objectives of the VAE: bounds and gradients in closed form."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, posteriors
from kgen.distributions import FixedNormal
from tests.contract import EAGER
from tests.models.test_vae import all_binary_images
from tests.posteriors.test_posteriors import Given
from tests.tiers import in_tiers

# p(z) = N(0, 1), p(x|z) = N(z, 1), x = 1, q(z|x) = N(0, 1).
BOUNDS = {1: -1.918938533, 2: -1.653473787, 3: -1.594066624}


def line(mean=0.0, variance=1.0, **kwargs):
    """A VAE of one pixel, whose decoder gives z itself and whose encoder is a constant."""
    x, z = keras.Input((1, 1, 1)), keras.Input((1,))
    encoder = keras.layers.Dense(2, kernel_initializer="zeros", name="parameters")
    decoder = keras.layers.Dense(1, kernel_initializer="ones", name="pixel")
    vae = kgen.VAE(
        (1, 1, 1),
        1,
        encoder=keras.Model(x, encoder(keras.layers.Flatten()(x))),
        decoder=keras.Model(z, keras.layers.Reshape((1, 1, 1))(decoder(z))),
        likelihood=FixedNormal(std=1.0),
        **kwargs,
    )
    encoder.bias.assign([mean, np.log(variance)])
    return vae


def losses(vae, eps, monkeypatch):
    """-log 1/k sum w of x = 1 for each row of eps, (num, k)."""
    logged = {}
    monkeypatch.setattr(vae, "log", lambda **values: logged.update(values))
    x = ops.ones((len(eps), 1, 1, 1))
    vae.negative_iwae(x, None, Given(eps[..., None]))
    return ops.convert_to_numpy(logged["loss"])


@pytest.mark.one_backend
@pytest.mark.parametrize("k", list(BOUNDS))
def test_the_bound_of_k_samples(k, monkeypatch):
    """By quadrature over all k samples."""
    nodes, weights = np.polynomial.hermite.hermgauss(40)
    grid = np.stack(np.meshgrid(*[nodes] * k, indexing="ij"), axis=-1).reshape(-1, k)
    weight = np.prod(np.stack(np.meshgrid(*[weights] * k, indexing="ij"), axis=-1), axis=-1)
    vae = line(objective="iwae", num_samples=k)
    found = losses(vae, np.sqrt(2.0) * grid, monkeypatch)
    bound = -np.sum(found * weight.ravel()) / np.pi ** (k / 2)
    assert bound == pytest.approx(BOUNDS[k], abs=2e-6)


@pytest.mark.one_backend
def test_with_the_posterior_the_bound_is_the_likelihood(monkeypatch):
    vae = line(0.5, 0.5, objective="iwae", num_samples=2)
    eps = np.random.default_rng(0).standard_normal((5, 2))
    np.testing.assert_allclose(losses(vae, eps, monkeypatch), 1.515512123, atol=1e-6)


def gradients(vae, of, eps):
    """Of what encoder and decoder minimise, the gradients of their weights, as lists."""
    vae.compile()
    x, noise = ops.ones((len(eps), 1, 1, 1)), Given(eps[..., None])
    groups = [vae.encoder.trainable_variables, vae.decoder.trainable_variables]
    if of == "dreg":
        found = backend.values_and_grads(
            lambda: vae.doubly_reparameterized(x, None, noise), groups, [None, None]
        )[1]
    else:
        found = backend.values_and_grads(
            lambda: [vae.negative_iwae(x, None, noise)] * 2, groups, [None, None]
        )[1]
    return [[ops.convert_to_numpy(each) for each in group] for group in found]


@pytest.mark.one_backend
def test_with_the_posterior_the_encoder_has_no_gradient_of_any_sample():
    vae = line(0.5, 0.5, objective="dreg", num_samples=3)
    for row in np.random.default_rng(0).standard_normal((3, 1, 3)):
        of_encoder, of_decoder = gradients(vae, "dreg", row)
        assert max(np.abs(each).max() for each in of_encoder) < 2e-6
        assert max(np.abs(each).max() for each in of_decoder) > 0.01
        plain, same = gradients(vae, "iwae", row)
        assert max(np.abs(each).max() for each in plain) > 0.01
        for one, other in zip(of_decoder, same, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("k", "beta"),
    in_tiers([(1, 1.0), (4, 1.0), (4, 0.5), (4, 2.0)], quick=[(4, 0.5)], on_each=()),
)
def test_both_gradients_of_the_encoder_have_one_mean(k, beta):
    vae = line(-0.2, 0.7, objective="dreg", num_samples=k, beta=beta)
    eps = np.random.default_rng(0).standard_normal((25, 4000, k))
    bias = {of: [gradients(vae, of, rows)[0][1] for rows in eps] for of in ("dreg", "iwae")}
    error = sum(np.var(each, axis=0) / len(each) for each in bias.values())
    apart = np.mean(bias["dreg"], axis=0) - np.mean(bias["iwae"], axis=0)
    assert (np.abs(apart) < 4.0 * np.sqrt(error)).all(), (apart, error)
    assert np.abs(np.mean(bias["dreg"], axis=0)).max() > 0.05
    if beta == 1.0:
        assert (np.var(bias["dreg"], axis=0) < np.var(bias["iwae"], axis=0)).all()


@pytest.mark.one_backend
def test_what_is_logged_is_the_bound(monkeypatch):
    """And not the surrogates that encoder and decoder minimise."""
    vae = line(0.1, 0.8, objective="dreg", num_samples=3)
    eps = np.random.default_rng(0).standard_normal((5, 3))
    expected = losses(vae, eps, monkeypatch)
    logged = {}
    monkeypatch.setattr(vae, "log", lambda **values: logged.update(values))
    vae.doubly_reparameterized(ops.ones((5, 1, 1, 1)), None, Given(eps[..., None]))
    np.testing.assert_allclose(ops.convert_to_numpy(logged["loss"]), expected, rtol=1e-6)
    z = 0.1 + np.sqrt(0.8) * eps
    nll = 0.5 * (1.0 - z) ** 2 + 0.5 * np.log(2.0 * np.pi)
    found = ops.convert_to_numpy(logged["reconstruction_loss"])
    np.testing.assert_allclose(found, nll.mean(axis=1), rtol=1e-5)


def test_more_samples_of_the_elbo_are_its_mean(monkeypatch):
    vae = line(0.1, 0.8, num_samples=4)
    logged = {}
    monkeypatch.setattr(vae, "log", lambda **values: logged.update(values))
    eps = np.random.default_rng(0).standard_normal((5, 4))
    vae.negative_elbo(ops.ones((5, 1, 1, 1)), None, Given(eps[..., None]))
    z = 0.1 + np.sqrt(0.8) * eps
    nll = 0.5 * (1.0 - z) ** 2 + 0.5 * np.log(2.0 * np.pi)
    kl = 0.5 * (0.01 + 0.8 - 1.0 - np.log(0.8))
    np.testing.assert_allclose(
        ops.convert_to_numpy(logged["loss"]), nll.mean(axis=1) + kl, rtol=1e-5
    )


FAMILIES = {"full": "full", "iaf": posteriors.IAF(steps=2, units=(6,), context=3)}


@pytest.mark.one_backend
@pytest.mark.parametrize("name", list(FAMILIES))
def test_whatever_the_posterior_probabilities_sum_to_1(name):
    """Log p(x) of all images of 2x2 by importance sampling and on a grid of two latents."""
    vae = kgen.VAE((2, 2, 1), 2, width=4, depth=1, posterior_family=FAMILIES[name], seed=0)
    rng = np.random.default_rng(5)
    for network in filter(None, (vae.encoder, vae.posterior_network, vae.decoder)):
        scale = 0.8 if network is vae.decoder else 0.15  # that z ~ q covers p(z|x)
        for variable in network.trainable_variables:
            variable.assign(scale * rng.standard_normal(variable.shape))
    x = all_binary_images()
    estimate = vae.log_likelihood(x, num_samples=2000, seed=0)
    side = np.linspace(-6.0, 6.0, 121, dtype="float32")
    z = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = ops.convert_to_numpy(vae.decoder(z)).reshape(-1, 4).astype("float64")
    log_joint = -0.5 * np.sum(z**2, axis=1) - np.log(2.0 * np.pi)
    log_joint = log_joint - np.sum(np.logaddexp(0.0, logits), axis=1) + x.reshape(16, 4) @ logits.T
    log_p = np.logaddexp.reduce(log_joint, axis=1) + 2.0 * np.log(0.1)
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(estimate, log_p, atol=0.1)
    assert np.exp(estimate).sum() == pytest.approx(1.0, abs=0.02)
    elbo = vae.elbo(x, num_samples=200, seed=1)
    assert (elbo < log_p + 0.05).all() and elbo.mean() < log_p.mean() - 0.01


@pytest.mark.parametrize("objective", ["iwae", "dreg"])
def test_it_learns(objective, digits):
    vae = kgen.VAE((8, 8, 1), 4, width=32, objective=objective, num_samples=5, seed=0)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=EAGER)
    vae.fit(digits[0], epochs=1, verbose=0)
    before = vae.log_likelihood(digits[0], num_samples=20, seed=0).mean()
    history = vae.fit(digits[0], epochs=20, verbose=0).history
    after = vae.log_likelihood(digits[0], num_samples=20, seed=0).mean()
    assert after > before + 5.0
    assert history["loss"][-1] < history["reconstruction_loss"][-1] + history["kl_loss"][-1]
    logs = vae.evaluate(digits[0], verbose=0, return_dict=True)
    figures = vae.figures(logs)
    assert figures["iwae_bound"] == -logs["loss"] and figures["elbo"] < figures["iwae_bound"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"objective": "vimco"}, r"'elbo', 'iwae', 'dreg'.*Received: objective='vimco'"),
        ({"objective": "dreg", "posterior_family": "iaf"}, "'normal' or 'full'.*Received: IAF"),
        ({"objective": "iwae", "free_bits": 0.1}, "free_bits=None but for objective='elbo'"),
        ({"num_samples": 0}, "num_samples"),
        ({"posterior_family": "cauchy"}, "'normal', 'full', 'iaf'"),
        (
            {"posterior_family": "full", "encoder": kgen.networks.dense_encoder((8, 8, 1), 4)},
            r"\(batch, 5\), means, logarithms of L's diagonal",
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        kgen.VAE((8, 8, 1), 2, **kwargs)


def test_a_family_without_a_variance_says_so():
    vae = kgen.VAE((4, 4, 1), 2, width=4, depth=1, posterior_family="iaf")
    with pytest.raises(ValueError, match="mean and variance.*IAF; encode"):
        vae.posterior(np.zeros((1, 4, 4, 1)))
    assert "posterior" not in vae.signatures()
