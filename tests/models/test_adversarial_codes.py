"""VAE/GAN and BiGAN: who gets which gradient, and the losses by hand."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, networks
from kgen.noise import StepNoise
from tests.contract import set_weights_by_formula
from tests.zoo import SHAPE, bigan, vae_gan

pytestmark = pytest.mark.one_backend
IMAGES = np.random.default_rng(0).random((6, *SHAPE), dtype="float32")
LABELS = np.arange(6, dtype="int32") % 3
STEP = 3e-3
LOSSES = {"vae_gan": (vae_gan, "losses_of_all"), "bigan": (bigan, "losses_of_both")}


def noise():
    return StepNoise(keras.random.SeedGenerator(5).next())


def batch(model):
    x, y = IMAGES, None if model.condition is None else LABELS
    return ops.convert_to_tensor(x), None if y is None else ops.convert_to_tensor(y)


def losses_of(model, name):
    """Each player's loss, by its name, as functions of the weights as they are."""

    def losses():
        found = getattr(model, LOSSES[name][1])(*batch(model), noise())
        return dict(zip(model.players(), found, strict=True))

    return losses


def gradients(model, name):
    """Of each player the gradient of its weights, as arrays."""
    losses = losses_of(model, name)
    groups = [[v for n in nets for v in n.trainable_variables] for nets in model.players().values()]
    optimizers = [keras.optimizers.SGD(0.0) for _ in groups]
    for optimizer, group in zip(optimizers, groups, strict=True):
        optimizer.build(group)
    _, found = backend.values_and_grads(lambda: list(losses().values()), groups, optimizers)
    arrays = [[ops.convert_to_numpy(gradient) for gradient in each] for each in found]
    return dict(zip(model.players(), arrays, strict=True)), dict(
        zip(model.players(), groups, strict=True)
    )


@pytest.mark.parametrize("name", list(LOSSES))
def test_each_player_moves_by_its_own_loss(name):
    """By finite differences of its loss, along its gradient."""
    model = LOSSES[name][0](seed=0)
    set_weights_by_formula(model)
    losses = losses_of(model, name)
    found, groups = gradients(model, name)
    for player, group in groups.items():
        norm = np.sqrt(sum(np.sum(g.astype("float64") ** 2) for g in found[player]))
        start = [ops.convert_to_numpy(variable) for variable in group]
        ends = []
        for step in (STEP, -STEP):
            for variable, value, gradient in zip(group, start, found[player], strict=True):
                variable.assign(value + step * gradient / norm)
            ends.append(float(ops.convert_to_numpy(losses()[player])))
        for variable, value in zip(group, start, strict=True):
            variable.assign(value)
        assert (ends[0] - ends[1]) / (2 * STEP) == pytest.approx(norm, rel=3e-2), player


def test_the_encoder_sees_no_gan_and_the_discriminator_no_error():
    model = vae_gan(seed=0)
    before, _ = gradients(model, "vae_gan")
    logits = model.discriminator.get_layer("logits")
    logits.kernel.assign(-3.0 * logits.kernel)
    of_other_logits, _ = gradients(model, "vae_gan")
    for a, b in zip(before["encoder"], of_other_logits["encoder"], strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(before["decoder"][0] - of_other_logits["decoder"][0]).max() > 1e-5
    logits.kernel.assign(logits.kernel / -3.0)
    model.feature_weight = 7.0
    of_other_weight, _ = gradients(model, "vae_gan")
    for a, b in zip(before["discriminator"], of_other_weight["discriminator"], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)
    assert np.abs(before["decoder"][0] - of_other_weight["decoder"][0]).max() > 1e-5


def test_the_losses_of_a_vae_gan_by_hand():
    model = vae_gan(seed=0, feature_weight=0.3)
    draws = noise()
    mean, log_var = np.split(ops.convert_to_numpy(model.encoder(IMAGES)), 2, axis=1)
    eps = ops.convert_to_numpy(draws.normal((6, 1, 3)))[:, 0]
    z = ops.convert_to_numpy(draws.normal((6, 3)))
    codes = mean + np.exp(0.5 * log_var) * eps
    fakes = [model.decoder(each) for each in (codes, z)]
    outputs = [model.discriminator(each) for each in (2.0 * IMAGES - 1.0, *fakes)]
    logits = [ops.convert_to_numpy(each[0])[:, 0] for each in outputs]
    features = [ops.convert_to_numpy(each[1]) for each in outputs]
    error = 0.5 * ((features[0] - features[1]) ** 2).sum(axis=1)
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1.0 - log_var).sum(axis=1)
    of_fakes = np.logaddexp(0.0, logits[1:]), np.logaddexp(0.0, np.negative(logits[1:]))
    expected = {
        "encoder": kl + error,
        "decoder": 0.3 * error + of_fakes[1].sum(axis=0),
        "discriminator": np.logaddexp(0.0, -logits[0]) + of_fakes[0].sum(axis=0),
    }
    for player, loss in losses_of(model, "vae_gan")().items():
        assert float(ops.convert_to_numpy(loss)) == pytest.approx(expected[player].mean(), rel=1e-5)


