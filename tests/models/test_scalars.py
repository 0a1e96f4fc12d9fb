"""Numbers that change while a model trains: by a callback, by a schedule, and over a save."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import callbacks
from kgen.models.adversary import R1
from tests.contract import arrays, assert_same
from tests.models.test_adversarial_options import tiny
from tests.models.test_vae import tiny_vae

# Two compiled programs of the same sums.
ROUNDING = 1e-5 if keras.backend.backend() == "jax" else 1e-6

BACKEND = keras.backend.backend()
SHAPE = (8, 8, 1)
SGD = keras.optimizers.SGD


def binary(num=16, shape=(2, 2, 1)):
    return np.random.default_rng(1).integers(0, 2, (num, *shape)).astype("float32")


def images(num=16):
    return np.random.default_rng(5).random((num, *SHAPE), dtype="float32")


def warm_up(start, end, steps):
    return keras.optimizers.schedules.PolynomialDecay(start, steps, end)


class Steps(keras.callbacks.Callback):
    """Sets attributes after a batch or before an epoch, and keeps the logs of each batch alone.

    Args:
        settings: dict of (name, value) by "batch 3" or "epoch 1", after and before which.
    """

    def __init__(self, settings=None):
        super().__init__()
        self.settings = settings or {}
        self.logs, self.count = [], 0

    def set_model(self, model):
        super().set_model(model)
        self.as_given = model  # as a user's function holds it: on JAX, Keras' `model` synchronizes

    def _set(self, when):
        if when in self.settings:
            setattr(self.as_given, *self.settings[when])

    def on_epoch_begin(self, epoch, logs=None):
        self._set(f"epoch {epoch}")
        self._sums = {}

    def on_train_batch_end(self, batch, logs=None):
        # Keras shows the means of the epoch so far, whose batches are of one size.
        sums = {name: float(value) * (batch + 1) for name, value in logs.items()}
        self.logs.append({name: value - self._sums.get(name, 0.0) for name, value in sums.items()})
        self._sums = sums
        self.count += 1
        self._set(f"batch {self.count}")

    def betas(self):
        """beta of each step, as its loss says."""
        return [
            (logs["loss"] - logs["reconstruction_loss"]) / logs["kl_loss"] for logs in self.logs
        ]


def fit(model, x, steps, epochs=2, **kwargs):
    return model.fit(
        x, batch_size=4, epochs=epochs, shuffle=False, verbose=0, callbacks=[steps], **kwargs
    )


@pytest.mark.parametrize("run_eagerly", [False, pytest.param(True, marks=pytest.mark.full)])
def test_beta_holds_from_the_next_step_on(run_eagerly, tmp_path):
    vae = tiny_vae(beta=1.0)
    vae.compile(SGD(1e-3), run_eagerly=run_eagerly)
    steps = Steps({"batch 2": ("beta", 4.0), "epoch 1": ("beta", 0.5), "batch 6": ("beta", 3)})
    fit(vae, binary(), steps)
    np.testing.assert_allclose(steps.betas(), [1, 1, 4, 4, 0.5, 0.5, 3, 3], rtol=2e-3)
    assert vae.beta == 3 and vae.get_config()["beta"] == 3
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.beta == 3 and loaded.get_config()["beta"] == 3
    again = Steps()
    fit(loaded, binary(), again, epochs=1)
    np.testing.assert_allclose(again.betas(), [3] * 4, rtol=2e-3)
    logs = loaded.evaluate(binary(), verbose=0, return_dict=True)
    expected = logs["reconstruction_loss"] + 3.0 * logs["kl_loss"]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)


def test_weights_alone_have_the_number_too(tmp_path):
    vae = tiny_vae(beta=2.0)
    vae.beta = 7.0
    vae.save_weights(tmp_path / "vae.weights.h5")
    other = tiny_vae(beta=2.0)
    other.load_weights(tmp_path / "vae.weights.h5")
    assert other.beta == 7.0 and other.get_config()["beta"] == 7.0
    assert vae.beta is not None and tiny_vae(beta=0.1).beta == 0.1  # as given, not as float32


def test_a_schedule_has_its_value_at_each_step(tmp_path):
    vae = tiny_vae(beta=warm_up(0.0, 1.0, 4))
    vae.compile(SGD(1e-3))
    steps = Steps()
    fit(vae, binary(), steps)
    np.testing.assert_allclose(steps.betas(), [0, 0.25, 0.5, 0.75, 1, 1, 1, 1], atol=3e-3)
    short = tiny_vae(beta=warm_up(0.0, 1.0, 8))
    short.compile(SGD(1e-3))
    fit(short, binary(), Steps(), epochs=1)
    short.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.beta.get_config() == short.beta.get_config()
    steps = Steps()
    fit(loaded, binary(), steps, epochs=1)  # goes on where it stopped
    np.testing.assert_allclose(steps.betas(), [0.5, 0.625, 0.75, 0.875], atol=3e-3)


CHANGES = [
    # model, arguments, the attribute, its first value, another
    (kgen.GAN, {}, "r1_weight", 0.5, 2.0),
    (kgen.WGANGP, {"n_critic": 1}, "gp_weight", 0.5, 2.0),
    (kgen.WGANGP, {"n_critic": 1}, "r1_weight", 0.5, 2.0),
    (kgen.InfoGAN, {}, "info_weight", 0.5, 2.0),
    (kgen.GAN, {}, "label_smoothing", 0.1, 0.4),
    (kgen.LSGAN, {}, "label_smoothing", 0.1, 0.4),
    (kgen.WGAN, {"n_critic": 1}, "clip", 0.05, 0.02),
    (kgen.GAN, {}, "ema_decay", 0.05, 0.01),
]


def changes(*quick):
    """The changes; those of `quick` and that of the average run on each backend."""
    on_each = (("GAN", "ema_decay"), *quick)
    parameters = []
    for each in CHANGES:
        which = each[0].__name__, each[2]
        later = pytest.mark.full if which in on_each else pytest.mark.full_on_one
        parameters.append(
            pytest.param(*each, id="-".join(which), marks=[] if which in quick else later)
        )
    return parameters


def trained(make, steps, **kwargs):
    """A model after two steps of one epoch."""
    gan = make(**kwargs)
    gan.compile(SGD(0.05), run_eagerly=False)
    fit(gan, images(8), steps, epochs=1)
    return gan


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("model_class", "arguments", "name", "first", "second"),
    changes(("GAN", "r1_weight"), ("WGAN", "clip")),
)
def test_every_one_holds_from_the_next_step_on(
    model_class, arguments, name, first, second, tmp_path
):
    """Two steps, the number changed in between, are one step of each of two models."""

    def make(**kwargs):
        return tiny(model_class, **arguments, **kwargs)

    changed = trained(make, Steps({"batch 1": (name, second)}), **{name: first})
    alone = make(**{name: first})
    alone.compile(SGD(0.05))
    fit(alone, images(8)[:4], Steps(), epochs=1)
    other = make(**{name: second})
    other.compile(SGD(0.05))
    state = [v for v in alone.variables if v.name not in (name, "weight", "decay")]
    into = [v for v in other.variables if v.name not in (name, "weight", "decay")]
    assert len(state) == len(into)
    for variable, value in zip(into, arrays(state), strict=True):
        variable.assign(value)
    for variable, value in zip(
        other.optimizer.variables, arrays(alone.optimizer.variables), strict=True
    ):
        variable.assign(value)
    fit(other, images(8)[4:], Steps(), epochs=1)
    assert_same(arrays(changed.trainable_variables), arrays(other.trainable_variables), 1e-6)
    if name == "ema_decay":
        averages = [arrays(each.average.network.variables) for each in (changed, other)]
        assert_same(*averages, 1e-6)
    constant = trained(make, Steps(), **{name: first})
    moved = [
        np.abs(a - b).max()
        for a, b in zip(arrays(changed.variables), arrays(constant.variables), strict=True)
    ]
    assert sum(moved) > 1e-4  # it makes a difference
    assert getattr(changed, name) == second and changed.get_config()[name] == second
    changed.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert getattr(loaded, name) == second and loaded.get_config()[name] == second


@pytest.mark.parametrize(
    ("model_class", "arguments", "name", "first", "second"), changes(("GAN", "label_smoothing"))
)
def test_every_one_takes_a_schedule(model_class, arguments, name, first, second, tmp_path):
    """Which jumps to another value after the first step."""
    jump = keras.optimizers.schedules.PiecewiseConstantDecay([0], [first, second])

    def make(**kwargs):
        return tiny(model_class, **arguments, **kwargs)

    changed = trained(make, Steps({"batch 1": (name, second)}), **{name: first})
    scheduled = trained(make, Steps(), **{name: jump})
    if name == "ema_decay":  # whose step is the generator's number of updates, this one's included
        later = keras.optimizers.schedules.PiecewiseConstantDecay([1], [first, second])
        scheduled = trained(make, Steps(), **{name: later})
        averages = [arrays(each.average.network.variables) for each in (changed, scheduled)]
        assert_same(*averages, 1e-6)
    assert_same(
        arrays(changed.trainable_variables), arrays(scheduled.trainable_variables), ROUNDING
    )
    assert isinstance(getattr(scheduled, name), keras.optimizers.schedules.LearningRateSchedule)
    scheduled.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert getattr(loaded, name).get_config() == getattr(scheduled, name).get_config()


def test_a_schedule_counts_the_steps_of_fit_not_those_of_the_critic():
    """Of two batches with two steps of the critic each, all of weight 0 and then all of 1."""
    jump = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.0, 1.0])
    weights = {}
    for name, weight, num in (("jump", jump, 2), ("none", 0.0, 1)):
        gan = tiny(kgen.WGAN, n_critic=2, clip=None, penalties=[R1(weight)])
        gan.compile(SGD(0.05))
        gan.fit(images(8)[: 4 * num], batch_size=4, shuffle=False, verbose=0)
        assert int(ops.convert_to_numpy(gan.steps)) == num
        weights[name] = arrays(gan.trainable_variables)
        if name == "jump":
            assert float(ops.convert_to_numpy(jump(gan.steps))) == 1.0
    first = tiny(kgen.WGAN, n_critic=2, clip=None, penalties=[R1(jump)])
    first.compile(SGD(0.05))
    first.fit(images(8)[:4], batch_size=4, shuffle=False, verbose=0)
    assert_same(arrays(first.trainable_variables), weights["none"], 1e-7)


class TestWhatIsNotTaken:
    @pytest.mark.parametrize(
        ("make", "name", "value", "message"),
        [
            (tiny_vae, "beta", -1.0, "Expected beta of .* at least 0.*Received: beta=-1.0"),
            (tiny_vae, "beta", "large", "Received: beta='large'"),
            (tiny_vae, "beta", True, "Received: beta=True"),
            (tiny_vae, "beta", None, "Received: beta=None"),
            (tiny_vae, "beta", float("nan"), "Received: beta=nan"),
            (tiny_vae, "beta", float("inf"), "finite.*Received: beta=inf"),
            (tiny_vae, "beta", warm_up(0, 1, 2), "to stay a number, a schedule or None"),
            (lambda: tiny_vae(beta=warm_up(0, 1, 2)), "beta", 1.0, "to stay a number, a schedule"),
            (lambda: tiny(kgen.GAN), "label_smoothing", 1.0, r"in \[0, 1\).*label_smoothing=1.0"),
            (lambda: tiny(kgen.WGAN), "clip", 0.0, "clip=0.0"),
            (lambda: tiny(kgen.WGAN), "clip", None, "to stay a number, a schedule or None"),
            (lambda: tiny(kgen.WGAN, clip=None), "clip", 0.1, "to stay a number, a schedule"),
            (lambda: tiny(kgen.GAN), "r1_weight", 1.0, "made with r1_weight.*r1_weight=1.0"),
            (lambda: tiny(kgen.GAN), "ema_decay", 0.5, "made with ema_decay.*ema_decay=0.5"),
            (lambda: tiny(kgen.WGANGP, gp_weight=0), "gp_weight", 1.0, "made with gp_weight"),
            (
                lambda: tiny(kgen.GAN, loss="hinge"),
                "label_smoothing",
                0.1,
                "made with label_smoothing.*label_smoothing=0.1",
            ),
        ],
    )
    def test_scalars(self, make, name, value, message):
        model = make()
        before = getattr(model, name)
        with pytest.raises(ValueError, match=message):
            setattr(model, name, value)
        assert getattr(model, name) == before or np.isnan(before)

    @pytest.mark.parametrize(
        ("make", "name", "value"),
        [
            (tiny_vae, "latent_dim", 5),
            (tiny_vae, "likelihood", "normal"),
            (tiny_vae, "image_shape", (4, 4, 1)),
            (tiny_vae, "image_shape", [4, 4, 1]),
            (tiny_vae, "num_classes", 3),
            (tiny_vae, "condition", kgen.fields.Label(3)),
            (tiny_vae, "seed", 3),
            (lambda: tiny(kgen.GAN), "loss", "hinge"),
            (lambda: tiny(kgen.LSGAN), "loss", "hinge"),
            (lambda: tiny(kgen.LSGAN), "a", 0.5),
            (lambda: tiny(kgen.GAN), "discriminator_steps", 3),
            (lambda: tiny(kgen.GAN), "penalties", [R1(1.0)]),
            (lambda: tiny(kgen.WGANGP), "n_critic", 3),
            (lambda: tiny(kgen.WGANGP), "decay_steps", 3),
            (lambda: tiny(kgen.InfoGAN), "categorical", (4,)),
        ],
    )
    def test_settled_arguments(self, make, name, value):
        model = make()
        before = getattr(model, name)
        with pytest.raises(AttributeError, match=name):
            setattr(model, name, value)
        assert getattr(model, name) == before


class Hasty(kgen.VAE):
    """Reads a scalar as a number inside its step."""

    def negative_elbo(self, x, y, noise, training=True):
        return self.beta * super().negative_elbo(x, y, noise, training)


@pytest.mark.skipif(BACKEND == "torch", reason="a step is not compiled there")
def test_a_scalar_that_a_compiled_step_would_freeze_is_an_error():
    vae = Hasty((2, 2, 1), latent_dim=1, width=2, depth=1)
    vae.compile()
    with pytest.raises(RuntimeError, match=r"now\('beta'\)"):
        vae.fit(binary(), batch_size=4, verbose=0)


class Killed(Exception):
    """Ends a training."""


def test_a_resumed_training_has_the_number_that_was_set(tmp_path):
    """Killed in the middle of the second epoch, after beta was changed in the first."""

    def train(folder, *further):
        vae = tiny_vae(beta=1.0, seed=0)
        vae.compile(SGD(1e-2))
        data = kgen.data.load(binary(16), batch_size=4).train
        steps = Steps({"batch 2": ("beta", 4.0)})
        backup = callbacks.Backup(str(tmp_path / folder), every_steps=1)
        vae.fit(data, epochs=3, verbose=0, callbacks=[backup, steps, *further])
        return vae, steps

    whole, _ = train("whole")
    count = itertools.count(1)

    def kill(*_, **__):
        if next(count) == 6:
            raise Killed

    with pytest.raises(Killed):
        train("killed", keras.callbacks.LambdaCallback(on_train_batch_end=kill))

    vae = tiny_vae(beta=1.0, seed=0)
    vae.compile(SGD(1e-2))
    steps = Steps()
    data = kgen.data.load(binary(16), batch_size=4).train
    backup = callbacks.Backup(str(tmp_path / "killed"), every_steps=1)
    vae.fit(data, epochs=3, verbose=0, callbacks=[backup, steps])
    assert vae.beta == 4.0 and len(steps.logs) < 12
    np.testing.assert_allclose(steps.betas(), [4] * len(steps.logs), rtol=3e-3)
    assert_same(arrays(vae.trainable_variables), arrays(whole.trainable_variables), 1e-6)


def test_penalties_objects_are_scalars_too():
    penalty = R1(0.5)
    gan = tiny(kgen.GAN, penalties=[penalty])
    assert gan.r1_weight == 0.5
    gan.r1_weight = 2.0
    assert penalty.weight == 2.0 == gan.get_config()["penalties"][0].weight
    with pytest.raises(ValueError, match="one weight of the r1_penalty"):
        tiny(kgen.GAN, penalties=[R1(0.5)], r1_weight=2.0)
