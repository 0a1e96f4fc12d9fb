"""Priors that a VAE learns: densities, draws, gradients, and who may have them."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

import kgen
from kgen import backend, networks, priors
from kgen.distributions import FixedNormal
from kgen.fields import Label
from tests.contract import EAGER
from tests.models.test_vae import all_binary_images
from tests.posteriors.test_posteriors import Given

PRIORS = {"vamp": priors.VampPrior(3), "flow": priors.Flow(3, (6,))}
# What else a VAE is given; of each the name of its prior.
CASES = {
    "vamp": ("vamp", {}),
    "vamp of full normals": ("vamp", {"posterior_family": "full"}),
    "flow": ("flow", {}),
}


def vae_of(name, shape=(2, 2, 1), latent_dim=2, scale=0.6, **kwargs):
    """A small VAE whose weights do something, the same on every backend."""
    prior, given = CASES[name]
    vae = kgen.VAE(
        shape, latent_dim, width=4, depth=1, prior=PRIORS[prior], seed=0, **given, **kwargs
    )
    rng = np.random.default_rng(2)
    for variable in vae.trainable_variables:
        variable.assign(scale * rng.standard_normal(variable.shape))
    return vae


def numbers(*tensors):
    found = [ops.convert_to_numpy(each) for each in tensors]
    return found if len(found) > 1 else found[0]


def log_prior(vae, z):
    return numbers(vae._prior().log_prob(ops.convert_to_tensor(z, "float32"))).astype("float64")


def plane(limit=8.0, steps=320):
    """Midpoints (steps, steps, 2) of squares, and the side of one."""
    side = 2.0 * limit / steps
    line = -limit + side * (np.arange(steps) + 0.5)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).astype("float32"), side


@pytest.mark.one_backend
@pytest.mark.parametrize("name", list(CASES))
def test_densities_integrate_to_1_and_draws_follow_them(name):
    """By chi-square in 8x8 squares of the plane, and what is outside."""
    vae = vae_of(name)
    z, side = plane()
    p = np.exp(log_prior(vae, z)) * side**2
    assert p.sum() == pytest.approx(1.0, abs=2e-3)
    assert abs(p.sum(axis=0) @ z[0, :, 1]) + np.ptp(p) > 1e-4
    num, ends = 20_000, np.linspace(-8.0, 8.0, 41)
    drawn = vae.draw_latents(num, seed=1)
    assert drawn.shape == (num, 2) and drawn.dtype == np.float32
    observed = np.histogram2d(*drawn.T, bins=(ends, ends))[0]
    expected = num * p.reshape(40, 8, 40, 8).sum(axis=(1, 3))
    often = expected > 10.0
    observed = [*observed[often], num - observed[often].sum()]
    expected = [*expected[often], num - expected[often].sum()]
    assert len(expected) > 8
    assert stats.chisquare(observed, expected).pvalue > 1e-3


@pytest.mark.parametrize("family", ["normal", "full"])
def test_of_one_component_it_is_the_posterior(family):
    given = {"posterior_family": family, "prior": priors.VampPrior(1)}
    vae = kgen.VAE((2, 2, 1), 3, width=4, depth=1, seed=0, **given)
    u = vae.prior_network.images()
    assert u.shape == (1, 2, 2, 1)
    outputs = ops.convert_to_numpy(vae.encoder(u))[0].astype("float64")
    mean, factor = outputs[:3], np.diag(np.exp(0.5 * outputs[3:6]))
    if family == "full":
        factor = np.diag(np.exp(outputs[3:6]))
        factor[1, 0], factor[2, 0], factor[2, 1] = outputs[6:]
    q = stats.multivariate_normal(mean, factor @ factor.T)
    z = np.random.default_rng(0).standard_normal((5, 2, 3))
    np.testing.assert_allclose(log_prior(vae, z), q.logpdf(z), rtol=1e-5)
    np.testing.assert_allclose(vae.draw_latents(4000, seed=0).mean(axis=0), mean, atol=0.1)


@pytest.mark.one_backend
def test_a_mixture_by_hand():
    """(N(z; -1, 1) + N(z; 2, 1/4)) / 2 at z = 0."""
    family = kgen.posteriors.Normal()
    outputs = ops.convert_to_tensor([[-1.0, 0.0], [2.0, np.log(0.25)]], "float32")
    prior = priors.VampPrior(2).bound(
        priors.VampPrior(2).network(1, (1, 1, 1)), lambda u: (family, outputs)
    )
    by_hand = 0.5 * (np.exp(-0.5) + 2.0 * np.exp(-8.0)) / np.sqrt(2.0 * np.pi)
    found = numbers(prior.log_prob(ops.zeros((1, 1))))
    np.testing.assert_allclose(found, [np.log(by_hand)], rtol=1e-6)


@pytest.mark.one_backend
@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_flow_counts_how_it_stretches_and_goes_back(size):
    network = networks.vector_flow(size, steps=5, units=(6,))
    rng = np.random.default_rng(1)
    z = ops.convert_to_tensor(rng.standard_normal((1, 1, 1, size)), "float32")
    eps, log_det = numbers(*network(z))
    np.testing.assert_allclose(np.sort(eps[0]), np.sort(numbers(z)[0, 0, 0]), atol=1e-6)  # at first
    assert log_det[0] == 0.0
    for variable in network.trainable_variables:
        variable.assign(0.7 * rng.standard_normal(variable.shape))
    eps, log_det = numbers(*network(z))
    back = network.inverse(ops.convert_to_tensor(eps))
    np.testing.assert_allclose(numbers(back), numbers(z), atol=1e-5)
    jacobian = [
        numbers(backend.input_gradient(lambda z: network(z)[0][:, i], z))[0, 0, 0]  # noqa: B023
        for i in range(size)
    ]
    assert log_det[0] == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-4)
    assert np.abs(jacobian).min(axis=0).max() > 1e-3  # some latent moves all


def test_at_first_a_flow_is_the_normal_prior():
    vae = kgen.VAE((2, 2, 1), 3, width=4, depth=1, prior="flow", seed=0)
    z = np.random.default_rng(0).standard_normal((4, 3))
    np.testing.assert_allclose(log_prior(vae, z), stats.norm.logpdf(z).sum(axis=1), rtol=1e-5)


@pytest.mark.one_backend
@pytest.mark.parametrize("name", list(CASES))
def test_a_bound_by_hand(name, monkeypatch):
    """-log p(x|z) + beta (log q(z|x) - log p(z)) of the same samples."""
    x = np.random.default_rng(0).random((4, 2, 2, 1)).astype("float32")
    eps = np.random.default_rng(1).standard_normal((4, 3, 2))
    vae = vae_of(name, likelihood=FixedNormal(std=0.5), num_samples=3, beta=2.0)
    logged = {}
    monkeypatch.setattr(vae, "log", lambda **values: logged.update(values))
    vae.negative_elbo(ops.convert_to_tensor(x), None, Given(eps))
    outputs = ops.convert_to_numpy(vae.encoder(x)).astype("float64")
    log_q, nll, log_p = np.zeros((3, 4, 3))
    for i, each in enumerate(outputs):
        factor = np.diag(np.exp(0.5 * each[2:4]))
        if "full" in name:
            factor = np.diag(np.exp(each[2:4]))
            factor[1, 0] = each[4]
        z = each[:2] + eps[i] @ factor.T
        log_q[i] = stats.multivariate_normal(each[:2], factor @ factor.T).logpdf(z)
        mean = ops.convert_to_numpy(vae.decoder(z.astype("float32"))).reshape(3, -1)
        nll[i] = -stats.norm(mean, 0.5).logpdf(x[i].ravel()).sum(axis=1)
        log_p[i] = log_prior(vae, z)
    kl = (log_q - log_p).mean(axis=1)
    np.testing.assert_allclose(numbers(logged["kl_loss"]), kl, rtol=1e-4, atol=1e-5)
    loss = nll.mean(axis=1) + 2.0 * kl
    np.testing.assert_allclose(numbers(logged["loss"]), loss, rtol=1e-4)


@pytest.mark.one_backend
@pytest.mark.parametrize("name", list(CASES))
def test_probabilities_sum_to_1(name):
    """Log p(x) of all images of 2x2 by importance sampling, and on a grid of two latents."""
    vae = vae_of(name)
    for variable in vae.encoder.trainable_variables:  # that z ~ q covers p(z|x)
        variable.assign(0.3 * variable)
    x = all_binary_images()
    estimate = vae.log_likelihood(x, num_samples=2000, seed=0)
    z, side = plane(steps=160)
    z = z.reshape(-1, 2)
    logits = ops.convert_to_numpy(vae.decoder(z)).reshape(-1, 4).astype("float64")
    log_joint = log_prior(vae, z) - np.sum(np.logaddexp(0.0, logits), axis=1)
    log_joint = log_joint + x.reshape(16, 4) @ logits.T
    log_p = np.logaddexp.reduce(log_joint, axis=1) + 2.0 * np.log(side)
    assert np.exp(log_p).sum() == pytest.approx(1.0, abs=2e-3)
    np.testing.assert_allclose(estimate, log_p, atol=0.1)
    images = vae.sample(40, seed=3)
    np.testing.assert_allclose(images, vae.decode(vae.draw_latents(40, seed=3)), atol=1e-6)


@pytest.mark.one_backend
@pytest.mark.parametrize("name", list(CASES))
def test_gradients_of_the_bound_are_its_differences(name):
    """A mixture's reach the encoder through the posterior and through the prior."""
    vae = vae_of(name, likelihood=FixedNormal(std=0.5))
    vae.compile()
    x = np.random.default_rng(0).random((4, 2, 2, 1)).astype("float32")
    noise = Given(np.random.default_rng(1).standard_normal((4, 1, 2)))

    def loss():
        return vae.negative_elbo(ops.convert_to_tensor(x), None, noise)

    variables = [vae.encoder.trainable_variables[-1], vae.prior_network.trainable_variables[-1]]
    for variable, found in zip(variables, backend.value_and_grad(loss, variables)[1], strict=True):
        found, start = numbers(found), numbers(variable.value)
        for index in [(0,) * start.ndim, (-1,) * start.ndim]:
            ends = []
            for step in (-0.01, 0.01):
                moved = start.copy()
                moved[index] += step
                variable.assign(moved)
                ends.append(float(loss()))
            variable.assign(start)
            assert found[index] == pytest.approx(np.diff(ends)[0] / 0.02, rel=0.02, abs=2e-3)
            assert np.abs(found).max() > 1e-3


