"""What every model promises, as tests: a model's test class inherits them and says what to make."""

import dataclasses
import json
import pathlib
import tempfile

import keras
import numpy as np
import pytest

from kgen import backend  # noqa: F401 - the models need a backend that kgen knows

# Two equal trainings give the same bits, but for TensorFlow: there two traces of a step differ now
# and then by the rounding of their sums (2e-11 seen, once in thousands of tests).
ROUNDING = 1e-7 if keras.backend.backend() == "tensorflow" else 0.0

# TensorFlow takes longer to trace a small model than to train it, but JAX to train it eagerly.
EAGER = keras.backend.backend() == "tensorflow"
SLOW_EAGER = keras.backend.backend() == "jax"

PLAIN = {}  # by test class, its `PlainTraining`
WATCHED = {}  # by test class, a model after an epoch, and what moved in it


@dataclasses.dataclass
class PlainTraining:
    """Four epochs of which nothing is special, and what they leave.

    `weights` and `optimizer` are the model's and the optimizers' variables after each number of
    epochs. After two the files of `folder` were written.
    """

    model: keras.Model
    weights: list = dataclasses.field(default_factory=list)
    optimizer: list = dataclasses.field(default_factory=list)
    history: dict = None
    counts: list = None
    folder: tempfile.TemporaryDirectory = dataclasses.field(
        default_factory=tempfile.TemporaryDirectory
    )

    def file(self, name):
        return pathlib.Path(self.folder.name) / name

    def keep(self, *_):
        self.weights.append(arrays(self.model.variables))
        self.optimizer.append(arrays(self.model.optimizer.variables))
        if len(self.weights) == 3:
            self.model.save(self.file("model.keras"))
            self.model.save_weights(self.file("model.weights.h5"))


def arrays(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def assert_same(a, b, atol=ROUNDING):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=atol)


