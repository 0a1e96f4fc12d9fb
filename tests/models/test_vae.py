import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import distributions
from kgen.distributions import DISTRIBUTIONS, FixedNormal
from kgen.noise import StepNoise
from tests.contract import EAGER
from tests.toys import activity_penalty
from tests.zoo import ZOO


def networks(image_shape=(8, 8, 1), latent_dim=3, parameters=1, num_classes=None):
    """Small networks for a VAE."""
    decoded_shape = (*image_shape[:2], image_shape[2] * parameters)
    return {
        "encoder": kgen.networks.dense_encoder(
            image_shape, 2 * latent_dim, units=(6,), condition=num_classes
        ),
        "decoder": kgen.networks.dense_decoder(
            latent_dim, decoded_shape, units=(6,), condition=num_classes
        ),
        "latent_dim": latent_dim,
    }


def test_labels_change_the_samples():
    model = ZOO["conditional_vae"].make()
    a, b = (model.sample(4, label, seed=0) for label in (0, 1))
    assert np.abs(a - b).max() > 1e-4


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "labels in 0..2. Received: no labels"),
        (np.full(16, 3), r"labels in 0..2. Received: labels in 3..3"),
        (np.full(16, -1), r"Received: labels in -1..-1"),
        (np.ones(16, "float32"), "float32 labels"),
        (np.zeros((16, 3), "int32"), "Expected labels of shape"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    case = ZOO["conditional_vae"]
    model = case.make()
    model.compile()
    with pytest.raises(ValueError, match=message):
        model.fit(case.images, labels, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.reconstruct(case.images, labels)


def step_noise():
    return StepNoise(keras.random.SeedGenerator(0).next())


def tiny_vae(image_shape=(2, 2, 1), latent_dim=1, **kwargs):
    """A VAE with weights from NumPy, the same on every backend."""
    distribution = distributions.get(kwargs.get("likelihood", "bernoulli"))
    vae = kgen.VAE(
        image_shape, **networks(image_shape, latent_dim, distribution.num_outputs(1)), **kwargs
    )
    rng = np.random.default_rng(5)
    for network, scale in ((vae.encoder, 0.3), (vae.decoder, 1.0)):
        for variable in network.trainable_variables:
            variable.assign(scale * rng.standard_normal(variable.shape))
    return vae


def all_binary_images():
    return np.array(list(itertools.product([0.0, 1.0], repeat=4)), "float32").reshape(-1, 2, 2, 1)


def log_p_on_a_grid(vae, x):
    """log p(x) by quadrature over a 1-D latent."""
    z = np.linspace(-9.0, 9.0, 4001, dtype="float32")[:, None]
    logits = ops.convert_to_numpy(vae.decoder(z)).astype("float64")
    log_prior = -0.5 * z[:, 0].astype("float64") ** 2 - 0.5 * np.log(2 * np.pi)
    nll = np.logaddexp(0.0, logits)[None] - x[:, None].astype("float64") * logits[None]
    log_joint = log_prior - nll.sum(axis=(2, 3, 4))
    return np.logaddexp.reduce(log_joint, axis=1) + np.log(18.0 / 4000)


def test_probabilities_of_all_images_sum_to_one():
    vae, x = tiny_vae(), all_binary_images()
    log_p = log_p_on_a_grid(vae, x)
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=1e-5)
    estimate = vae.log_likelihood(x, num_samples=5000, seed=0)
    np.testing.assert_allclose(estimate, log_p, atol=0.1)
    assert np.exp(estimate).sum() == pytest.approx(1.0, abs=0.02)


@pytest.mark.one_backend
def test_the_bound_rises_with_the_number_of_samples_to_log_p():
    vae, x = tiny_vae(), np.repeat(all_binary_images(), 20, axis=0)
    log_p = log_p_on_a_grid(vae, x).mean()
    bounds = [vae.log_likelihood(x, num_samples=k, seed=1).mean() for k in (1, 5, 50)]
    assert bounds[0] < bounds[1] < bounds[2] <= log_p + 0.02
    elbo = vae.elbo(x, num_samples=200, seed=2).mean()
    assert elbo == pytest.approx(vae.log_likelihood(x, num_samples=1, seed=3).mean(), abs=0.3)
    assert elbo < log_p


def test_many_samples_in_chunks_equal_one_formula():
    vae, x = tiny_vae(), all_binary_images()
    # 4096 // 100 samples at a time: 100 samples take three chunks, the last one short.
    weights = np.concatenate(list(vae._log_weights(x, None, 100, 7, 100)), axis=1)
    assert weights.shape == (16, 100)
    expected = np.log(np.mean(np.exp(weights), axis=1))
    np.testing.assert_allclose(vae.log_likelihood(x, num_samples=100, seed=7), expected, atol=1e-5)
    np.testing.assert_allclose(
        vae.elbo(x, num_samples=100, seed=7), weights.mean(axis=1), atol=1e-5
    )


class LinearDecoder(keras.layers.Layer):
    """mean = W z + b and one variance for all pixels, as in probabilistic PCA."""

    def __init__(self, weights, bias, variance, **kwargs):
        super().__init__(**kwargs)
        self.w = self.add_weight(shape=weights.shape, initializer="zeros", name="w")
        self.b = self.add_weight(shape=bias.shape, initializer="zeros", name="bias")
        self.log_var = self.add_weight(shape=(), initializer="zeros", name="log_var")
        self.w.assign(weights)
        self.b.assign(bias)
        self.log_var.assign(np.log(variance))

    def call(self, z):
        mean = ops.reshape(z @ ops.transpose(self.w) + self.b, (-1, 2, 3, 1))
        return ops.concatenate([mean, ops.zeros_like(mean) + self.log_var], axis=-1)


class LinearEncoder(keras.layers.Layer):
    """mean = V (x - mean(x)) and one diagonal variance for all images."""

    def __init__(self, weights, center, variance, **kwargs):
        super().__init__(**kwargs)
        self.v = self.add_weight(shape=weights.shape, initializer="zeros", name="v")
        self.b = self.add_weight(shape=variance.shape, initializer="zeros", name="bias")
        self.log_var = self.add_weight(shape=variance.shape, initializer="zeros", name="log_var")
        self.v.assign(weights)
        self.b.assign(-weights @ center)
        self.log_var.assign(np.log(variance))

    def call(self, x):
        mean = ops.reshape(x, (-1, 6)) @ ops.transpose(self.v) + self.b
        return ops.concatenate([mean, ops.zeros_like(mean) + self.log_var], axis=-1)


def linear_data():
    """500 images of 6 pixels around a plane, inside [0, 1]."""
    rng = np.random.default_rng(0)
    plane, _ = np.linalg.qr(rng.standard_normal((6, 2)))
    x = 0.15 * rng.standard_normal((500, 2)) @ (plane * [1.0, 0.8]).T
    x = 0.5 + x + 0.03 * rng.standard_normal((500, 6))
    return np.clip(x, 0.0, 1.0).astype("float32").reshape(-1, 2, 3, 1)


def ppca(x, k=2):
    """The maximum-likelihood solution of probabilistic PCA (Tipping & Bishop 1999)."""
    flat = x.reshape(len(x), -1).astype("float64")
    center, cov = flat.mean(axis=0), np.cov(flat.T, bias=True)
    values, vectors = np.linalg.eigh(cov)
    values, vectors = values[::-1], vectors[:, ::-1]
    noise = values[k:].mean()
    w = vectors[:, :k] * np.sqrt(values[:k] - noise)
    m = w.T @ w + noise * np.eye(k)
    encoder = np.linalg.solve(m, w.T)
    posterior = noise * np.diag(np.linalg.inv(m))
    model_cov = w @ w.T + noise * np.eye(6)
    log_p = -0.5 * (
        6 * np.log(2 * np.pi)
        + np.linalg.slogdet(model_cov)[1]
        + np.trace(np.linalg.solve(model_cov, cov))
    )
    return center, w, noise, encoder, posterior, log_p


def linear_vae(center, w, noise, encoder, posterior):
    image, z = keras.Input((2, 3, 1)), keras.Input((2,))
    return kgen.VAE(
        (2, 3, 1),
        latent_dim=2,
        encoder=keras.Model(image, LinearEncoder(encoder, center, posterior)(image)),
        decoder=keras.Model(z, LinearDecoder(w, center, noise)(z)),
        likelihood="normal",
    )


def test_at_the_ppca_solution_the_elbo_is_the_log_likelihood():
    x = linear_data()
    *solution, log_p = ppca(x)
    vae = linear_vae(*solution)
    # q is the exact posterior: every sample of log p(x, z) / q(z|x) is log p(x).
    assert vae.elbo(x, num_samples=1, seed=0).mean() == pytest.approx(log_p, abs=1e-3)
    for k in (1, 10):
        assert vae.log_likelihood(x, num_samples=k, seed=1).mean() == pytest.approx(log_p, abs=1e-3)
    weights = np.concatenate(list(vae._log_weights(x[:20], None, 10, 0, 20)), axis=1)
    assert weights.std(axis=1).max() < 1e-3


@pytest.mark.full
def test_a_linear_vae_trains_to_the_ppca_solution():
    x = linear_data()
    center, w, *_, log_p = ppca(x)
    rng = np.random.default_rng(1)
    vae = linear_vae(
        center,
        0.1 * rng.standard_normal((6, 2)),
        0.01,
        rng.standard_normal((2, 6)),
        np.full(2, 0.1),
    )
    vae.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.05, 1000)))
    vae.fit(np.tile(x, (20, 1, 1, 1)), batch_size=500, epochs=50, verbose=0)
    gap = log_p - vae.elbo(x, num_samples=50, seed=0).mean()
    assert -0.01 < gap < 0.06  # 0.01 nats a pixel
    learned, _ = np.linalg.qr(ops.convert_to_numpy(vae.decoder.layers[-1].w))
    principal, _ = np.linalg.qr(w)
    cosines = np.linalg.svd(learned.T @ principal)[1]
    assert np.arccos(np.clip(cosines, -1, 1)).max() < 0.015


