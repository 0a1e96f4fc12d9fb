"""Learning rates that are scaled and set, by kgen, users and Keras' callbacks; optimizers."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen.models.generative_model import GenerativeModel
from kgen.models.learning_rates import ScaledSchedule
from kgen.models.optimizers import OptimizerGroup, with_learning_rate

schedules = keras.optimizers.schedules
SGD = keras.optimizers.SGD
X = np.zeros((8, 1), "float32")


@keras.saving.register_keras_serializable("kgen.tests")
class Slopes(GenerativeModel):
    """Two players of one weight each, which a step of SGD raises by the learning rate."""

    log_names = ("low_loss", "high_loss")

    def __init__(self, use_bias=False, **kwargs):
        super().__init__(**kwargs)
        self.use_bias = use_bias
        self.low = self.network()
        self.high = self.network()

    def network(self):
        settings = {"kernel_initializer": "zeros", "dtype": self.dtype_policy}
        return keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, use_bias=self.use_bias, **settings)]
        )

    def players(self):
        return {"low": [self.low], "high": [self.high]}

    def default_optimizers(self):
        return {"low": SGD(0.125), "high": SGD(0.5)}

    def check_inputs(self, x, y):
        return x, y

    def training_step(self, x, y, noise):
        for player in self.players():
            self.minimize(self.fall, player, player)

    def fall(self, player):
        (network,) = self.players()[player]
        loss = -ops.sum(network(ops.ones((1, 1)), training=True))
        self.log(**{f"{player}_loss": loss})
        return loss

    def get_config(self):
        return super().get_config() | {"use_bias": self.use_bias}

    def heights(self):
        weights = [self.low.trainable_variables[0], self.high.trainable_variables[0]]
        return np.array([ops.convert_to_numpy(weight).item() for weight in weights])


def slopes(optimizer=None, **kwargs):
    model = Slopes(**kwargs)
    model.compile(optimizer)
    return model


def climb(model, steps, *callbacks, epochs=1):
    """How much further the weights are after so many steps an epoch."""
    before = model.heights()
    given = {"batch_size": 1, "epochs": epochs, "verbose": 0, "callbacks": list(callbacks)}
    model.history = model.fit(X[:steps], **given).history
    return model.heights() - before


def rates(group):
    return [float(ops.convert_to_numpy(optimizer.learning_rate)) for optimizer in group.optimizers]


class Halving(schedules.LearningRateSchedule):
    """A user's, without a config."""

    def __call__(self, step):
        return 0.5 ** ops.cast(step, "float32")


KINDS = {
    "number": lambda: 0.2,
    "exponential": lambda: schedules.ExponentialDecay(0.1, 1, 0.5),
    "piecewise": lambda: schedules.PiecewiseConstantDecay([3], [0.5, 0.25]),
    "warm-up": lambda: schedules.CosineDecay(0.0, 20, warmup_target=0.4, warmup_steps=5),
    "restarts": lambda: schedules.CosineDecayRestarts(0.1, 4),
    "own": Halving,
    "callable": lambda: lambda: 0.3,
    "scaled": lambda: ScaledSchedule(Halving(), 3.0),
}


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_learning_rate_of_any_kind_is_scaled(kind, wrapped):
    def optimizer():
        plain = SGD(KINDS[kind]())
        return keras.optimizers.LossScaleOptimizer(plain) if wrapped else plain

    plain, group = SGD(KINDS[kind]()), OptimizerGroup({"a": optimizer(), "b": optimizer()})
    for factor in (0.5, 0.5, 3.0):
        group.scale_learning_rates(factor)
    assert group.learning_rate_scale == 0.75
    for step in (0, 2, 6):
        for each in (plain, group["a"], group["b"]):
            getattr(each, "inner_optimizer", each)._iterations.assign(step)
        expected = 0.75 * float(ops.convert_to_numpy(plain.learning_rate))
        np.testing.assert_allclose(rates(group), 2 * [expected], rtol=1e-6)
    group["a"].learning_rate = 0.7
    group.scale_learning_rates(0.5)
    assert rates(group) == pytest.approx([0.35, expected / 2])


