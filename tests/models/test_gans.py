import functools
import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, networks
from kgen.models import penalties
from kgen.models.games import LeastSquares
from kgen.models.optimizers import with_learning_rate
from kgen.noise import StepNoise
from tests.contract import Subject
from tests.tiers import in_tiers
from tests.zoo import ZOO, perceptrons, tiny_critic

SHAPE = (8, 8, 1)


WASSERSTEIN = (kgen.WGAN, kgen.WGANGP)
ALL = [kgen.GAN, kgen.DCGAN, kgen.LSGAN, kgen.WGAN, kgen.WGANGP, kgen.ConditionalGAN, kgen.InfoGAN]


@pytest.mark.each_backend
@pytest.mark.parametrize("model_class", in_tiers(ALL, quick=[kgen.DCGAN], on_each=ALL[1::2]))
def test_every_option_together(model_class, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, *SHAPE), dtype="uint8")
    labels = np.arange(20) % 3
    gan = model_class(
        SHAPE,
        num_classes=3,
        latent_dim=2,
        projection=True,
        spectral_normalization=True,
        r1_weight=0.1,
        ema_decay=0.9,
        log_gradient_norms=True,
        width=4,
        seed=0,
        **({"clip": None} if model_class is kgen.WGAN else {}),
        **({"n_critic": 2} if model_class in WASSERSTEIN else {}),
    )
    gan.compile()
    history = gan.fit(images, labels, batch_size=10, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert {"r1_penalty", "generator_gradient_norm", f"{gan.adversary.name}_gradient_norm"} <= set(
        history
    )
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    samples = [model.sample(3, [0, 1, 2], seed=0) for model in (gan, loaded)]
    np.testing.assert_array_equal(*samples)


@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 15, 3), (28, 28, 1), (64, 33, 3)])
def test_presets_make_any_size(shape):
    for gan in (kgen.DCGAN(shape, 2), kgen.WGANGP(shape, 2)):
        assert gan.sample(1, seed=0).shape == (1, *shape)


def test_presets_below_8_pixels():
    with pytest.raises(ValueError, match="at least 8x8"):
        kgen.DCGAN((7, 8, 1))


def test_the_critic_sees_other_images_in_each_step():
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic())
    gan.compile(run_eagerly=True)
    seen, updates = [], []
    minimize = gan.minimize

    def spy(loss, player, *args):
        updates.append(player)
        if player == "critic":
            seen.append(ops.convert_to_numpy(args[0]))
        return minimize(loss, player, *args)

    gan.minimize = spy
    images = np.random.default_rng(0).random((12, *SHAPE), dtype="float32")
    gan.fit(images, batch_size=12, shuffle=False, verbose=0)
    assert len(seen) == 3
    for step, part in enumerate(seen):
        np.testing.assert_allclose(part, 2.0 * images[step::3] - 1.0, atol=1e-6)
    assert updates == ["critic"] * 3 + ["generator"]


@pytest.mark.each_backend
@pytest.mark.parametrize("run_eagerly", in_tiers([True, False], quick=[False]))
def test_the_critic_is_clipped(run_eagerly):
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic())
    gan.compile(run_eagerly=run_eagerly)
    gan.fit(np.zeros((12, *SHAPE)), batch_size=6, verbose=0)
    largest = [np.abs(ops.convert_to_numpy(v)).max() for v in gan.critic.trainable_variables]
    assert max(largest) == pytest.approx(0.01, abs=1e-8)


@pytest.mark.parametrize(
    ("num", "rows"),
    [(6, [[0, 3], [1, 4], [2, 5]]), (5, [[0, 3], [1, 4], [2, 0]]), (2, [[0], [1], [0]])],
)
def test_a_batch_that_does_not_divide_is_filled_up(num, rows):
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic())
    images = np.arange(num, dtype="float32")[:, None, None, None] * np.ones((1, *SHAPE), "float32")
    parts = gan.parts(ops.convert_to_tensor(images), ops.arange(num))
    for (x, y), expected in zip(parts, rows, strict=True):
        assert ops.convert_to_numpy(x)[:, 0, 0, 0].tolist() == expected
        assert ops.convert_to_numpy(y).tolist() == expected