def patched_noise(monkeypatch):
    """The same noise on every backend."""
    monkeypatch.setattr(
        keras.random,
        "normal",
        lambda shape, **_: ops.reshape(ops.sin(ops.arange(8, dtype="float32")), (8, 1, 1)),
    )
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, *_, **__: 0.5 * ops.ones(shape, dtype="float32")
    )


GOLDEN_LOSSES = {
    "bernoulli": [3.457594394683838, 3.4347879886627197, 3.4134762287139893],
    "normal": [38.26044, 8.63978385925293, 8.461530685424805],
    "fixed_normal": [293.28906, 1842.3178, 7528.9325],
    "discretized_logistic": [50.41097, 31.330212, 31.01693],
    "categorical": [28.946204, 28.840527, 28.737047],
    "logistic_mixture": [29.434172, 28.81504, 29.013975],
}


@pytest.mark.each_backend
@pytest.mark.parametrize("likelihood", list(DISTRIBUTIONS))
def test_goldens_agree_over_the_backends(monkeypatch, likelihood):
    patched_noise(monkeypatch)
    vae = tiny_vae(likelihood=likelihood)
    vae.compile(keras.optimizers.SGD(1e-2))
    x = np.random.default_rng(6).random((8, 2, 2, 1)).astype("float32")
    losses = [
        vae.fit(x, batch_size=8, shuffle=False, verbose=0).history["loss"][0] for _ in range(3)
    ]
    np.testing.assert_allclose(losses, GOLDEN_LOSSES[likelihood], rtol=1e-5)


