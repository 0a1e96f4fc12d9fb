"""What the arguments of the adversarial models do to their losses, steps and samples."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import losses, networks
from kgen.noise import StepNoise
from tests.models.test_gans import set_weights

SHAPE = (8, 8, 1)


def tiny(model_class, **kwargs):
    """A model without dropout or batch normalization, its weights fixed."""
    is_info = model_class is kgen.InfoGAN
    judge = "critic" if model_class in (kgen.WGAN, kgen.WGANGP) else "discriminator"
    nets = {
        "generator": networks.dense_generator(7 if is_info else 3, SHAPE, units=(8,)),
        judge: networks.dcgan_discriminator(
            SHAPE, filters=2, batch_normalization=False, with_features=is_info
        ),
    }
    codes = {"categorical": (3,), "continuous": 1} if is_info else {}
    if is_info:
        features = nets[judge].outputs[1].shape[-1]
        nets["recognition"] = keras.Sequential([keras.Input((features,)), keras.layers.Dense(4)])
    set_weights(*nets.values())
    gan = model_class(SHAPE, latent_dim=3, seed=0, **codes, **nets, **kwargs)
    if is_info:
        set_weights(gan.recognition)
    return gan


def noise_of(seed):
    return StepNoise(keras.random.SeedGenerator(seed).next())


def number(tensor):
    return float(ops.convert_to_numpy(tensor))


def images(num):
    return np.random.default_rng(5).random((num, *SHAPE), dtype="float32")


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("model_class", "name", "logged"),
    [
        (kgen.DCGAN, "r1_weight", "r1_penalty"),
        (kgen.WGANGP, "r1_weight", "r1_penalty"),
        (kgen.WGANGP, "gp_weight", "gradient_penalty"),
        (kgen.InfoGAN, "info_weight", "info_loss"),
    ],
)
def test_a_term_counts_by_its_weight(model_class, name, logged):
    values, terms = {"discriminator": [], "generator": []}, []
    for weight in (0.5, 2.0):
        gan = tiny(model_class, **{name: weight})
        x, noise = ops.convert_to_tensor(2.0 * images(4) - 1.0), noise_of(0)
        z = gan.draw(noise, x)
        x_fake = gan.generate(z)
        loss = gan.adversary_loss(x, x_fake, z, None, noise, training=False)
        values["discriminator"].append(number(loss))
        terms.append(number(gan._trackers[logged].result()))
        values["generator"].append(number(gan.generator_loss(z, None, x, training=False)))
    assert abs(terms[0]) > 1e-3 and terms[1] == pytest.approx(terms[0], rel=1e-5)
    differences = {player: np.diff(loss)[0] for player, loss in values.items()}
    assert differences["discriminator"] == pytest.approx(1.5 * terms[0], rel=1e-4)
    in_both = 1.5 * terms[0] if logged == "info_loss" else 0.0
    assert differences["generator"] == pytest.approx(in_both, rel=1e-4, abs=1e-6)


@pytest.mark.one_backend
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
@pytest.mark.parametrize("loss", ["minimax", "non_saturating"])
def test_the_losses_that_a_gan_was_asked_for(loss, label_smoothing):
    gan = tiny(kgen.GAN, loss=loss, label_smoothing=label_smoothing)
    x, noise = ops.convert_to_tensor(2.0 * images(4) - 1.0), noise_of(0)
    z = gan.draw(noise, x)
    x_fake = gan.generate(z)
    real, fake = (gan.adversary.judge(batch)[0] for batch in (x, x_fake))
    expected = losses.minimax_discriminator_loss(real, fake, label_smoothing)
    found = gan.adversary_loss(x, x_fake, z, None, noise, training=False)
    assert number(found) == pytest.approx(number(ops.mean(expected)), rel=1e-6)
    expected = getattr(losses, f"{loss}_generator_loss")(fake)
    found = gan.generator_loss(z, None, x, training=False)
    assert number(found) == pytest.approx(number(ops.mean(expected)), rel=1e-6)


def test_both_players_train_with_dropout():
    judge = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dropout(0.5)]
        + [keras.layers.Dense(1)]
    )
    gan = kgen.DCGAN(
        SHAPE, 3, generator=networks.dense_generator(3, SHAPE, units=(8,)), discriminator=judge
    )
    x, noise = ops.convert_to_tensor(2.0 * images(4) - 1.0), noise_of(0)
    z = gan.draw(noise, x)
    x_fake = gan.generate(z)
    for training in (True, False):
        calls = (
            lambda on=training: gan.adversary_loss(x, x_fake, z, None, noise, on),
            lambda on=training: gan.generator_loss(z, None, x, on),
        )
        for call in calls:
            assert (np.ptp([number(call()) for _ in range(4)]) > 1e-4) == training


def test_samples_are_of_the_averaged_weights():
    gan = tiny(kgen.LSGAN, ema_decay=0.9)
    gan.average.network.set_weights([0.5 * w for w in gan.generator.get_weights()])
    z = gan.draw_latents(4, seed=0)
    raw, averaged = (
        0.5 * (ops.convert_to_numpy(network(z)) + 1.0)
        for network in (gan.generator, gan.average.network)
    )
    np.testing.assert_allclose(gan.decode(z), averaged, atol=1e-6)
    assert np.abs(raw - averaged).max() > 0.01


def test_steps_of_the_discriminator_to_one_of_the_generator():
    gan = tiny(kgen.GAN, discriminator_steps=3)
    gan.compile()
    gan.fit(images(12), batch_size=6, verbose=0)
    updates = {p: int(number(gan.optimizer[p].iterations)) for p in gan.players()}
    assert updates == {"discriminator": 6, "generator": 2}


@pytest.mark.one_backend
def test_the_critic_is_clipped_after_each_of_its_steps():
    gan = tiny(kgen.WGAN, n_critic=3)
    gan.compile(run_eagerly=True)
    clip, largest = gan.clip_weights, []

    def spy():
        clip()
        largest.append(max(np.abs(w).max() for w in gan.critic.get_weights()))

    gan.clip_weights = spy
    gan.fit(images(6), batch_size=6, verbose=0)
    assert largest == pytest.approx([0.01] * 3, abs=1e-8)


@pytest.mark.one_backend
def test_gradient_norms_by_the_way_that_weights_go():
    """With SGD at a rate of 1 a step is as long as the gradient."""
    gan = tiny(kgen.DCGAN, log_gradient_norms=True)
    gan.compile(keras.optimizers.SGD(1.0))
    before = {name: getattr(gan, name).get_weights() for name in gan.players()}
    logs = gan.fit(images(4), batch_size=4, verbose=0).history
    for name, start in before.items():
        moved = [a - b for a, b in zip(getattr(gan, name).get_weights(), start, strict=True)]
        length = np.sqrt(sum(np.square(way).sum() for way in moved))
        assert length > 1e-3
        assert logs[f"{name}_gradient_norm"][0] == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("model_class", [kgen.GAN, kgen.InfoGAN])
@pytest.mark.parametrize(("prior", "variance"), [("uniform", 1 / 3), ("normal", 1.0)])
def test_latents_are_of_the_prior(model_class, prior, variance):
    gan = tiny(model_class, prior=prior)
    for z in (
        gan.draw_latents(2000, seed=0),
        ops.convert_to_numpy(gan.draw(noise_of(1), np.zeros(2000))),
    ):
        noise = z[:, :3]
        assert np.abs(noise.mean(axis=0)).max() < 5 * np.sqrt(variance / 2000)
        assert noise.var() == pytest.approx(variance, rel=0.1)
        assert (np.abs(noise).max() > 1.0) == (prior == "normal")
        if model_class is kgen.InfoGAN:
            np.testing.assert_array_equal(np.sort(z[:, 3:6], axis=1), [[0, 0, 1]] * 2000)
            assert np.abs(z[:, 3:6].mean(axis=0) - 1 / 3).max() < 0.06
            assert np.abs(z[:, 6]).max() <= 1.0 and z[:, 6].var() == pytest.approx(1 / 3, rel=0.1)


def test_rates_fall_to_0():
    gan = tiny(kgen.WGANGP, n_critic=2, decay_steps=10)
    for player, steps in (("critic", 20), ("generator", 10)):
        config = gan.default_optimizers()[player].get_config()["learning_rate"]
        schedule = keras.optimizers.schedules.deserialize(config)
        rates = [number(schedule(step)) for step in (0, steps // 2, steps, 2 * steps)]
        np.testing.assert_allclose(rates, [1e-4, 5e-5, 0.0, 0.0], atol=1e-10)


def test_interpolation_ends_at_what_it_was_given():
    gan = tiny(kgen.LSGAN)
    z = gan.draw_latents(4, seed=0)
    for spherical in (False, True):
        way = gan.interpolate(z[:2], z[2:], steps=5, spherical=spherical)
        assert way.shape == (2, 5, *SHAPE)
        ends = np.stack([gan.decode(z[:2]), gan.decode(z[2:])], axis=1)
        np.testing.assert_allclose(way[:, [0, -1]], ends, atol=1e-5)


class Killed(Exception):
    """Ends a training."""


@pytest.mark.one_backend
def test_keras_backs_up_every_player(tmp_path):
    """A training that ends in the middle of its second epoch goes on after the first."""

    def fit(*callbacks):
        gan = tiny(kgen.GAN, ema_decay=0.5)
        gan.compile({player: keras.optimizers.Adam(1e-2) for player in gan.players()})
        settings = {"batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0}
        history = gan.fit(images(12), callbacks=callbacks, **settings)
        return history.epoch, [ops.convert_to_numpy(variable) for variable in gan.variables]

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))

    _, whole = fit()
    batches = itertools.count()

    def kill(*_, **__):
        if next(batches) == 4:
            raise Killed

    killer = keras.callbacks.LambdaCallback(on_train_batch_end=kill)
    with pytest.raises(Killed):
        fit(backup(), killer)
    epochs, resumed = fit(backup())
    assert epochs == [1, 2]
    for value, expected in zip(resumed, whole, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-6)


def test_a_discriminator_that_is_always_right_is_reported():
    """Its logit is the sum of the pixels: white images are real, the generator's black."""
    black = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(64, "tanh", kernel_initializer="zeros")]
    )
    black.layers[0].bias.assign([-1.0] * 64)
    black.add(keras.layers.Reshape(SHAPE))
    total = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten()]
        + [keras.layers.Dense(1, kernel_initializer="ones")]
    )
    gan = kgen.DCGAN(SHAPE, 3, generator=black, discriminator=total)
    gan.compile(keras.optimizers.SGD(0.0))
    stuck = kgen.callbacks.StuckDiscriminator()
    with pytest.warns(UserWarning, match="right about every image in epoch 1"):
        gan.fit(np.ones((8, *SHAPE)), batch_size=4, verbose=0, callbacks=[stuck])