@pytest.mark.each_backend
def test_a_batch_that_does_not_divide_is_told_of_once():
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic())
    gan.compile()
    message = "A batch of 4 .* 3 steps of the critic.*: 2 of them are seen twice.*: 3 and 6."
    with pytest.warns(UserWarning, match=message) as told:
        # Batches of 4, 4 and 1.
        gan.fit(np.zeros((9, *SHAPE)), batch_size=4, epochs=2, verbose=0)
    assert len([each for each in told if "seen twice" in str(each.message)]) == 1
    assert int(ops.convert_to_numpy(gan.optimizer["critic"].iterations)) == 2 * 3 * 3


def test_networks_see_and_make_images_in_their_own_range():
    """[-1, 1] inside, [0, 1] outside: of samples, of what the judges see, of what Q sees."""
    gan = ZOO["info_gan"].make()
    z = gan.draw_latents(5, seed=0)
    inside = ops.convert_to_numpy(gan.generator(z))
    np.testing.assert_allclose(gan.decode(z), 0.5 * (inside + 1.0), atol=1e-6)
    _, features = gan.discriminator(inside)
    expected = ops.convert_to_numpy(gan.recognition(features))
    codes = gan.infer_codes(gan.decode(z))
    np.testing.assert_array_equal(codes[:, 0], expected[:, :3].argmax(axis=1))
    np.testing.assert_allclose(codes[:, 1], np.clip(expected[:, 3], -1.0, 1.0), atol=1e-5)


def test_a_gan_adapts_to_the_mean_image(digits):
    images = digits[0]
    gan = kgen.GAN((8, 8, 1), 3)
    gan.adapt(images)
    mean = gan.decode(np.zeros((1, 3)))[0]
    np.testing.assert_allclose(mean, np.clip(images.mean(axis=0), 0.001, 0.999), atol=1e-5)


def test_a_dcgan_starts_at_grey(digits):
    gan = kgen.DCGAN((8, 8, 1), 3)
    before = gan.generator.get_weights()
    gan.adapt(digits[0])
    for value, start in zip(gan.generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, start)


def test_smoothed_labels_of_least_squares():
    gan = kgen.LSGAN(SHAPE, 3, a=-1.0, b=3.0, label_smoothing=0.25, **perceptrons())
    loss = gan.adversary.game.adversary_loss(
        ops.ones((1, 1)) * 5.0, ops.ones((1, 1)) * 2.0, gan.label_smoothing
    )
    # Real images are to have 3 - 1/4 (3 + 1) = 2, fakes -1.
    assert ops.convert_to_numpy(loss) == pytest.approx(0.5 * (5.0 - 2.0) ** 2 + 0.5 * 3.0**2)


def test_a_game_of_least_squares_comes_back_with_its_labels():
    gan = kgen.LSGAN(SHAPE, 3, loss=LeastSquares(-1.0, 1.0, 0.0), **perceptrons())
    again = kgen.LSGAN.from_config(gan.get_config())
    for each in (gan, again):
        assert (each.a, each.b, each.c) == (-1.0, 1.0, 0.0)
        assert each.adversary.game.get_config() == {"a": -1.0, "b": 1.0, "c": 0.0}


@pytest.mark.parametrize("model_class", [kgen.WGAN, kgen.WGANGP])
def test_a_critic_keeps_its_smoothed_labels(model_class, tmp_path):
    smoothing = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    gan = model_class(SHAPE, 3, loss="minimax", label_smoothing=smoothing, **perceptrons("critic"))
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert again.label_smoothing.get_config() == smoothing.get_config()