def test_loss_by_hand():
    """A decoder and an encoder of constants: the loss of one image, worked out."""
    vae = kgen.VAE((1, 2, 1), latent_dim=1, beta=3.0)
    for variable in vae.trainable_variables:
        variable.assign(ops.zeros(variable.shape))
    biases = [
        [v for v in net.variables if v.name == "bias"][-1] for net in (vae.encoder, vae.decoder)
    ]
    biases[0].assign([0.5, np.log(4.0)])  # q = N(0.5, 4)
    biases[1].assign([0.0, np.log(3.0)])  # p = (1/2, 3/4)
    vae.compile()
    logs = vae.evaluate(np.array([1.0, 0.0]).reshape(1, 1, 2, 1), verbose=0, return_dict=True)
    nll = np.log(2.0) + np.log(4.0)  # -log 1/2 - log (1 - 3/4)
    kl = 0.5 * (0.25 + 4.0 - 1.0 - np.log(4.0))
    assert logs["reconstruction_loss"] == pytest.approx(nll, rel=1e-5)
    assert logs["kl_loss"] == pytest.approx(kl, rel=1e-5)
    assert logs["loss"] == pytest.approx(nll + 3.0 * kl, rel=1e-5)
    assert vae.figures(logs)["elbo"] == pytest.approx(-nll - kl, rel=1e-5)
    assert "bits_per_dim" not in vae.figures(logs)  # of images that were binarized


