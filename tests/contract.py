"""A model of the zoo under test: its plain training, and what the contract does with it."""

import functools

import keras
import numpy as np

from kgen import backend  # noqa: F401 - the models need a backend that kgen knows
from kgen.models.generative_model import EVALUATION_SEED

# Two equal trainings give the same bits, but for TensorFlow: there two traces of a step differ now
# and then by the rounding of their sums (2e-11 seen, once in thousands of tests).
ROUNDING = 1e-7 if keras.backend.backend() == "tensorflow" else 0.0

# TensorFlow takes longer to trace a small model than to train it.
EAGER = keras.backend.backend() == "tensorflow"


def arrays(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def assert_same(a, b, atol=ROUNDING):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=0, atol=atol)


def assert_same_images(case, found, expected, atol=0.0):
    """The same but for rounding, which moves few pixels of a discrete model by a whole level."""
    atol = max(atol, case.rounding)
    assert found.shape == expected.shape
    if case.discrete:
        assert np.mean(np.abs(found - expected) > atol) < 1e-3
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def set_weights_by_formula(model):
    """The same weights on every backend, and not those that another backend begins with."""
    variables = [variable for variable in model.variables if variable.name != "steps"]
    for i, variable in enumerate(variables):
        if variable.name == "order":
            variable.assign(np.roll(np.arange(variable.shape[0]), 1))
        elif variable.name == "sign":
            variable.assign((-1) ** np.arange(variable.shape[0]))
        if not len(variable.shape) or "float" not in keras.backend.standardize_dtype(
            variable.dtype
        ):
            continue  # scalars and random states
        fan_in = np.prod(variable.shape[:-1]) if len(variable.shape) > 1 else 9.0
        wave = np.sin((i + 1.0) * (1.0 + np.arange(np.prod(variable.shape, dtype=int))))
        start = 1.0 if variable.name in ("gamma", "moving_variance") else 0.0
        small = 0.5 if variable.name in ("gamma", "moving_variance") else 1.0
        variable.assign(start + small * wave.reshape(variable.shape) / np.sqrt(fan_in))


class Subject:
    """A model of the zoo.

    `plain` is a training of which nothing is special, that the tests of one model share.
    """

    def __init__(self, case, folder):
        self.case = case
        self.folder = folder
        self.images = case.images
        self.y = case.given_to_fit()

    def compiled(self, **kwargs):
        keras.utils.set_random_seed(0)
        model = self.case.make(seed=3)
        model.compile(**({"optimizer": self.case.optimizer()} | kwargs))
        return model

    def fit(self, model, images=None, **kwargs):
        images = self.images if images is None else images
        return model.fit(images, self.y, batch_size=8, shuffle=False, verbose=0, **kwargs).history

    def evaluate(self, model):
        return model.evaluate(self.images, self.y, batch_size=8, verbose=0, return_dict=True)

    def sample(self, model, num, **kwargs):
        return model.sample(num, self.case.y(num), **kwargs)

    @functools.cached_property
    def plain(self):
        return PlainTraining(self)

    @functools.cached_property
    def loaded(self):
        """The model of the plain training from its file, which a test trains further."""
        return keras.saving.load_model(self.plain.archive)

    @functools.cached_property
    def watched(self):
        """A model after an epoch, and by player which of the trainable variables it moved.

        On TensorFlow the epoch is not compiled.
        """
        model = self.compiled(run_eagerly=EAGER)
        variables, move = model.trainable_variables, model.move
        names = {p: [f"{p}_{i}" for i in range(len(variables))] for p in model.players()}
        model.add_logs(*sum(names.values(), []))

        def watch(player, gradients):
            before = [keras.ops.copy(variable) for variable in variables]
            move(player, gradients)
            for name, variable, start in zip(names[player], variables, before, strict=True):
                model.log(**{name: keras.ops.any(variable != start)})

        model.move = watch
        history = self.fit(model)
        return model, {p: [history[n][0] > 0.0 for n in each] for p, each in names.items()}

    def anew(self):
        """The model of the plain training as it was before, with its steps already compiled."""
        model = self.plain.model
        assign(model.variables, self.plain.weights[0])
        assign(model.optimizer.variables, self.plain.optimizer[0])
        return model

    def assert_plainly_trained(self, model, epochs=1, atol=ROUNDING):
        assert_same(arrays(model.variables), self.plain.weights[epochs], atol)

    def assert_as_saved(self, model):
        self.assert_plainly_trained(model, epochs=2, atol=0.0)
        assert_same(arrays(model.optimizer.variables), self.plain.optimizer[2], atol=0.0)

    def check_validation(self, model, epochs, form):
        """Its logs are those of `evaluate`, also between two epochs of one `fit`."""
        is_stream = hasattr(form, "__next__")
        history = self.fit(
            model,
            epochs=epochs,
            validation_data=form,
            validation_batch_size=None if is_stream else 8,
        )
        for name, value in self.evaluate(model).items():
            np.testing.assert_allclose(history[f"val_{name}"][-1], value, rtol=1e-5)
        forget_evaluations(model)


def forget_evaluations(model):
    """Their noise is all that may have moved."""
    model.evaluation_seed_generator.state.assign([EVALUATION_SEED, 0])


class PlainTraining:
    """Four epochs, and what they leave.

    `model` is in whatever state the tests left it. `weights` and `optimizer` are its variables and
    its optimizers' after each number of epochs; after two the files of the folder were written.
    """

    def __init__(self, subject):
        self.archive = subject.folder / "model.keras"
        self.weights_file = subject.folder / "model.weights.h5"
        self.model = subject.compiled()
        self.weights, self.optimizer = [], []
        self._keep()
        keep = keras.callbacks.LambdaCallback(on_epoch_end=self._keep)
        self.history = subject.fit(self.model, epochs=4, callbacks=[keep])
        self.counts = [float(metric.count) for metric in self.model.metrics]

    def _keep(self, *_):
        self.weights.append(arrays(self.model.variables))
        self.optimizer.append(arrays(self.model.optimizer.variables))
        if len(self.weights) == 3:
            self.model.save(self.archive)
            self.model.save_weights(self.weights_file)