class ModelContract:
    """A subclass gives `make`, and `labels` where the model is conditional.

    The images are 16 of 8x8x1, or as `image_shape` says. `still` are the ends of the paths of
    variables that have no gradient. `run_eagerly` says whether an epoch that is not compiled is
    tried as well.
    """

    still = ()
    run_eagerly = not SLOW_EAGER

    image_shape = (8, 8, 1)
    labels = None

    def make(self, **kwargs):
        raise NotImplementedError

    def compiled(self, **kwargs):
        keras.utils.set_random_seed(0)
        model = self.make(seed=3)
        model.compile(**kwargs)
        return model

    @property
    def images(self):
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (16, *self.image_shape), dtype="uint8")

    def fit(self, model, images=None, **kwargs):
        images = self.images if images is None else images
        return model.fit(
            images, self.labels, batch_size=8, shuffle=False, verbose=0, **kwargs
        ).history

    @property
    def plain(self):
        """A training that the tests share, and its model in whatever state they left it."""
        if type(self) not in PLAIN:
            plain = PlainTraining(self.compiled())
            plain.keep()
            keep = keras.callbacks.LambdaCallback(on_epoch_end=plain.keep)
            plain.history = self.fit(plain.model, epochs=4, callbacks=[keep])
            plain.counts = [float(metric.count) for metric in plain.model.metrics]
            PLAIN[type(self)] = plain
        return PLAIN[type(self)]

    def anew(self):
        """The model of the plain training as it was before, with its steps already compiled."""
        model = self.plain.model
        assign(model.variables, self.plain.weights[0])
        assign(model.optimizer.variables, self.plain.optimizer[0])
        return model

    @property
    def watched(self):
        """A model after an epoch, and by player which of the trainable variables it moved."""
        if type(self) not in WATCHED:
            model = self.compiled(run_eagerly=self.run_eagerly)
            variables, minimize = model.trainable_variables, model.minimize
            names = {p: [f"{p}_{i}" for i in range(len(variables))] for p in model.players()}
            model.add_logs(*sum(names.values(), []))

            def watch(loss_fn, player, *args):
                before = [keras.ops.copy(variable) for variable in variables]
                loss = minimize(loss_fn, player, *args)
                for name, variable, start in zip(names[player], variables, before, strict=True):
                    model.log(**{name: keras.ops.any(variable != start)})
                return loss

            model.minimize = watch
            history = self.fit(model)
            moved = {p: [history[name][0] > 0.0 for name in each] for p, each in names.items()}
            WATCHED[type(self)] = model, moved
        return WATCHED[type(self)]

    def assert_plainly_trained(self, model, epochs=1, atol=ROUNDING):
        assert_same(arrays(model.variables), self.plain.weights[epochs], atol)

    def test_fit_logs_every_name_as_a_finite_mean(self):
        model, history = self.plain.model, self.plain.history
        assert set(history) == {metric.name for metric in model.metrics} >= set(model.log_names)
        assert np.isfinite(list(history.values())).all()
        # A log that no tracker was updated for would be 0.0.
        assert all(count > 0 for count in self.plain.counts)

    def test_every_variable_of_every_player_moves(self):
        model, (before, *_, after) = self.plain.model, self.plain.weights
        trainable = {id(v) for v in model.trainable_variables}
        players = {
            id(v) for nets in model.players().values() for n in nets for v in n.trainable_variables
        }
        assert players == trainable
        for variable, start, end in zip(model.variables, before, after, strict=True):
            if id(variable) in trainable and not variable.path.endswith(self.still):
                assert np.any(start != end), variable.path

    def test_a_player_moves_its_own_variables_alone(self):
        model, moved = self.watched
        for player, networks in model.players().items():
            own = {id(v) for network in networks for v in network.trainable_variables}
            for variable, has_moved in zip(model.trainable_variables, moved[player], strict=True):
                if not variable.path.endswith(self.still):
                    assert has_moved == (id(variable) in own), (player, variable.path)

    def test_evaluate_moves_nothing_and_repeats(self):
        model = self.plain.model
        before = arrays(model.variables)
        results = [
            model.evaluate(self.images, self.labels, batch_size=8, verbose=0, return_dict=True)
            for _ in range(2)
        ]
        assert results[0] == results[1]
        self.forget_evaluations(model)
        assert_same(arrays(model.variables), before, atol=0.0)

    @staticmethod
    def forget_evaluations(model):
        """Their noise is all that may have moved."""
        model.evaluation_seed_generator.state.assign([0, 0])

    def test_validation_leaves_the_training_as_it_was(self):
        model = self.anew()
        self.check_validation(model, 2, (self.images, self.labels))
        self.assert_plainly_trained(model, 2)

    def check_validation(self, model, epochs, form):
        """Its logs are those of `evaluate`, also between two epochs of one `fit`."""
        is_stream = hasattr(form, "__next__")
        history = self.fit(
            model,
            epochs=epochs,
            validation_data=form,
            validation_batch_size=None if is_stream else 8,
        )
        after = model.evaluate(self.images, self.labels, batch_size=8, verbose=0, return_dict=True)
        for name, value in after.items():
            np.testing.assert_allclose(history[f"val_{name}"][-1], value, rtol=1e-5)
        self.forget_evaluations(model)

    def test_integers_and_floats_are_the_same_images(self):
        model = self.anew()
        self.fit(model, images=self.images.astype("float32") / 255.0)
        self.assert_plainly_trained(model, atol=1e-6)

    def test_eager_equals_compiled(self):
        if not self.run_eagerly:
            pytest.skip("eager steps are tried with other models")
        model, _ = self.watched
        self.assert_plainly_trained(model, atol=2e-4)

    def test_config_round_trip(self):
        model = self.make(seed=3)
        config = model.get_config()
        copy = type(model).from_config(keras.saving.serialize_keras_object(model)["config"])
        serialized = [
            json.dumps(keras.saving.serialize_keras_object(m)["config"], sort_keys=True)
            for m in (model, copy)
        ]
        assert serialized[0] == serialized[1]
        for name in config:
            assert hasattr(model, name), name

    def test_resumed_training_equals_uninterrupted(self):
        resumed = keras.saving.load_model(self.plain.file("model.keras"))
        self.assert_as_saved(resumed)
        self.fit(resumed)
        self.assert_plainly_trained(resumed, epochs=3)

    def assert_as_saved(self, model):
        self.assert_plainly_trained(model, epochs=2, atol=0.0)
        assert_same(arrays(model.optimizer.variables), self.plain.optimizer[2], atol=0.0)

    def test_weights_files_keep_the_optimizers(self):
        model = self.anew()
        model.load_weights(self.plain.file("model.weights.h5"))
        self.assert_as_saved(model)
        self.fit(model)
        self.assert_plainly_trained(model, epochs=3)

    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision(self, policy):
        keras.config.set_dtype_policy(policy)
        model = self.compiled(run_eagerly=EAGER)
        steps = {"epochs": 2} if policy == "mixed_bfloat16" else {}  # float16 is slow on a CPU
        assert np.isfinite(list(self.fit(model, **steps).values())).all()
        assert all(v.dtype == "float32" for v in model.trainable_variables)
        scaled = [
            isinstance(o, keras.optimizers.LossScaleOptimizer) for o in model.optimizer.optimizers
        ]
        assert all(scaled) == any(scaled) == (policy == "mixed_float16")

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (lambda x: x.astype("float32"), r"in \[0, 1\].*float32 images in \["),
            (lambda x: x / 255.0 - 0.5, r"in \[0, 1\].*\[-0"),
            (lambda x: np.where(x == x[0, 0, 0, 0], np.nan, x / 255.0), "NaN"),
            (lambda x: x[..., 0], "Expected images of shape"),
            (lambda x: x[:, :-1], "Resize the images"),
            (lambda x: x[:0], "at least one image"),
        ],
    )
    def test_bad_images_are_refused_before_a_step(self, images, message):
        model = self.plain.model
        before = arrays(model.variables)
        bad = images(self.images)
        with pytest.raises(ValueError, match=message):
            model.fit(bad, self.labels, verbose=0)
        with pytest.raises(ValueError, match=message):
            model.evaluate(bad, self.labels, verbose=0)
        assert_same(arrays(model.variables), before, atol=0.0)

    def test_sample_weights_are_refused(self):
        with pytest.raises(ValueError, match="sample_weight"):
            self.plain.model.fit(
                self.images, self.labels, sample_weight=np.ones(16), batch_size=8, verbose=0
            )