def constant_vae(mean, log_var, image, **kwargs):
    """A VAE whose q(z|x) is one for all images, as is what its decoder gives."""
    vae = kgen.VAE((1, 2, 1), latent_dim=len(mean), seed=0, **kwargs)
    for variable in vae.trainable_variables:
        variable.assign(ops.zeros(variable.shape))
    biases = [
        [v for v in net.variables if v.name == "bias"][-1] for net in (vae.encoder, vae.decoder)
    ]
    biases[0].assign([*mean, *log_var])
    biases[1].assign(image)
    return vae, biases[0]


@pytest.mark.each_backend
def test_free_bits_by_hand():
    """Latents of 0.125 and 2 nats, of which 0.5 are free: they count as 0.5 and 2."""
    vae, bias = constant_vae([0.5, 2.0], [0.0, 0.0], [0.0, 0.0], beta=3.0, free_bits=0.5)
    vae.compile(keras.optimizers.SGD(0.1), run_eagerly=EAGER)
    image = np.array([1.0, 0.0]).reshape(1, 1, 2, 1)
    logs = vae.evaluate(image, verbose=0, return_dict=True)
    nll = 2 * np.log(2.0)
    assert logs["kl_loss"] == pytest.approx(2.125, rel=1e-6)
    assert logs["loss"] == pytest.approx(nll + 3.0 * 2.5, rel=1e-6)
    vae.fit(image, verbose=0)
    # The first is drawn to the prior no more.
    moved = ops.convert_to_numpy(bias)[:2]
    np.testing.assert_allclose(moved, [0.5, 2.0 - 0.1 * 3.0 * 2.0], atol=1e-6)
    vae.free_bits = 0.0
    assert vae.evaluate(image, verbose=0, return_dict=True)["loss"] == pytest.approx(
        2 * np.log(2.0) + 3.0 * (0.125 + 0.5 * moved[1] ** 2), abs=0.2
    )


def test_free_bits_are_of_a_batch():
    """Of images whose divergences are 0 and 1 the mean counts, not each."""
    vae = tiny_vae(free_bits=0.0)
    x = np.random.default_rng(0).random((8, 2, 2, 1)).astype("float32")
    noise = step_noise()
    q = vae.log_weights(ops.convert_to_tensor(x), None, noise, 1)[1]
    by_latent = ops.convert_to_numpy(q.mean_kl_by_latent())
    assert by_latent.sum() == pytest.approx(float(ops.mean(q.kl())), rel=1e-5)
    assert by_latent.shape == (vae.latent_dim,) and by_latent.min() > 0