def gradients(vae, eps):
    """Of what the players of DReG minimise, and of the bound alone, by player."""
    x, noise = ops.ones((len(eps), 1, 1, 1)), Given(eps)
    groups = [
        [v for net in nets for v in net.trainable_variables] for nets in vae.players().values()
    ]
    of_dreg = backend.values_and_grads(
        lambda: vae.doubly_reparameterized(x, None, noise), groups, [None, None]
    )[1]
    of_bound = backend.values_and_grads(
        lambda: [vae.negative_iwae(x, None, noise)] * 2, groups, [None, None]
    )[1]
    return [[[numbers(each) for each in group] for group in by] for by in (of_dreg, of_bound)]


@pytest.mark.one_backend
@pytest.mark.parametrize("beta", [1.0, 0.5])
def test_dreg_of_a_flow(beta):
    """Decoder and prior have the bound's own gradient; the encoder's have one mean."""
    x, z = keras.Input((1, 1, 1)), keras.Input((2,))
    encoder = keras.layers.Dense(4, kernel_initializer="zeros")
    decoder = keras.layers.Dense(1, kernel_initializer="ones")
    vae = kgen.VAE(
        (1, 1, 1),
        2,
        encoder=keras.Model(x, encoder(keras.layers.Flatten()(x))),
        decoder=keras.Model(z, keras.layers.Reshape((1, 1, 1))(decoder(z))),
        likelihood=FixedNormal(std=1.0),
        objective="dreg",
        num_samples=3,
        beta=beta,
        prior=priors.Flow(2, (4,)),
    )
    vae.compile()
    rng = np.random.default_rng(4)
    for variable in vae.prior_network.trainable_variables:
        variable.assign(0.6 * rng.standard_normal(variable.shape))
    encoder.bias.assign([-0.2, 0.3, -0.5, 0.2])
    bias = {"dreg": [], "bound": []}
    for eps in rng.standard_normal((16, 4000, 3, 2)):
        of_dreg, of_bound = gradients(vae, eps)
        for one, other in zip(of_dreg[1], of_bound[1], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
        bias["dreg"].append(of_dreg[0][1])
        bias["bound"].append(of_bound[0][1])
    error = sum(np.var(each, axis=0) / len(each) for each in bias.values())
    apart = np.mean(bias["dreg"], axis=0) - np.mean(bias["bound"], axis=0)
    assert (np.abs(apart) < 4.0 * np.sqrt(error)).all(), (apart, error)
    assert np.abs(np.mean(bias["dreg"], axis=0)).max() > 0.05
    if beta == 1.0:
        assert (np.var(bias["dreg"], axis=0) < np.var(bias["bound"], axis=0)).all()


@pytest.mark.one_backend
@pytest.mark.parametrize("name", ["vamp", "flow"])
def test_a_prior_of_the_codes_of_a_trained_model(name, digits):
    """With the networks frozen it alone moves, and the codes get likelier."""
    first = kgen.VAE((8, 8, 1), 2, width=8, seed=0)
    rng = np.random.default_rng(2)
    for variable in first.trainable_variables:
        variable.assign(0.5 * rng.standard_normal(variable.shape))
    first.encoder.trainable_variables[-1].assign([0.5, -0.5, -4.0, -4.0])
    first.encoder.trainable = first.decoder.trainable = False
    nets = {"encoder": first.encoder, "decoder": first.decoder}
    prior = {"vamp": priors.VampPrior(8), "flow": priors.Flow(2, (16,))}[name]
    second = kgen.VAE((8, 8, 1), 2, prior=prior, seed=0, **nets)
    second.compile(keras.optimizers.Adam(0.01), run_eagerly=EAGER)
    x = digits[0][:64]
    z = first.encode(x)
    before = log_prior(second, z).mean()
    weights = [first.encoder.get_weights(), first.decoder.get_weights()]
    start = numbers(second.prior_network.trainable_variables[-1].value)
    second.fit(x, batch_size=16, epochs=5, verbose=0)
    assert log_prior(second, z).mean() > before + 0.1
    for network, kept in zip(nets.values(), weights, strict=True):
        for one, other in zip(network.get_weights(), kept, strict=True):
            np.testing.assert_array_equal(one, other)
    assert np.abs(numbers(second.prior_network.trainable_variables[-1].value) - start).max() > 0
    np.testing.assert_allclose(second.reconstruct(x), first.reconstruct(x), atol=1e-6)


def test_pseudo_inputs_start_at_training_images(digits):
    images = digits[0][:10]
    vae = kgen.VAE((8, 8, 1), 2, width=4, depth=1, prior=priors.VampPrior(4), seed=0)
    noise = numbers(vae.prior_network.images())
    assert 0.0 <= noise.min() < 0.3 < 0.7 < noise.max() <= 1.0
    vae.adapt(images)
    x = vae.image.check(images)
    np.testing.assert_allclose(numbers(vae.prior_network.images()), x[[0, 3, 6, 9]], atol=0.021)
    vae.adapt([(images[:2], None)])  # fewer than there are
    found = numbers(vae.prior_network.images())
    np.testing.assert_allclose(found, x[[0, 1, 6, 9]], atol=0.021)


@pytest.mark.parametrize("name", ["vamp", "flow"])
def test_a_file_keeps_the_prior(name, tmp_path):
    vae = vae_of(name, (4, 4, 1))
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.prior.get_config() == PRIORS[name].get_config()
    np.testing.assert_array_equal(loaded.sample(3, seed=0), vae.sample(3, seed=0))
    x = np.random.default_rng(0).random((3, 4, 4, 1))
    np.testing.assert_array_equal(
        loaded.log_likelihood(x, num_samples=3, seed=0),
        vae.log_likelihood(x, num_samples=3, seed=0),
    )


def test_a_conditional_vae_has_one_flow_for_all_conditions():
    vae = vae_of("flow", (4, 4, 1), num_classes=3)
    vae.compile(run_eagerly=EAGER)
    x, y = np.random.default_rng(0).random((6, 4, 4, 1)), np.arange(6) % 3
    history = vae.fit(x, y, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    z = vae.draw_latents(3, seed=0)
    np.testing.assert_allclose(vae.sample(3, y[:3], seed=0), vae.decode(z, y[:3]), atol=1e-6)


@keras.saving.register_keras_serializable("tests")
class Wide(priors.Prior):
    """N(0, 4 I)."""

    def draw(self, noise, num):
        return 2.0 * noise.normal((num, self.size))

    def log_prob(self, z):
        terms = ops.square(0.5 * z) + np.log(8.0 * np.pi)
        return -0.5 * ops.sum(terms, axis=-1)


def test_a_prior_of_ones_own():
    """The estimate's mean is the divergence from it: here 2 log 2 - 3/4 of each two latents."""
    zeros = keras.layers.Dense(4, kernel_initializer="zeros")
    x = keras.Input((2, 2, 1))
    encoder = keras.Model(x, zeros(keras.layers.Flatten()(x)))  # N(0, I)
    vae = kgen.VAE((2, 2, 1), 2, encoder, width=4, depth=1, prior=Wide(2), seed=0)
    assert np.std(vae.draw_latents(2000, seed=0)) == pytest.approx(2.0, rel=0.05)
    vae.compile(run_eagerly=EAGER)
    logs = vae.evaluate(np.zeros((4000, 2, 2, 1)), batch_size=4000, verbose=0, return_dict=True)
    assert logs["kl_loss"] == pytest.approx(2.0 * np.log(2.0) - 0.75, abs=0.06)


SHAPE = (4, 4, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: kgen.VAE(SHAPE, 2, prior="gamma"), r"\['normal', 'vamp', 'flow'\].*'gamma'"),
        (lambda: kgen.VAE(SHAPE, 2, prior=None), "Received: prior=None"),
        (lambda: kgen.VAE(SHAPE, 2, prior=["flow"]), r"Received: prior=\['flow'\]"),
        (lambda: kgen.VAE(SHAPE, 2, prior=priors.VampPrior), "Received: prior=<class"),
        (lambda: kgen.VAE(SHAPE, 2, prior=priors.Normal(3)), "vectors of length 2.*one of 3"),
        (lambda: kgen.VAE(SHAPE, 2, prior="uniform"), "density above 0.*Received: Uniform"),
        (
            lambda: kgen.VAE(SHAPE, 5, prior=priors.Codes(priors.Normal(2), (3,), 0)),
            "density above 0.*Received: Codes",
        ),
        (lambda: kgen.VAE(SHAPE, 2, prior="flow", free_bits=0.1), "free_bits=None.*Flow"),
        (lambda: kgen.VAE(SHAPE, 2, prior=Wide(2), free_bits=0.1), "free_bits=None.*Wide"),
        (
            lambda: kgen.VAE(SHAPE, 2, prior="vamp", objective="dreg"),
            "'elbo' or 'iwae'.*objective='dreg'",
        ),
        (
            lambda: kgen.VAE(SHAPE, 2, prior="vamp", posterior_family="iaf"),
            "'normal' or 'full'.*Received: IAF",
        ),
        (
            lambda: kgen.VAE(SHAPE, 2, prior="vamp", num_classes=3),
            "no condition.*conditional",
        ),
        (lambda: kgen.VAE(SHAPE, 2, prior="vamp", condition=Label(3)), "no condition"),
        (lambda: kgen.VAE(SHAPE, 1, prior="flow"), "two latents at least.*latent_dim=1"),
        (lambda: kgen.BetaTCVAE(SHAPE, 2, prior="flow"), "prior='normal'.*Received: Flow"),
        (lambda: kgen.FactorVAE(SHAPE, 2, prior="vamp"), "prior='normal'.*Received: VampPrior"),
        (lambda: kgen.DCGAN((8, 8, 1), 2, prior="flow"), "nothing to learn.*prior=flow"),
        (lambda: kgen.InfoGAN(SHAPE, 2, prior=priors.Flow()), "nothing to learn.*prior=Flow"),
        (lambda: kgen.FlowMatching(SHAPE, prior="vamp"), "nothing to learn.*prior=vamp"),
        (lambda: priors.VampPrior(0), "components"),
        (lambda: priors.Flow(steps=0), "steps"),
        (lambda: priors.Flow(units=0.5), "units"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
