"""What a model answers while it trains in another thread, and to a few rows at a time."""

import threading
import time

import keras
import numpy as np
import pytest

from tests.contract import arrays, assert_same
from tests.zoo import SHAPE, ZOO, dense_vae

pytestmark = pytest.mark.each_backend
IMAGES = np.random.default_rng(0).random((64, *SHAPE), dtype="float32")


def train(look=None):
    keras.utils.set_random_seed(0)
    model = dense_vae(seed=0)
    model.compile()
    answers, errors, is_over = [], [], threading.Event()

    def others():
        while not is_over.is_set():
            try:
                answers.append(look(model))
            except Exception as error:
                errors.append(error)
            time.sleep(1e-3)

    thread = threading.Thread(target=others)
    if look:
        look(model)  # compiled
        thread.start()
    try:
        given = {"batch_size": 4, "epochs": 4, "shuffle": False, "verbose": 0}
        model.fit(IMAGES, validation_data=(IMAGES,), **given)
    finally:
        is_over.set()
        if look:
            thread.join()
    return model, answers, errors


def test_another_thread_may_sample_during_fit():
    expected, _, _ = train()
    model, answers, errors = train(lambda model: (model.sample(2, seed=0), model.beta))
    assert not errors and len(answers) > 2
    assert all(samples.shape == (2, *SHAPE) and beta == 1.0 for samples, beta in answers)
    assert np.abs(answers[0][0] - answers[-1][0]).max() > 0  # of the weights as they were then
    assert_same(arrays(model.trainable_variables), arrays(expected.trainable_variables))


def test_another_thread_may_not_evaluate_during_fit():
    model, errors = dense_vae(seed=0), []
    model.compile()

    def evaluate():
        try:
            model.evaluate(IMAGES, verbose=0)
        except RuntimeError as error:
            errors.append(str(error))

    def in_a_thread(epoch, logs):
        thread = threading.Thread(target=evaluate)
        thread.start()
        thread.join()

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=in_a_thread)
    model.fit(IMAGES, epochs=2, verbose=0, callbacks=[callback])
    assert len(errors) == 2 and "in a callback of it" in errors[0]


@pytest.mark.parametrize("name", ["vae", "pixel_cnn"])
def test_a_few_rows_are_compiled_for_few_sizes(name, monkeypatch):
    case = ZOO[name]
    model = case.make(seed=0)
    sizes = set()
    compiled_function = model.compiled_function

    def watched(function, **static):
        compiled = compiled_function(function, **static)

        def call(*args):
            rows = keras.tree.flatten(args)
            sizes.update(len(each) for each in rows if np.ndim(each) > 0)
            return compiled(*args)

        return call

    monkeypatch.setattr(model, "compiled_function", watched)
    whole = model.sample(9, seed=0)
    for num in range(1, 9):
        np.testing.assert_allclose(model.sample(num, seed=0), whole[:num], atol=1e-6)
    if keras.backend.backend() == "jax":
        assert {size for size in sizes if size} <= {1, 2, 4, 8, 16}
    assert model.sample(5, seed=0, batch_size=2).shape[0] == 5