class SamplerContract:
    """What every model with `sample` promises besides."""

    def sample(self, model, num, **kwargs):
        labels = None if self.labels is None else np.resize(self.labels, num)
        return model.sample(num, labels, **kwargs)

    def test_samples_are_images(self):
        images = self.sample(self.plain.model, 5, seed=0)
        assert images.shape == (5, *self.image_shape)
        assert images.dtype == np.float32
        assert images.min() >= 0.0 and images.max() <= 1.0

    def test_a_seed_gives_the_same_samples_in_any_batches(self):
        model = self.plain.model
        a = self.sample(model, 5, seed=0)
        np.testing.assert_allclose(a, self.sample(model, 5, seed=0, batch_size=2), atol=1e-6)
        assert np.abs(a - self.sample(model, 5, seed=1)).max() > 1e-6
        assert np.abs(a - self.sample(model, 5)).max() > 1e-6

    def test_samples_follow_the_weights_and_leave_the_training_as_it_was(self):
        model, seen = self.anew(), []

        def look(batch=None, logs=None):
            seen.append(self.sample(model, 3, seed=0))

        look()
        self.sample(model, 3)
        watch = keras.callbacks.LambdaCallback(on_train_batch_end=look)
        self.fit(model, epochs=3, callbacks=[watch])
        look()
        assert np.abs(seen[1] - seen[2]).max() > 0.0
        assert np.abs(seen[-1] - seen[0]).max() > 1e-6
        np.testing.assert_array_equal(seen[-1], seen[-2])
        self.assert_plainly_trained(model, epochs=3)

    def test_no_samples_is_an_error(self):
        with pytest.raises(ValueError, match="num=0"):
            self.sample(self.plain.model, 0)