def test_a_fixed_normal_by_hand():
    vae, _ = constant_vae([0.0], [0.0], [0.25, 0.5], likelihood=FixedNormal(std=0.5))
    vae.compile()
    x = np.array([1.0, 0.5]).reshape(1, 1, 2, 1)
    logs = vae.evaluate(x, verbose=0, return_dict=True)
    expected = 0.75**2 / (2 * 0.25) + 2 * (np.log(0.5) + 0.5 * np.log(2 * np.pi))
    assert logs["reconstruction_loss"] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(vae.decode(np.zeros((1, 1)))[0, 0, :, 0], [0.25, 0.5], atol=1e-6)
    config = vae.get_config()
    assert type(vae).from_config(config).distribution.std == 0.5
    with pytest.raises(ValueError, match="std as a finite number above 0. Received: std=0"):
        FixedNormal(0)


def test_the_likelihood_suits_the_images():
    """Binarized colours would have bits/dim that look better than any published."""
    assert kgen.VAE((4, 4, 3), 2, width=2).likelihood == "discretized_logistic"
    assert kgen.VAE((4, 4, 1), 2, width=2).likelihood == "bernoulli"
    vae = kgen.VAE((4, 4, 3), 2, width=2, likelihood="bernoulli")
    vae.compile()
    photographs = np.full((4, 4, 4, 3), 100, "uint8")
    with pytest.warns(UserWarning, match="mostly grey: likelihood='discretized_logistic'") as told:
        logs = vae.fit(photographs, epochs=1, verbose=0).history
        vae.fit(photographs, verbose=0)
    assert len([each for each in told if "mostly grey" in str(each.message)]) == 1
    assert "bits_per_dim" not in vae.figures({name: values[0] for name, values in logs.items()})


def test_digits_are_binarized_without_a_word(digits, recwarn):
    vae = kgen.VAE((8, 8, 1), 2, width=2)
    vae.check_inputs(digits[0], None)
    assert not recwarn.list


def test_beta_scales_the_divergence_alone(digits):
    logs = {}
    for beta in (1.0, 4.0):
        keras.utils.set_random_seed(0)
        vae = kgen.VAE((8, 8, 1), beta=beta, **networks())
        vae.compile()
        logs[beta] = vae.evaluate(digits[0], verbose=0, return_dict=True)
    assert logs[1.0]["kl_loss"] == logs[4.0]["kl_loss"]
    assert logs[1.0]["reconstruction_loss"] == logs[4.0]["reconstruction_loss"]
    assert logs[4.0]["loss"] == pytest.approx(
        logs[1.0]["loss"] + 3.0 * logs[1.0]["kl_loss"], rel=1e-5
    )


def test_a_partial_batch_weighs_by_its_images(digits):
    vae = kgen.VAE((8, 8, 1), **networks())
    vae.compile()
    binary = np.round(digits[0][:10])
    vae.encoder.set_weights([0.0 * w for w in vae.encoder.get_weights()])
    vae.decoder.set_weights([0.0 * w for w in vae.decoder.get_weights()])
    results = [
        vae.evaluate(binary, batch_size=size, verbose=0, return_dict=True) for size in (10, 4)
    ]
    assert results[0]["loss"] == pytest.approx(64 * np.log(2.0), rel=1e-5)
    assert results[1]["loss"] == pytest.approx(results[0]["loss"], rel=1e-6)


def test_binarization_is_new_in_each_step_and_has_the_right_mean():
    bernoulli = distributions.get("bernoulli")
    x = np.full((4000, 1, 1, 1), 0.3, "float32")
    noise = step_noise()
    draws = [ops.convert_to_numpy(bernoulli.observe(x, noise)) for _ in range(2)]
    assert set(np.unique(draws[0])) == {0.0, 1.0}
    assert np.any(draws[0] != draws[1])
    assert draws[0].mean() == pytest.approx(0.3, abs=0.03)
    ends = np.array([0.0, 1.0], "float32").reshape(2, 1, 1, 1)
    ends = np.repeat(ends, 1000, axis=1)
    np.testing.assert_array_equal(ops.convert_to_numpy(bernoulli.observe(ends, noise)), ends)