@pytest.mark.parametrize(("decay", "kept"), [(0.1, 0.1), (0.75, 2 / 11)])
def test_the_average_of_the_weights(decay, kept):
    """It keeps the part `decay` of itself, but in the first step at most 2/11."""
    gan = kgen.GAN(SHAPE, 3, ema_decay=decay, **perceptrons())
    gan.compile({player: keras.optimizers.Adam(0.1) for player in gan.players()})
    start = ops.convert_to_numpy(gan.generator.trainable_variables[0])
    gan.fit(np.zeros((4, *SHAPE)), batch_size=4, verbose=0)
    end = ops.convert_to_numpy(gan.generator.trainable_variables[0])
    average = ops.convert_to_numpy(gan.average.network.variables[0])
    assert np.abs(end - start).max() > 0.01
    np.testing.assert_allclose(average, kept * start + (1 - kept) * end, atol=1e-7)


@keras.saving.register_keras_serializable("tests")
class OwnGenerator(keras.Model):
    """A user's generator, as a subclass."""

    def __init__(self, units=5, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = keras.layers.Dense(units, "relu")
        self.points = keras.layers.Dense(2, "tanh")

    def call(self, z):
        return ops.reshape(self.points(self.hidden(z)), (-1, 1, 2, 1))

    def get_config(self):
        return {"units": self.units, "name": self.name}


def test_a_subclassed_generator_is_averaged_and_saved(tmp_path):
    judge = keras.Sequential(
        [keras.Input((1, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    gan = kgen.LSGAN(
        (1, 2, 1), 3, generator=OwnGenerator(), discriminator=judge, ema_decay=0.5, seed=0
    )
    gan.compile()
    gan.fit(np.zeros((8, 1, 2, 1)), batch_size=4, verbose=0)
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(gan.sample(3, seed=0), loaded.sample(3, seed=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prior": "cauchy"}, "prior"),
        ({"loss": "cauchy"}, "loss in"),
        ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing=0 with the loss Hinge"),
        ({"width": 3}, "no width with networks of your own"),
        ({"label_smoothing": 1.0}, "label_smoothing"),
        ({"r1_weight": -1.0}, "weight of r1_penalty finite"),
        ({"r1_weight": np.nan}, "weight of r1_penalty finite"),
        ({"r1_weight": np.inf}, "weight of r1_penalty finite"),
        ({"generator": "dense"}, "generator='dense', which is no keras.Model"),
        ({"ema_decay": 1.0}, "decay of average in"),
        ({"projection": True}, "num_classes"),
        (lambda: {"generator": networks.dense_generator(4, SHAPE)}, "generator to map"),
        ({"discriminator": keras.Sequential([keras.Input(SHAPE)])}, "discriminator to map"),
    ],
)
def test_bad_arguments(arguments, message):
    arguments = arguments() if callable(arguments) else arguments
    with pytest.raises(ValueError, match=message):
        kgen.GAN(SHAPE, 3, **(perceptrons() | arguments))


def test_labels_for_an_unconditional_model_or_none_for_a_conditional_one():
    gan = kgen.GAN(SHAPE, 3, **perceptrons())
    with pytest.raises(ValueError, match="Expected no labels"):
        gan.sample(2, labels=[0, 1])
    gan = kgen.ConditionalGAN(SHAPE, 3, 3, **perceptrons(condition=3))
    gan.compile()
    for labels in (None, [0, 3], [0.0, 1.0], [0]):
        with pytest.raises(ValueError, match="labels"):
            gan.sample(2, labels=labels)
        with pytest.raises(ValueError, match="labels|cardinality|sizes"):
            gan.fit(np.zeros((2, *SHAPE)), None if labels is None else np.array(labels), verbose=0)


def test_keras_spectral_normalization_is_refused():
    critic = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.SpectralNormalization(keras.layers.Dense(1)),
        ]
    )
    with pytest.raises(ValueError, match="kgen.layers.SpectralNormalization"):
        kgen.DCGAN(SHAPE, 3, discriminator=critic)


def fixed_noise(monkeypatch):
    """The same noise on every backend, other noise in each call."""
    calls = itertools.count(1)

    def uniform(shape, low=0.0, high=1.0, seed=None, dtype=None):
        num = int(np.prod(shape))
        wave = 0.5 + 0.5 * np.sin(next(calls) * (1.0 + np.arange(num)))
        return ops.convert_to_tensor((low + (high - low) * wave).reshape(shape), "float32")

    def randint(shape, low, high, seed=None, dtype=None):
        return ops.cast(ops.floor(uniform(shape, low, high)), "int32")

    monkeypatch.setattr(keras.random, "uniform", uniform)
    monkeypatch.setattr(keras.random, "normal", functools.partial(uniform, low=-1.5, high=1.5))
    monkeypatch.setattr(keras.random, "randint", randint)


def set_weights(*nets):
    """The same weights on every backend."""
    rng = np.random.default_rng(0)
    for network in nets:
        for variable in network.trainable_variables:
            start = 1.0 if variable.name == "gamma" else 0.0
            variable.assign(start + 0.2 * rng.standard_normal(variable.shape))


GOLDEN = {
    "GAN": [1.384352, 0.635630, 0.966667, 0.000000, 84.772324, 49.737949],
    "DCGAN": [1.357275, 0.824675, 0.300000, 0.883333, 13.390175, 20.457748],
    "LSGAN": [0.598339, 0.585181, 0.000000, 1.000000, 13.369569, 20.434843],
    "WGAN": [-0.006592, 0.009681, 0.006592, 0.732149, 20.483601],
    "WGANGP": [-0.355162, 0.224182, 0.355162, 0.053700, 16.229006, 20.301519],
    "ConditionalGAN": [1.540539, 0.752414, 0.316667, 0.583333, 38.073071, 49.027328],
    "InfoGAN": [1.428082, 0.774700, 0.216667, 0.833333, 0.526542, 13.465638, 884.350159, 43.874462],
}


ACCURACIES = ("real_accuracy", "fake_accuracy")
LOGS = {
    kgen.WGAN: ("wasserstein_distance",),
    kgen.WGANGP: ("wasserstein_distance", "gradient_penalty"),
    kgen.InfoGAN: (*ACCURACIES, "info_loss"),
}


@pytest.mark.each_backend
@pytest.mark.parametrize("model_class", ALL)
def test_goldens_agree_over_the_backends(model_class, monkeypatch):
    """The mean logs of three steps of SGD, and the sum of each network's weights after them."""
    fixed_noise(monkeypatch)
    is_gan = model_class is kgen.GAN
    judge = "critic" if model_class in WASSERSTEIN else "discriminator"
    conditional = model_class is kgen.ConditionalGAN
    classes = {"condition": kgen.fields.Label(3)} if conditional else {}
    code_size, features = 2, {}
    if model_class is kgen.InfoGAN:
        code_size, features = 2 + 3 + 1, {"with_features": True}
    if is_gan:
        generator = networks.dense_generator(code_size, SHAPE, units=(4,))
        discriminator = networks.maxout_discriminator(SHAPE, (4,), 2, 0.0, 0.0)
    else:
        generator = networks.dcgan_generator(code_size, SHAPE, filters=2, **classes)
        discriminator = networks.dcgan_discriminator(
            SHAPE,
            filters=2,
            batch_normalization=judge == "discriminator",
            **classes,
            **features,
        )
    settings = {"categorical": (3,), "continuous": 1} if features else {}
    gan = model_class(
        SHAPE,
        latent_dim=2,
        generator=generator,
        **{judge: discriminator},
        **classes,
        **settings,
    )
    nets = [network for player in gan.players().values() for network in player]
    set_weights(*nets)
    gan.compile(keras.optimizers.SGD(0.05), run_eagerly=True)  # else the noise is traced once
    images = np.random.default_rng(1).random((20, *SHAPE), dtype="float32")
    history = gan.fit(
        np.tile(images, (3, 1, 1, 1)), np.arange(60) % 3, batch_size=20, shuffle=False, verbose=0
    ).history
    sums = [
        sum(np.abs(ops.convert_to_numpy(v)).sum() for v in network.trainable_variables)
        for network in nets
    ]
    logs = [f"{judge}_loss", "generator_loss", *LOGS.get(model_class, ACCURACIES)]
    found = [history[name][0] for name in logs] + sums
    np.testing.assert_allclose(found, GOLDEN[model_class.__name__], rtol=1e-5, atol=1e-5)


def test_a_generator_steps_down_its_own_loss_alone(monkeypatch):
    """With SGD its weights move by minus rate times that gradient: none of the discriminator's."""
    fixed_noise(monkeypatch)
    generator = networks.dense_generator(3, SHAPE, units=(4,))
    discriminator = networks.maxout_discriminator(SHAPE, (4,), 2, 0.0, 0.0)
    set_weights(generator, discriminator)
    gan = kgen.GAN(SHAPE, 3, generator=generator, discriminator=discriminator, r1_weight=1.0)
    gan.compile(keras.optimizers.SGD(0.05), run_eagerly=True)
    seen = {}
    generator_loss = gan.generator_loss

    def spy(z, *args):
        seen.setdefault("z", z)
        seen.setdefault("judge", gan.discriminator.get_weights())
        return generator_loss(z, *args)

    gan.generator_loss = spy
    before = gan.generator.get_weights()
    gan.fit(np.zeros((4, *SHAPE)), batch_size=4, verbose=0)
    after = gan.generator.get_weights()
    gan.discriminator.set_weights(seen["judge"])
    gan.generator.set_weights(before)
    _, gradients = backend.value_and_grad(
        lambda: ops.mean(ops.softplus(-gan.discriminator(gan.generator(seen["z"])))),
        gan.generator.trainable_variables,
    )
    for start, end, gradient in zip(before, after, gradients, strict=True):
        gradient = ops.convert_to_numpy(gradient)
        assert np.abs(gradient).max() > 1e-4
        np.testing.assert_allclose(end - start, -0.05 * gradient, atol=1e-7, rtol=1e-4)


def test_a_critic_step_is_one_step_of_its_optimizer():
    """The penalty is a term of the loss, not a step of its own; n_critic of them to one."""
    gan = ZOO["wgan_gp"].make()
    gan.compile()
    gan.fit(np.zeros((12, *SHAPE)), batch_size=4, verbose=0)
    updates = {p: int(ops.convert_to_numpy(gan.optimizer[p].iterations)) for p in gan.players()}
    assert updates == {"critic": 6, "generator": 3}


def test_epsilons_are_uniform_and_one_an_image(monkeypatch):
    seen = []
    penalty = penalties.gradient_penalty
    monkeypatch.setattr(
        penalties,
        "gradient_penalty",
        lambda critic, x, x_fake, eps, center: (
            seen.append((ops.convert_to_numpy(eps), x.shape))
            or penalty(critic, x, x_fake, eps, center)
        ),
    )
    gan = ZOO["wgan_gp"].make(seed=0)
    x = ops.zeros((2000, *SHAPE))
    gan.adversary_loss(x, x, None, None, StepNoise(gan.seed_generator.next()))
    ((eps, _),) = seen
    assert eps.shape == (2000,) and eps.min() >= 0.0 and eps.max() <= 1.0
    # Kolmogorov and Smirnov's distance, which a uniform's exceeds once in 1,000.
    assert np.abs(np.sort(eps) - np.arange(2000) / 2000).max() < 1.95 / np.sqrt(2000)


def test_dropout_and_batch_statistics_are_on_in_training(tmp_path):
    subject = Subject(ZOO["dcgan"], tmp_path)
    dcgan = subject.compiled()
    moving = {v.path: ops.convert_to_numpy(v) for v in dcgan.non_trainable_variables}
    subject.fit(dcgan)
    moved = [v for v in dcgan.non_trainable_variables if "moving" in v.path]
    assert len(moved) == 2  # the generator's mean and variance
    for variable in moved:
        assert np.abs(ops.convert_to_numpy(variable) - moving[variable.path]).max() > 0
    gan = kgen.GAN(SHAPE, 3, **perceptrons())
    x = ops.ones((2, *SHAPE))
    logits = [
        ops.convert_to_numpy(gan.adversary.judge(x, None, training=True)[0]) for _ in range(8)
    ]
    assert np.ptp(logits) > 0
    still = [ops.convert_to_numpy(gan.adversary.judge(x, None)[0]) for _ in range(2)]
    np.testing.assert_array_equal(*still)


@pytest.mark.full
def test_the_critic_estimates_the_distance_of_two_gaussians():
    """N(0, 1) and N(2, 1), a tenth of them in the networks' range: W1 = 0.2."""
    generator = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1), keras.layers.Reshape((1, 1, 1))]
    )
    generator.layers[0].set_weights([np.array([[0.1]]), np.array([0.2])])
    critic = keras.Sequential(
        [
            keras.Input((1, 1, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, "tanh"),
            keras.layers.Dense(1),
        ]
    )
    gan = kgen.WGANGP((1, 1, 1), 1, generator=generator, critic=critic, n_critic=1, seed=0)
    gan.compile(
        {
            "critic": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-2, 240)),
            "generator": keras.optimizers.SGD(0.0),
        }
    )
    x = 0.5 + 0.05 * np.random.default_rng(0).standard_normal((7680, 1, 1, 1))
    gan.fit(x, batch_size=32, verbose=0)
    distance = gan.evaluate(x, batch_size=256, verbose=0, return_dict=True)["wasserstein_distance"]
    assert distance == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("learning_rate", [1e-3, None])