def test_the_losses_of_a_bigan_by_hand():
    model = bigan(seed=0)
    draws = noise()
    mean, log_var = np.split(ops.convert_to_numpy(model.encoder([IMAGES, LABELS])), 2, axis=1)
    codes = mean + np.exp(0.5 * log_var) * ops.convert_to_numpy(draws.normal((6, 1, 3)))[:, 0]
    z = ops.convert_to_numpy(draws.normal((6, 3)))
    fakes = ops.sigmoid(model.decoder([z, LABELS]))
    labels, pairs = ops.convert_to_tensor(LABELS), ((IMAGES, codes), (fakes, z))
    real, fake = (
        ops.convert_to_numpy(model.discriminator([*map(ops.convert_to_tensor, pair), labels]))[:, 0]
        for pair in pairs
    )
    found = losses_of(model, "bigan")()
    found = {player: float(ops.convert_to_numpy(loss)) for player, loss in found.items()}
    expected = np.logaddexp(0.0, -real) + np.logaddexp(0.0, fake)
    assert found["discriminator"] == pytest.approx(expected.mean(), rel=1e-5)
    # Of labels exchanged: softplus(a) + softplus(-a) = |a| + 2 softplus(-|a|).
    sizes = np.abs([real, fake])
    both = (sizes + 2.0 * np.logaddexp(0.0, -sizes)).sum(axis=0).mean()
    assert sum(found.values()) == pytest.approx(both, rel=1e-5)


def test_a_discriminator_that_cannot_tell_is_right_half_of_the_time():
    model = bigan(seed=0)
    for variable in model.discriminator.trainable_variables[-2:]:
        variable.assign(np.zeros(variable.shape))
    for loss in losses_of(model, "bigan")().values():
        assert float(ops.convert_to_numpy(loss)) == pytest.approx(2.0 * np.log(2.0), rel=1e-6)


@pytest.mark.anywhere
@pytest.mark.parametrize("architecture", ["dense", "convolutional"])
def test_presets_of_a_bigan(architecture):
    model = kgen.BiGAN(SHAPE, 3, architecture=architecture, width=4, num_classes=3, seed=0)
    assert isinstance(model.prior, kgen.priors.Uniform)
    model.compile()
    model.fit(IMAGES, LABELS, batch_size=6, verbose=0)
    assert model.encode(IMAGES, LABELS).shape == (6, 3)
    assert model.reconstruct(IMAGES, LABELS).shape == IMAGES.shape


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Autoencoder", "convolutional"),
        ("VAE", "convolutional"),
        ("BiGAN", "convolutional"),
        ("PixelVAE", "dense"),
    ],
)
def test_architecture_with_networks_of_ones_own(name, other):
    model_class = getattr(kgen, name)
    made = model_class(SHAPE, 3, width=8)
    parts = ["encoder", "decoder", *["discriminator"] * (name == "BiGAN")]
    own = {part: getattr(made, part) for part in parts}
    model_class(SHAPE, 3, **own)
    with pytest.raises(ValueError, match="Expected no architecture with a network of your own"):
        model_class(SHAPE, 3, **own, architecture=other)
    own.popitem()
    assert model_class(SHAPE, 3, **own, architecture=other).architecture == other


def test_width_sizes_the_preset_that_is_left():
    networks = kgen.BiGAN(SHAPE, 3, width=8, seed=0)
    own = {"encoder": networks.encoder, "decoder": networks.decoder}
    model = kgen.BiGAN(SHAPE, 3, **own, width=8, seed=0)
    sizes = [m.discriminator.count_params() for m in (networks, model, kgen.BiGAN(SHAPE, 3, **own))]
    assert sizes[0] == sizes[1] < sizes[2]
    with pytest.raises(ValueError, match="Expected no width with networks of your own"):
        kgen.BiGAN(SHAPE, 3, **own, discriminator=model.discriminator, width=8)
    with pytest.raises(ValueError, match="Expected no depth with networks of your own"):
        kgen.BiGAN(SHAPE, 3, **own, depth=1)
    parts = kgen.VAEGAN(SHAPE, 3, width=4, seed=0)
    model = kgen.VAEGAN(SHAPE, 3, parts.encoder, parts.decoder, width=4, seed=0)
    assert model.discriminator.count_params() == parts.discriminator.count_params()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: kgen.BiGAN(SHAPE, 3, discriminator=networks.maxout_discriminator(SHAPE)),
            r"discriminator to map \(batch, 8, 8, 1\) and a vector to \(batch, 1\)",
        ),
        (
            lambda: kgen.BiGAN(
                SHAPE, 3, stochastic=True, encoder=networks.dense_encoder(SHAPE, 3, units=(4,))
            ),
            r"\(batch, 6\), means and then log-variances",
        ),
        (
            lambda: kgen.VAEGAN(
                SHAPE, 3, discriminator=networks.dcgan_discriminator(SHAPE, filters=4)
            ),
            r"\(batch, 1\) and \(batch, n\)",
        ),
        (lambda: kgen.VAEGAN((4, 4, 1), 3), "at least 8"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