@pytest.mark.parametrize("network", ["dense", "convolutional"])
@pytest.mark.parametrize("likelihood", list(DISTRIBUTIONS))
def test_adapt_starts_at_the_mean_image(network, likelihood, digits):
    images = digits[0]
    vae = kgen.VAE((8, 8, 1), latent_dim=2, architecture=network, likelihood=likelihood)
    vae.adapt(images)
    mean = vae.decode(np.zeros((1, 2)))[0]
    expected = images.mean(axis=0)
    if network == "convolutional":
        expected = np.broadcast_to(expected.mean(), expected.shape)
        mean = mean.mean(keepdims=True) + 0 * mean
    np.testing.assert_allclose(mean, expected, atol=0.06)


def test_adapted_dense_decoder_is_the_entropy_baseline(digits):
    """With z ignored and the bias at the mean image, -log p is the pixels' entropy."""
    images = digits[0]
    vae = kgen.VAE((8, 8, 1), latent_dim=2)
    vae.decoder.set_weights([0.0 * w for w in vae.decoder.get_weights()])
    vae.adapt(images)
    p = np.clip(images.mean(axis=0), 0.001, 0.999)
    baseline = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    vae.compile()
    nll = np.mean(
        [vae.evaluate(images, verbose=0, return_dict=True)["reconstruction_loss"] for _ in range(3)]
    )
    assert nll == pytest.approx(baseline, rel=0.03)


@pytest.mark.parametrize("likelihood", ["bernoulli", "normal", "discretized_logistic"])
def test_training_and_verbs_encode_the_same_images(likelihood):
    levels = np.array([0, 255] if likelihood == "bernoulli" else [0, 1, 100, 255], "uint8")
    images = np.random.default_rng(0).choice(levels, (8, 2, 2, 1))
    vae = kgen.VAE((2, 2, 1), latent_dim=2, likelihood=likelihood, seed=0)
    seen, log_weights = [], vae.log_weights
    vae.log_weights = lambda x, *args: seen.append(x) or log_weights(x, *args)
    vae.negative_elbo(ops.convert_to_tensor(images / 255.0, "float32"), None, step_noise())
    np.testing.assert_allclose(ops.convert_to_numpy(seen[0]), images / 255.0, atol=1e-6)


@pytest.mark.each_backend
@pytest.mark.parametrize("objective", ["elbo", "dreg"])
@pytest.mark.parametrize("of", ["kernel", "activity"])
def test_regularizers_of_a_network_count(of, objective):
    x = np.random.default_rng(0).integers(0, 2, (8, 2, 2, 1)).astype("float32")
    flat = x.reshape(8, 4)

    def kernels(factor):
        keras.utils.set_random_seed(0)
        regularizer = {f"{of}_regularizer": keras.regularizers.L2(factor)}
        encoder = keras.Sequential(
            [
                keras.Input((2, 2, 1)),
                keras.layers.Flatten(),
                keras.layers.Dense(4, use_bias=False, **regularizer),
            ]
        )
        vae = kgen.VAE((2, 2, 1), latent_dim=2, encoder=encoder, objective=objective, seed=0)
        vae.compile(keras.optimizers.SGD(0.1))
        before = ops.convert_to_numpy(encoder.trainable_variables[0])
        vae.fit(x, batch_size=8, verbose=0)
        return before, ops.convert_to_numpy(encoder.trainable_variables[0])

    before, with_penalty = kernels(0.01)
    _, without = kernels(0.0)
    # d/dW 0.01 ||W||^2 and d/dW 0.01 ||x W||^2, by the weight that Keras gives to that
    weight = activity_penalty(flat) / np.sum(flat**2)
    gradient = 0.02 * (before if of == "kernel" else flat.T @ flat @ before * weight)
    np.testing.assert_allclose(without - with_penalty, 0.1 * gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.each_backend
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_labels_above_256_in_half_precision(policy):
    """Half precision would round the label 257 to 256."""
    vae = kgen.VAE((2, 2, 1), latent_dim=2, num_classes=3000, dtype=policy)
    images = vae.decode(np.zeros((4, 2)), np.array([256, 257, 2048, 2049]))
    assert len(np.unique(images.reshape(4, -1), axis=0)) == 4


def test_dtype_is_the_presets_policy():
    vae = kgen.VAE((2, 2, 1), latent_dim=2, dtype="mixed_bfloat16")
    assert vae.encoder.layers[2].compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_integers_are_scaled_in_a_call_too():
    vae = kgen.VAE((2, 2, 1), latent_dim=2)
    images = np.array([0, 50, 100, 255], "uint8").reshape(1, 2, 2, 1)
    np.testing.assert_allclose(
        vae.predict(images, verbose=0), vae.reconstruct(images / 255.0), atol=1e-6
    )


def test_adapt_needs_a_bias():
    decoder = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(4, use_bias=False), keras.layers.Reshape((2, 2, 1))]
    )
    with pytest.raises(ValueError, match="last layer with a bias"):
        kgen.VAE((2, 2, 1), latent_dim=2, decoder=decoder).adapt(np.zeros((1, 2, 2, 1)))


