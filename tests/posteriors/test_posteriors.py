import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

import kgen
from kgen import backend, posteriors
from kgen.noise import StepNoise

SIZE = 3
FAMILIES = {
    "normal": posteriors.Normal(),
    "full": posteriors.FullNormal(),
    "iaf": posteriors.IAF(steps=3, units=(5,), context=2),
}


class Given:
    """Noise whose normal numbers are known."""

    def __init__(self, eps):
        self.eps = ops.convert_to_tensor(eps, "float32")

    def normal(self, shape):
        return self.eps


def network_of(family):
    """A posterior's network, with weights that do something, the same on every backend."""
    network = family.network(SIZE)
    rng = np.random.default_rng(3)
    for variable in [] if network is None else network.trainable_variables:
        variable.assign(0.7 * rng.standard_normal(variable.shape))
    return network


def outputs_of(family, num=4):
    return np.random.default_rng(0).standard_normal((num, family.num_outputs(SIZE))) * 0.5


def drawn(family, eps, network=None):
    outputs = ops.convert_to_tensor(outputs_of(family, len(eps)), "float32")
    return family.draw(outputs, Given(eps), eps.shape[1], network)


def moments(outputs):
    """Mean and covariance of a full normal of three latents, by hand."""
    mean, log_scale, below = np.split(outputs, [3, 6])
    factor = np.diag(np.exp(log_scale))
    factor[1, 0], factor[2, 0], factor[2, 1] = below
    return mean, factor @ factor.T


def test_densities_and_divergences_of_a_full_normal():
    family, eps = FAMILIES["full"], np.random.default_rng(1).standard_normal((4, 5, SIZE))
    q = drawn(family, eps)
    z, log_q, kl = (ops.convert_to_numpy(each) for each in (q.z, q.log_q, q.kl()))
    for i, outputs in enumerate(outputs_of(family)):
        mean, covariance = moments(outputs)
        expected = stats.multivariate_normal(mean, covariance).logpdf(z[i])
        np.testing.assert_allclose(log_q[i], expected, rtol=1e-5)
        trace = np.trace(covariance) + mean @ mean - SIZE
        expected = 0.5 * (trace - np.linalg.slogdet(covariance)[1])
        assert kl[i] == pytest.approx(expected, rel=1e-5)
    outputs = ops.convert_to_tensor(outputs_of(family), "float32")
    found = ops.convert_to_numpy(family.log_var(outputs))
    expected = [np.log(np.diag(moments(each)[1])) for each in outputs_of(family)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["normal", "full"])
def test_a_density_of_any_code_is_that_of_what_was_drawn(name):
    family, eps = FAMILIES[name], np.random.default_rng(1).standard_normal((4, 5, SIZE))
    q = drawn(family, eps)
    found = ops.convert_to_numpy(q.fixed_log_q())
    np.testing.assert_allclose(found, ops.convert_to_numpy(q.log_q), rtol=1e-4, atol=1e-5)


@pytest.mark.each_backend
@pytest.mark.parametrize("name", ["normal", "full"])
def test_a_fixed_density_has_no_gradient_by_its_parameters(name):
    family = FAMILIES[name]
    outputs = keras.Variable(outputs_of(family), dtype="float32")

    def loss():
        q = family.draw(outputs.value, Given(np.ones((4, 2, SIZE))), 2)
        q.z = ops.stop_gradient(q.z)
        return ops.sum(q.fixed_log_q()) + ops.sum(outputs)

    (found,) = backend.value_and_grad(loss, [outputs])[1]
    np.testing.assert_array_equal(ops.convert_to_numpy(found), np.ones(outputs.shape))


def jacobian(family, network, eps):
    """d z / d eps of one image and sample, (latents, latents)."""
    rows = [
        backend.input_gradient(lambda e: drawn_of(family, e, network).z[:, 0, i], eps)  # noqa: B023
        for i in range(SIZE)
    ]
    return np.stack([ops.convert_to_numpy(row)[0, 0] for row in rows])


def drawn_of(family, eps, network):
    outputs = ops.convert_to_tensor(outputs_of(family, 1), "float32")
    return family.draw(outputs, Given(eps), 1, network)


