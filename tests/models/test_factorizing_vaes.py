"""The beta-TC-VAE and FactorVAE: total correlations in closed form, losses by hand."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

import kgen
from kgen import losses
from kgen.distributions import FixedNormal
from kgen.models.autoencoders.factor_vae import odd_rows, permuted
from kgen.noise import StepNoise
from tests.posteriors.test_posteriors import Given


def five():
    """Means, deviations and one sample each of five codes of three latents."""
    rng = np.random.RandomState(1)
    mean = rng.randn(5, 3)
    deviation = np.exp(0.3 * rng.randn(5, 3))
    return mean, deviation, mean + deviation * rng.randn(5, 3)


def log_q_by_latent():
    mean, deviation, z = five()
    return stats.norm(mean, deviation).logpdf(z[:, None]).astype("float32")


def numbers(*tensors):
    return [ops.convert_to_numpy(each) for each in tensors]


@pytest.mark.one_backend
def test_the_total_correlation_of_five_codes():
    terms = ops.convert_to_tensor(log_q_by_latent())
    alike = losses.aggregate_log_weights(5)
    log_q, tc = numbers(*losses.total_correlation(terms, alike))
    by_hand = np.log(np.exp(log_q_by_latent().sum(axis=-1)).mean(axis=1))
    assert tc.mean() == pytest.approx(0.3666612838, abs=2e-6)
    np.testing.assert_allclose(log_q, by_hand, rtol=1e-5)
    weighted = np.full((5, 5), -np.log(5 * 5), "float32")  # the paper's constants
    _, tc = numbers(*losses.total_correlation(terms, ops.convert_to_tensor(weighted)))
    assert tc.mean() == pytest.approx(3.585537109, abs=2e-6)


@pytest.mark.one_backend
def test_weights_of_stratified_sampling():
    weights = np.exp(ops.convert_to_numpy(losses.aggregate_log_weights(5, 20)))
    np.testing.assert_allclose(np.diag(weights), 1 / 20, rtol=1e-5)
    np.testing.assert_allclose(np.sort(weights[2]), [0.05, 0.2, 0.25, 0.25, 0.25], rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-5)
    assert sorted(np.argwhere(np.isclose(weights, 0.2))[:, 1]) == list(range(5))
    alone = ops.convert_to_numpy(losses.aggregate_log_weights(1, 20))
    np.testing.assert_array_equal(alone, [[0.0]])


@pytest.mark.one_backend
def test_stratified_sampling_has_no_bias():
    """The mean over all batches of three of five images is q(z) of each code."""
    q = np.exp(log_q_by_latent().sum(axis=-1))
    weights = np.exp(ops.convert_to_numpy(losses.aggregate_log_weights(3, 5)))
    total, num = np.zeros(5), np.zeros(5)
    for batch in itertools.permutations(range(5), 3):
        found = np.sum(weights * q[np.ix_(batch, batch)], axis=1)
        np.add.at(total, list(batch), found)
        np.add.at(num, list(batch), 1)
    np.testing.assert_allclose(total / num, q.mean(axis=1), rtol=1e-5)


def logged_by(model, monkeypatch, eps, x, method="negative_elbo"):
    """What a loss logs of images, with these normal numbers, as arrays; and what it returns."""
    logged = {}
    monkeypatch.setattr(model, "log", lambda **values: logged.update(values))
    loss = getattr(model, method)(ops.convert_to_tensor(x), None, Given(eps))
    return {name: ops.convert_to_numpy(value) for name, value in logged.items()}, loss


def with_weights(model, seed=5):
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(0.5 * rng.standard_normal(variable.shape))
    return model


def settings(latent_dim=3):
    return {
        "encoder": kgen.networks.dense_encoder((2, 2, 1), 2 * latent_dim, units=(4,)),
        "decoder": kgen.networks.dense_decoder(latent_dim, (2, 2, 1), units=(4,)),
        "likelihood": FixedNormal(std=0.5),
        "latent_dim": latent_dim,
    }


def some_images(num=6):
    return np.random.default_rng(0).random((num, 2, 2, 1)).astype("float32")


@pytest.mark.one_backend
@pytest.mark.parametrize("dataset_size", [None, 40])
def test_a_beta_tc_vae_by_hand(monkeypatch, dataset_size):
    x, eps = some_images(), np.random.default_rng(1).standard_normal((6, 1, 3))
    vae = with_weights(kgen.VAE((2, 2, 1), **settings()))
    of_vae, _ = logged_by(vae, monkeypatch, eps, x)
    model = with_weights(kgen.BetaTCVAE((2, 2, 1), dataset_size=dataset_size, **settings()))
    logs, loss = logged_by(model, monkeypatch, eps, x)
    mean, log_var = np.split(ops.convert_to_numpy(model.encoder(x)), 2, axis=1)
    z = mean + np.exp(0.5 * log_var) * eps[:, 0]
    by_latent = stats.norm(mean, np.exp(0.5 * log_var)).logpdf(z[:, None])
    weights = np.exp(ops.convert_to_numpy(losses.aggregate_log_weights(6, dataset_size)))
    log_q = np.log(np.sum(weights * np.exp(by_latent.sum(axis=-1)), axis=1))
    marginals = np.log(np.sum(weights[..., None] * np.exp(by_latent), axis=1)).sum(axis=1)
    tc = log_q - marginals
    np.testing.assert_allclose(logs["total_correlation_estimate"], tc, rtol=1e-4, atol=1e-5)
    information = np.diagonal(by_latent.sum(axis=-1)) - log_q
    np.testing.assert_allclose(logs["mutual_information_estimate"], information, rtol=1e-4)
    np.testing.assert_allclose(logs["loss"], of_vae["loss"] + 5.0 * tc, rtol=1e-4)
    assert float(ops.convert_to_numpy(loss)) == pytest.approx(logs["loss"].mean(), rel=1e-5)
    model.tc_weight, model.beta = 6.0, 3.0
    more, _ = logged_by(model, monkeypatch, eps, x)
    expected = logs["loss"] + 2.0 * (logs["kl_loss"] - tc)  # which weighs 6 in both
    np.testing.assert_allclose(more["loss"], expected, rtol=1e-4)
    model.tc_weight, model.beta = 1.0, 1.0
    again, _ = logged_by(model, monkeypatch, eps, x)
    np.testing.assert_allclose(again["loss"], of_vae["loss"], rtol=1e-6)


class Linear(keras.layers.Layer):
    """A discriminator's logit a * ratio(z) + b, of log q(z) / q(z_1) q(z_2) of a normal."""

    def __init__(self, r, **kwargs):
        super().__init__(**kwargs)
        self.r = r
        self.a = self.add_weight(shape=(), initializer="ones", name="a")
        self.b = self.add_weight(shape=(), initializer="zeros", name="b")

    def call(self, z):
        x, y = z[:, 0], z[:, 1]
        rest = 1.0 - self.r**2
        square = (x * x - 2.0 * self.r * x * y + y * y) / rest - x * x - y * y
        return (self.a * (-0.5 * square - 0.5 * np.log(rest)) + self.b)[:, None]