@pytest.mark.full
def test_labels_help_a_conditional_vae(digits):
    images, labels = digits
    vae = kgen.VAE((8, 8, 1), num_classes=10, **networks(num_classes=10))
    vae.compile(keras.optimizers.Adam(1e-2))
    vae.fit(images, labels, batch_size=32, epochs=60, verbose=0)
    right = vae.elbo(images, labels, seed=0, num_samples=5).mean()
    wrong = vae.elbo(images, (labels + 1) % 10, seed=0, num_samples=5).mean()
    assert right > wrong + 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"beta": -1.0}, "beta=-1.0"),
        ({"likelihood": "poisson"}, "'bernoulli', 'normal', 'fixed_normal', 'disc"),
        ({"architecture": "transformer"}, "'dense', 'convolutional'"),
        (
            lambda: {"encoder": kgen.networks.dense_encoder((8, 8, 1), 3)},
            r"encoder to map .* \(batch, 4\)",
        ),
        (
            lambda: {"decoder": kgen.networks.dense_decoder(2, (8, 8, 1)), "likelihood": "normal"},
            r"decoder to map \(batch, 2\) to \(batch, 8, 8, 2\)",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    arguments = arguments() if callable(arguments) else arguments
    with pytest.raises(ValueError, match=message):
        kgen.VAE(**({"image_shape": (8, 8, 1), "latent_dim": 2} | arguments))


def test_bad_verbs():
    vae = kgen.VAE((8, 8, 1), latent_dim=2)
    with pytest.raises(ValueError, match=r"z of shape \(num, 2\)"):
        vae.decode(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="NaN"):
        vae.encode(np.full((1, 8, 8, 1), np.nan))


def test_verbs_agree_with_the_networks(digits):
    vae = kgen.VAE((8, 8, 1), **networks())
    x = digits[0][:5]
    outputs = ops.convert_to_numpy(vae.encoder(x))
    mean, log_var = vae.posterior(x, batch_size=2)
    np.testing.assert_array_equal(vae.encode(x, batch_size=2), mean)
    np.testing.assert_allclose(np.concatenate([mean, log_var], axis=1), outputs, atol=1e-5)
    expected = ops.convert_to_numpy(ops.sigmoid(vae.decoder(mean)))
    np.testing.assert_allclose(vae.decode(mean, batch_size=3), expected, atol=1e-5)
    np.testing.assert_allclose(vae.reconstruct(x), expected, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(vae(x)), expected, atol=1e-5)
    np.testing.assert_allclose(vae.predict(x, verbose=0), expected, atol=1e-5)