def test_a_learning_rate_is_the_start_of_a_schedule(learning_rate):
    gan = ZOO["wgan_gp"].make()
    optimizers = gan.default_optimizers()
    if learning_rate is not None:
        optimizers = with_learning_rate(optimizers, learning_rate)
    rates = {p: float(ops.convert_to_numpy(o.learning_rate)) for p, o in optimizers.items()}
    assert rates == pytest.approx(dict.fromkeys(rates, learning_rate or 1e-4))
    for player, end in (("critic", 2 * 10), ("generator", 10)):  # two steps for one
        optimizers[player].iterations.assign(end // 2)
        half = float(ops.convert_to_numpy(optimizers[player].learning_rate))
        assert half == pytest.approx(rates[player] / 2)


@pytest.mark.each_backend
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's defect")
@pytest.mark.parametrize("name", ["BatchNormalization", "LayerNormalization", "GroupNormalization"])
def test_a_layer_that_tensorflow_differentiates_wrongly_twice_is_named(name):
    judge = judge_with(getattr(keras.layers, name)())
    for model_class, arguments in (
        (kgen.DCGAN, {"discriminator": judge, "r1_weight": 1.0}),
        (kgen.WGANGP, {"critic": judge}),
    ):
        with pytest.warns(UserWarning, match=f"derivatives of .*{name}.* are wrong"):
            model_class(SHAPE, 3, **arguments)


def test_presets_can_have_a_penalty(recwarn):
    kgen.DCGAN((8, 8, 1), 3, r1_weight=1.0)  # so small that it has no batch normalization
    kgen.WGANGP((16, 16, 1), 3, r1_weight=1.0)
    assert not [warning for warning in recwarn if warning.category is UserWarning]


def test_a_critic_that_judges_a_batch_together_is_named():
    critic = judge_with(kgen.layers.BatchNorm(name="joint"))
    with pytest.warns(UserWarning, match="critic's joint judges a batch together"):
        kgen.WGANGP(SHAPE, 3, critic=critic)


def judge_with(layer):
    return keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), layer, keras.layers.Dense(1)]
    )