@pytest.mark.one_backend
def test_of_the_best_discriminator_the_logit_is_the_total_correlation():
    """-1/2 log(1 - r^2) of two normals of correlation r, where its loss is least."""
    from kgen import backend

    r, num = 0.9, 40_000
    z = keras.Input((2,))
    judge = keras.Model(z, Linear(r)(z))
    encoder = kgen.networks.dense_encoder((1, 2, 1), 4, units=())
    weights = np.zeros((2, 4))
    weights[[0, 1], [0, 1]] = 12.0
    encoder.layers[-1].set_weights([weights, np.array([-6.0, -6.0, -20.0, -20.0])])
    model = kgen.FactorVAE((1, 2, 1), 2, encoder=encoder, width=2, depth=1, discriminator=judge)
    model.compile()
    codes = np.random.default_rng(0).multivariate_normal([0, 0], [[1, r], [r, 1]], num)
    x = ops.convert_to_tensor(((codes + 6.0) / 12.0).reshape(num, 1, 2, 1), "float32")
    noise = StepNoise(keras.random.SeedGenerator(0).next())
    model.distribution, model.log = FixedNormal(), lambda **values: None
    (_, loss), (_, gradient) = backend.values_and_grads(
        lambda: model.losses_of_both(x, None, noise),
        [model.encoder.trainable_variables, judge.trainable_variables],
        [None, None],
    )
    logged = {}
    model.log = lambda **values: logged.update(values)
    model.losses_of_both(x, None, noise)
    tc = ops.convert_to_numpy(logged["total_correlation_estimate"])
    assert tc.shape == (num // 2,)
    assert tc.mean() == pytest.approx(0.8303655, abs=4.0 * tc.std() / np.sqrt(num // 2))
    assert max(abs(float(ops.convert_to_numpy(each))) for each in gradient) < 0.02
    assert float(ops.convert_to_numpy(loss)) < np.log(2.0) - 0.1


@pytest.mark.one_backend
def test_a_factor_vae_by_hand(monkeypatch):
    """The even rows are the VAE's, the odd ones are permuted."""
    x, eps = some_images(6), np.random.default_rng(1).standard_normal((6, 1, 3))
    judge = kgen.networks.dense_discriminator(3, units=())
    model = kgen.FactorVAE((2, 2, 1), gamma=3.0, discriminator=judge, **settings())
    with_weights(model)
    given = Given(eps)
    given.uniform = lambda shape: ops.convert_to_tensor(
        np.array([[2, 0, 1], [1, 1, 2], [0, 2, 0]]), "float32"
    )
    logged = {}
    monkeypatch.setattr(model, "log", lambda **values: logged.update(values))
    total, of_judge = model.losses_of_both(ops.convert_to_tensor(x), None, given)
    vae = kgen.VAE((2, 2, 1), **settings())
    vae.encoder.set_weights(model.encoder.get_weights())
    vae.decoder.set_weights(model.decoder.get_weights())
    of_vae, _ = logged_by(vae, monkeypatch, eps[::2], x[::2])
    mean, log_var = np.split(ops.convert_to_numpy(model.encoder(x)), 2, axis=1)
    codes = mean + np.exp(0.5 * log_var) * eps[:, 0]

    kernel, bias = (ops.convert_to_numpy(each) for each in judge.trainable_variables)
    logits = (codes[::2] @ kernel + bias)[:, 0]
    others = codes[1::2]
    others = np.stack([others[[2, 1, 0], 0], others[[0, 1, 2], 1], others[[2, 0, 1], 2]], axis=1)
    of_permuted = (others @ kernel + bias)[:, 0]
    expected = of_vae["loss"] + 3.0 * logits
    np.testing.assert_allclose(ops.convert_to_numpy(logged["loss"]), expected, rtol=1e-5)
    assert float(ops.convert_to_numpy(total)) == pytest.approx(expected.mean(), rel=1e-5)
    softplus = 0.5 * (np.logaddexp(0, -logits) + np.logaddexp(0, of_permuted))
    found = ops.convert_to_numpy(logged["discriminator_loss"])
    np.testing.assert_allclose(found, softplus, rtol=1e-5)
    assert float(ops.convert_to_numpy(of_judge)) == pytest.approx(softplus.mean(), rel=1e-5)
    right = np.mean([logits > 0, of_permuted < 0], axis=0)
    found = ops.convert_to_numpy(logged["discriminator_accuracy"])
    np.testing.assert_array_equal(found, right)


@pytest.mark.one_backend
def test_each_latent_is_permuted_by_itself():
    z = np.arange(3000, dtype="float32").reshape(1000, 3)
    noise = StepNoise(keras.random.SeedGenerator(0).next())
    found = ops.convert_to_numpy(permuted(ops.convert_to_tensor(z), noise))
    np.testing.assert_array_equal(np.sort(found, axis=0), z)
    rows = (found - np.arange(3)) / 3.0  # where each came from
    assert np.mean(rows[:, 0] == rows[:, 1]) < 0.01
    assert np.abs(np.corrcoef(rows.T) - np.eye(3)).max() < 0.12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kgen.BetaTCVAE((4, 4, 1), tc_weight=-1.0), "tc_weight"),
        (lambda: kgen.BetaTCVAE((4, 4, 1), dataset_size=1), "dataset_size"),
        (lambda: kgen.FactorVAE((4, 4, 1), gamma=-1.0), "gamma"),
        (
            lambda: kgen.FactorVAE(
                (4, 4, 1), 3, discriminator=kgen.networks.dense_discriminator(4, units=(2,))
            ),
            r"discriminator to map \(batch, 3\) to \(batch, 1\)",
        ),
        (
            lambda: kgen.BetaTCVAE((4, 4, 1), objective="iwae"),
            "objective='elbo', of which the loss of BetaTC",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_batch_of_one_is_refused():
    model = kgen.FactorVAE(
        (4, 4, 1),
        2,
        width=4,
        depth=1,
        discriminator=kgen.networks.dense_discriminator(2, units=(2,)),
    )
    model.compile()
    with pytest.raises(ValueError, match="at least two images.*Received: batches of 1"):
        model.fit(np.zeros((4, 4, 4, 1)), batch_size=1, verbose=0)
    model.evaluate(np.zeros((3, 4, 4, 1)), batch_size=2, verbose=0)
    history = model.fit(np.zeros((5, 4, 4, 1)), batch_size=4, verbose=0).history  # a last one
    assert np.isfinite(list(history.values())).all()
    assert {float(metric.count) for metric in model.metrics} == {2 + 1}  # that one once in all logs


def test_a_data_set_smaller_than_a_batch_is_refused():
    model = kgen.BetaTCVAE((4, 4, 1), 2, width=4, depth=1, dataset_size=7)
    model.compile()
    with pytest.raises(ValueError, match="Received: dataset_size=7, and batches of 8"):
        model.fit(np.zeros((8, 4, 4, 1)), batch_size=8, verbose=0)


@pytest.mark.parametrize(("num", "expected"), [(1, [0]), (4, [1, 3]), (5, [1, 3, 0])])
def test_odd_rows(num, expected):
    rows = ops.convert_to_numpy(odd_rows(ops.arange(num, dtype="float32")[:, None]))
    assert rows[:, 0].tolist() == expected


def test_the_papers_optimizers():
    found = kgen.FactorVAE((1, 2, 1), 2, width=2, depth=1).default_optimizers()
    betas = {name: (each.beta_1, each.beta_2) for name, each in found.items()}
    assert betas == {"vae": (0.9, 0.999), "discriminator": (0.5, 0.9)}