@pytest.mark.each_backend
def test_a_compiled_step_follows_what_becomes_of_its_learning_rates():
    warm_up = schedules.PolynomialDecay(0.0, 4, 1.0)
    jump = schedules.PiecewiseConstantDecay([4], [0.25, 2.0])
    model = slopes({"low": SGD(warm_up), "high": SGD(jump)})
    np.testing.assert_allclose(climb(model, 2), [0.0 + 0.25, 2 * 0.25])
    model.optimizer.scale_learning_rates(0.5)
    np.testing.assert_allclose(climb(model, 4), [0.5 * (0.5 + 0.75 + 2), 0.5 * (3 * 0.25 + 2.0)])
    model.optimizer["low"].learning_rate = 0.25
    np.testing.assert_allclose(climb(model, 2), [2 * 0.25, 2 * 1.0])
    model.optimizer.scale_learning_rates(0.5)
    np.testing.assert_allclose(climb(model, 2), [2 * 0.125, 2 * 0.5])


@pytest.mark.each_backend
def test_a_step_that_is_not_compiled_finds_its_optimizers():
    model = Slopes()
    model.compile(run_eagerly=True)
    np.testing.assert_allclose(climb(model, 3), [3 * 0.125, 3 * 0.5])


@pytest.mark.each_backend
@pytest.mark.parametrize("scheduled", [False, True])
def test_rates_set_between_two_steps_hold_from_the_next(scheduled):
    def constant(rate):
        return schedules.PiecewiseConstantDecay([9], [rate, 0.0]) if scheduled else rate

    model = slopes({"low": SGD(constant(0.125)), "high": SGD(constant(0.5))})

    def change(batch, logs):
        if batch == 0:
            model.optimizer.learning_rate = 0.25
            assert float(ops.convert_to_numpy(model.optimizer.learning_rate)) == 0.25
        elif batch == 1:
            model.optimizer["high"].learning_rate = 2.0

    changing = keras.callbacks.LambdaCallback(on_train_batch_end=change)
    np.testing.assert_allclose(climb(model, 4, changing), [0.125 + 3 * 0.25, 0.5 + 1.0 + 2 * 2.0])


@pytest.mark.each_backend
def test_keras_callbacks_set_and_name_the_rates_of_players():
    model = slopes({"low": SGD(Halving()), "high": SGD(Halving())})
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    np.testing.assert_allclose(climb(model, 2, halve, epochs=2), 2 * [2 * (0.5 + 0.25)])
    logged = {name: rate for name, rate in model.history.items() if name.startswith("learning")}
    # Keras 3.13 names the first player's alone, and sets the others in their ratio.
    assert [*logged] in (["learning_rate_low", "learning_rate_high"], ["learning_rate"])
    assert all(rate == [0.5, 0.25] for rate in logged.values())


@pytest.mark.each_backend
def test_a_plateau_halves_rates_that_were_set_one_by_one():
    if not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip(f"Keras {keras.__version__} reduces one rate; the others follow in their ratio")
    model = slopes({"low": SGD(0.25), "high": SGD(0.25)})
    model.optimizer["high"].learning_rate = 1.0
    plateau = keras.callbacks.ReduceLROnPlateau("low_loss", 0.5, patience=1, min_delta=100.0)
    np.testing.assert_allclose(
        climb(model, 1, plateau, epochs=3), [2 * 0.25 + 0.125, 2 * 1.0 + 0.5]
    )
    assert rates(model.optimizer) == [0.0625, 0.25]