@pytest.mark.parametrize("option", ["projection", "spectral_normalization"])
def test_options_of_the_preset_with_an_own_discriminator(option):
    nets = perceptrons(condition=3)
    with pytest.raises(ValueError, match=f"{option}=False with a discriminator of your own"):
        kgen.GAN(SHAPE, 3, num_classes=3, **nets, **{option: True})


def test_spectral_normalization_and_clipping():
    with pytest.raises(ValueError, match="clip=None with spectral_normalization"):
        kgen.WGAN(SHAPE, spectral_normalization=True)


@pytest.mark.parametrize(
    ("model_class", "arguments"),
    [
        (kgen.WGAN, {"discriminator_steps": 2}),
        (kgen.WGANGP, {"clip": 0.1}),
    ],
)
def test_arguments_that_the_paper_has_another_for(model_class, arguments):
    with pytest.raises(ValueError, match=f"Unrecognized.*{next(iter(arguments))}"):
        model_class(SHAPE, width=2, **arguments)


def test_the_layers_of_all_players_are_normalised():
    layer = kgen.layers.SpectralNormalization(keras.layers.Dense(64, "tanh"))
    generator = keras.Sequential([keras.Input((3,)), layer, keras.layers.Reshape(SHAPE)])
    gan = kgen.LSGAN(
        SHAPE,
        generator=generator,
        latent_dim=3,
        discriminator=judge_with(
            kgen.layers.SpectralNormalization(keras.layers.Dense(3, kernel_initializer="zeros"))
        ),
    )
    gan.compile(keras.optimizers.SGD(0.0))
    history = gan.fit(np.zeros((80, *SHAPE)), batch_size=2, verbose=0).history
    largest = np.linalg.norm(ops.convert_to_numpy(layer.layer.kernel), 2)
    assert largest == pytest.approx(1.0, rel=1e-3)
    assert np.isfinite(list(history.values())).all()  # also of a kernel of zeros