@pytest.mark.each_backend
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_iaf_counts_how_it_stretches(steps):
    """The Jacobian's determinant is what log q says; one step's Jacobian is triangular."""
    family = posteriors.IAF(steps, units=(7,), context=2)
    network = network_of(family)
    eps = ops.convert_to_tensor(np.array([[[0.3, -1.2, 0.8]]]), "float32")
    found = jacobian(family, network, eps)
    q = drawn_of(family, eps, network)
    log_normal = stats.norm.logpdf([0.3, -1.2, 0.8]).sum()
    log_det = np.linalg.slogdet(found)[1]
    assert float(q.log_q[0, 0]) == pytest.approx(log_normal - log_det, abs=1e-4)
    assert np.abs(np.tril(found, -1)).max() > 0.01
    assert (np.abs(np.triu(found, 1)).max() < 1e-6) == (steps == 1)


def test_iaf_of_constants_is_a_normal():
    """With m = 2 and sigmoid(s + 1.5) = 0.5: mean (mean + 2) / 2, half the deviation."""
    family = posteriors.IAF(steps=1, units=(4,), context=2)
    network = family.network(SIZE)
    for variable in network.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    bias = next(v for v in network.trainable_variables if v.path.endswith("step_0/bias"))
    bias.assign(np.array([[2.0, -1.5]] * SIZE).ravel())  # the outputs of each latent in turn
    q = drawn(family, np.random.default_rng(1).standard_normal((4, 5, SIZE)), network)
    mean, log_var, _ = np.split(outputs_of(family), [3, 6], axis=1)
    scale = 0.5 * np.exp(0.5 * log_var)
    normal = stats.norm(0.5 * mean[:, None] + 1.0, scale[:, None])
    z = ops.convert_to_numpy(q.z)
    expected = normal.logpdf(z).sum(axis=-1)
    np.testing.assert_allclose(ops.convert_to_numpy(q.log_q), expected, rtol=1e-4, atol=1e-5)
    center = family.center(ops.convert_to_tensor(outputs_of(family), "float32"), network)
    np.testing.assert_allclose(ops.convert_to_numpy(center), 0.5 * mean + 1.0, rtol=1e-5)


def test_the_context_moves_the_flow():
    family = FAMILIES["iaf"]
    network = network_of(family)
    outputs = outputs_of(family)
    before = family.center(ops.convert_to_tensor(outputs, "float32"), network)
    outputs[:, -1] += 1.0
    after = family.center(ops.convert_to_tensor(outputs, "float32"), network)
    assert np.abs(ops.convert_to_numpy(after - before)).min() > 1e-4


@pytest.mark.parametrize("name", list(FAMILIES))
def test_samples_of_an_image_differ_and_middles_are_theirs(name):
    family = FAMILIES[name]
    network = network_of(family)
    outputs = ops.convert_to_tensor(outputs_of(family), "float32")
    q = family.draw(outputs, StepNoise(keras.random.SeedGenerator(0).next()), 2, network)
    assert np.abs(ops.convert_to_numpy(q.z[:, 0] - q.z[:, 1])).min() > 1e-5
    middle = drawn(family, np.zeros((4, 1, SIZE)), network).z[:, 0]
    found = family.center(outputs, network)
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(middle), atol=1e-6)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_shares_of_latents_sum_to_the_divergence(name):
    family = FAMILIES[name]
    eps = np.random.default_rng(1).standard_normal((3, 4000, SIZE))
    q = drawn(family, eps, network_of(family))
    share = ops.convert_to_numpy(q.mean_kl_by_latent())
    log_prior = stats.norm.logpdf(ops.convert_to_numpy(q.z)).sum(axis=-1)
    terms = ops.convert_to_numpy(q.log_q) - log_prior
    error = 4.0 * terms.std() / np.sqrt(terms.size)
    assert share.shape == (SIZE,)
    assert share.sum() == pytest.approx(terms.mean(), abs=error + 1e-4)
    if q.kl() is not None:
        assert np.mean(ops.convert_to_numpy(q.kl())) == pytest.approx(terms.mean(), abs=error)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: posteriors.get("gamma"), r"\['normal', 'full', 'iaf'\].*Received: 'gamma'"),
        (lambda: posteriors.get(posteriors.IAF), "Received: <class"),
        (lambda: posteriors.IAF(steps=0), "steps"),
        (lambda: posteriors.IAF(units=0.5), "units"),
        (lambda: posteriors.IAF(context=0), "context"),
    ],
)
def test_bad_posteriors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_file_keeps_the_family(tmp_path):
    vae = kgen.VAE((4, 4, 1), 2, width=4, depth=1, posterior_family=FAMILIES["iaf"], seed=0)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.posterior_family.get_config() == FAMILIES["iaf"].get_config()
    x = np.random.default_rng(0).random((3, 4, 4, 1))
    np.testing.assert_array_equal(loaded.encode(x), vae.encode(x))