def test_a_number_takes_the_place_of_a_papers_schedule():
    gan = kgen.GAN((8, 8, 1), latent_dim=2, width=4)
    gan.compile()
    assert rates(gan.optimizer) == pytest.approx([0.05, 0.1])
    gan.optimizer.learning_rate = np.float32(1e-4)
    for optimizer in gan.optimizer.optimizers:
        optimizer.iterations.assign(1_000_000)
    assert rates(gan.optimizer) == pytest.approx([1e-4, 2e-4])


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.5])
def test_a_rate_that_is_none_is_refused_where_it_is_set_or_used(rate):
    model, message = slopes(), "learning_rate as a finite number of at least 0.0. Received: "
    for given in (rate, np.float32(rate), ops.convert_to_tensor(rate), "0.1", True, None):
        with pytest.raises(ValueError, match=message):
            model.optimizer.learning_rate = given
    assert rates(model.optimizer) == [0.125, 0.5]
    by_epoch = keras.callbacks.LearningRateScheduler(lambda epoch: rate if epoch else 0.25)
    whose = (
        "the low's " if hasattr(keras.optimizers, "MultiOptimizer") else ""
    )  # Keras 3.13 sets all
    with pytest.raises(ValueError, match=f"{whose}{message}"):
        climb(model, 2, by_epoch, epochs=2)
    model = slopes({"low": SGD(0.125), "high": SGD(Halving())})
    with pytest.raises(ValueError, match=message):
        model.optimizer["high"].learning_rate = rate
    model.optimizer["low"].learning_rate = rate
    with pytest.raises(ValueError, match=f"the low's {message}"):
        climb(model, 1)


def test_another_schedule_needs_another_compile():
    model, cosine = slopes(), schedules.CosineDecay(0.1, 10)
    with pytest.raises(ValueError, match="a number for the learning rate.*give\\s+compile"):
        model.optimizer.learning_rate = cosine
    model.optimizer["high"].learning_rate = cosine
    with pytest.raises(ValueError, match="compile\\(\\) anew for another schedule of the high's"):
        climb(model, 1)


@pytest.mark.each_backend
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_files_keep_rates_that_were_scaled_and_set(tmp_path, dtype):
    jump = schedules.PiecewiseConstantDecay([4], [0.25, 2.0])
    model = slopes({"low": SGD(0.125), "high": SGD(jump)}, dtype=dtype)
    assert hasattr(model.optimizer["high"], "inner_optimizer") == (dtype == "mixed_float16")
    climb(model, 1)
    model.optimizer["low"].learning_rate = 0.0
    model.optimizer.scale_learning_rates(0.5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.compiled_with == model.optimizer.compiled_with
    assert rates(loaded.optimizer) == rates(model.optimizer) == [0.0, 0.125]
    np.testing.assert_allclose(climb(loaded, 5), [0.0, 4 * 0.125 + 1.0])
    loaded.optimizer.learning_rate = 0.25  # in the ratio with which the first of them began
    assert rates(loaded.optimizer) == [0.25, 0.5]


@pytest.mark.parametrize("kind", KINDS)
def test_with_learning_rate_scales_a_schedule_of_any_kind(kind):
    def optimizers():
        return {"low": SGD(0.1), "high": keras.optimizers.LossScaleOptimizer(SGD(KINDS[kind]()))}

    plain, scaled = optimizers(), with_learning_rate(optimizers(), 0.4)
    for step in (0, 6):
        for each in (plain, scaled):
            each["high"].inner_optimizer.iterations.assign(step)
        expected = 4.0 * ops.convert_to_numpy(plain["high"].learning_rate)
        assert float(scaled["low"].learning_rate) == pytest.approx(0.4)
        assert float(scaled["high"].learning_rate) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize("rate", [KINDS["warm-up"](), 0.0])
def test_a_first_rate_of_zero_is_none_to_scale(rate):
    with pytest.raises(ValueError, match="the low whose learning rate starts above 0"):
        with_learning_rate({"low": SGD(rate), "high": SGD(0.1)}, 0.4)


@pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
def test_a_rate_to_scale_to_is_finite_and_above_zero(rate):
    with pytest.raises(ValueError, match="a finite learning rate above 0"):
        with_learning_rate({"low": SGD(0.1)}, rate)


def test_a_scaled_schedule_in_a_file(tmp_path):
    jump = schedules.PiecewiseConstantDecay([1], [0.25, 2.0])
    model = slopes(with_learning_rate({"low": SGD(jump), "high": SGD(0.5)}, 0.5))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(climb(loaded, 3), [2 * 0.5 + 4.0, 3 * 1.0])


@pytest.mark.parametrize(
    "optimizer",
    [
        "adm",
        3,
        keras.optimizers.Lion,
        {"low": None, "high": "sgd"},
        {"low": keras.optimizers.Adam, "high": "sgd"},
    ],
)
def test_what_is_no_optimizer(optimizer):
    with pytest.raises(ValueError, match=r"Expected an optimizer, as keras.optimizers.Adam\(1e-3"):
        slopes(optimizer)


def test_an_optimizer_of_several_is_none():
    if not hasattr(keras.optimizers, "MultiOptimizer"):
        pytest.skip(f"Keras {keras.__version__} has no MultiOptimizer")
    several = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(SGD()))
    with pytest.raises(ValueError, match="Expected an optimizer"):
        slopes(several)