def test_default_batches_of_arrays_divide():
    gan = kgen.WGAN(SHAPE, 3, n_critic=3, critic=tiny_critic())
    gan.default_batch_size = 6
    gan.compile()
    gan.fit(np.zeros((10, *SHAPE)), verbose=0)
    assert int(ops.convert_to_numpy(gan.optimizer["critic"].iterations)) == 6


@pytest.mark.each_backend
def test_gradient_norms_are_those_before_the_loss_scale():
    norms = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)
        nets = {
            "generator": networks.dense_generator(3, SHAPE, units=(8,)),
            "discriminator": networks.maxout_discriminator(SHAPE, (4,), 2, 0.0, 0.0),
        }
        set_weights(*nets.values())
        gan = kgen.LSGAN(SHAPE, 3, **nets, log_gradient_norms=True, seed=0)
        gan.compile(keras.optimizers.SGD(0.0))
        history = gan.fit(np.zeros((4, *SHAPE)), batch_size=4, verbose=0).history
        norms.append(history["generator_gradient_norm"][0])
    assert norms[1] == pytest.approx(norms[0], rel=0.05)


@pytest.mark.each_backend
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_penalty_too_large_for_half_precision(policy):
    """A slope of 100 at 64 pixels has a squared norm of 640,000; float16 ends at 65,504."""
    keras.config.set_dtype_policy(policy)
    image = keras.Input(SHAPE)
    x = keras.layers.Flatten()(image)
    critic = keras.Model(image, keras.layers.Dense(1, kernel_initializer="ones")(x))
    gan = kgen.WGANGP(SHAPE, 3, critic=critic, seed=0)
    for layer in critic.layers[2:]:
        layer.set_weights([100.0 * layer.get_weights()[0], layer.get_weights()[1]])
    x = np.random.default_rng(0).random((2, *SHAPE), dtype="float32")
    x, noise = ops.convert_to_tensor(x), StepNoise(gan.seed_generator.next())
    loss, logs, _ = gan.adversary.loss(x, x, None, noise, 0, training=False)
    penalty = logs["gradient_penalty"]
    assert keras.backend.standardize_dtype(penalty.dtype) == "float32"
    np.testing.assert_allclose(ops.convert_to_numpy(penalty), 799.0**2, rtol=1e-3)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), 10.0 * 799.0**2, rtol=1e-3)