def test_a_player_that_there_is_not():
    with pytest.raises(KeyError, match=r"players \['low', 'high'\]. Received: 'generator'"):
        slopes().optimizer["generator"]


def test_an_optimizer_of_another_model():
    optimizers = {"low": SGD(0.1), "high": keras.optimizers.LossScaleOptimizer(SGD(0.1))}
    model = slopes(optimizers)
    for given in (optimizers, model.optimizer):
        with pytest.raises(ValueError, match="a new optimizer for the low. Received: one that mov"):
            slopes(given)
    climb(slopes(optimizers["low"]), 1)  # of which each player gets a copy


def test_the_optimizers_of_a_model_go_on_when_it_is_compiled_anew():
    model = slopes(SGD(schedules.PiecewiseConstantDecay([2], [0.25, 2.0])))
    climb(model, 2)
    model.optimizer.scale_learning_rates(0.5)
    model.compile(model.optimizer)
    np.testing.assert_allclose(climb(model, 3), 2 * [0.125 + 2 * 1.0])
    assert int(model.optimizer.iterations) == 5


@pytest.mark.each_backend
def test_gradients_are_accumulated_by_each_player():
    model = slopes({"low": SGD(0.5), "high": SGD(0.125, gradient_accumulation_steps=3)})
    np.testing.assert_allclose(climb(model, 5), [5 * 0.5, 0.125])
    np.testing.assert_allclose(climb(model, 1), [0.5, 0.125])
    assert int(model.optimizer["high"].iterations) == 2 and int(model.steps) == 6


@pytest.mark.each_backend
def test_an_optimizers_own_average_is_there_after_fit_which_may_go_on():
    model = slopes({"low": SGD(1.0, use_ema=True, ema_momentum=0.5), "high": SGD(0.5)})
    # Weights 1, 2, 3 with the averages 1, 1.5, 2.25; then 3.25 with (2.25 + 3.25) / 2.
    np.testing.assert_allclose(climb(model, 3), [2.25, 1.5])
    np.testing.assert_allclose(climb(model, 1), [0.5, 0.5])


@pytest.mark.each_backend
@pytest.mark.parametrize("name", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_gradients_are_clipped_for_one_player(name):
    model = slopes({"low": SGD(1.0, **{name: 0.25}), "high": SGD(0.5)})
    np.testing.assert_allclose(climb(model, 2), [2 * 0.25, 2 * 0.5])


@pytest.mark.each_backend
@pytest.mark.parametrize("by_player", [False, True])
def test_what_is_excluded_from_weight_decay_is_so_in_copies_and_files(tmp_path, by_player):
    def excluding(**which):
        optimizer = SGD(0.5, weight_decay=1.0)
        optimizer.exclude_from_weight_decay(**which)
        return optimizer

    model = slopes(use_bias=True)
    optimizer, expected = excluding(var_names=["other", "kernel"]), 2 * [0.5 + 0.5]
    if by_player:
        low = excluding(var_list=model.low.trainable_variables[:1])
        optimizer, expected = {"low": low, "high": excluding(var_names=["bias"])}, [1.0, 0.5 + 0.25]
    model.compile(optimizer)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for each in (model, loaded):
        np.testing.assert_allclose(climb(each, 2), expected)
