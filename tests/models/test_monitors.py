"""Keras' callbacks that wait for a better figure."""

import os

import keras
import numpy as np
import pytest

import kgen
from kgen.models.monitors import mode_of

EarlyStopping = keras.callbacks.EarlyStopping
ModelCheckpoint = keras.callbacks.ModelCheckpoint
ReduceLROnPlateau = keras.callbacks.ReduceLROnPlateau
X = np.random.default_rng(0).random((8, 8, 8, 1), "float32")


@pytest.fixture(scope="module")
def gan():
    model = kgen.WGANGP((8, 8, 1), 2, width=4, n_critic=1, log_gradient_norms=True)
    model.compile()
    return model


def fit(model, *callbacks, epochs=1):
    model.fit(X, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks))


def test_which_way_a_log_is_better():
    modes = {
        "min": "loss kl_loss generator_loss gradient_penalty wasserstein_distance bits_per_dim",
        "max": "code_accuracy log_likelihood elbo",
        None: "real_accuracy fake_accuracy critic_gradient_norm steps",
    }
    for mode, names in modes.items():
        assert [mode_of(name) for name in names.split()] == [mode] * len(names.split())


@pytest.mark.parametrize("prefix", ["", "val_"])
def test_auto_knows_the_direction(gan, tmp_path, prefix):
    callbacks = [
        EarlyStopping(f"{prefix}generator_loss"),
        ReduceLROnPlateau(f"{prefix}wasserstein_distance"),
        ModelCheckpoint(tmp_path / "model.keras", f"{prefix}critic_loss", save_best_only=True),
        EarlyStopping("critic_gradient_norm", mode="max"),
    ]
    gan.fit(X, batch_size=8, validation_data=(X,), verbose=0, callbacks=callbacks)
    assert [callback.mode for callback in callbacks] == ["min", "min", "min", "max"]
    assert all(callback.best is not None for callback in callbacks)
    assert os.listdir(tmp_path) == ["model.keras"]


def test_a_figure_of_another_callback_may_be_monitored(gan):
    figures = iter([3.0, 2.0, 4.0, 5.0])
    measure = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(frechet_distance=next(figures))
    )
    stop = EarlyStopping("frechet_distance", patience=1)
    fit(gan, measure, stop, epochs=4)
    assert (stop.best, stop.stopped_epoch) == (2.0, 2)


@pytest.mark.parametrize("monitor", ["loss", "val_loss"])
def test_a_model_without_a_loss_of_its_own_says_what_to_monitor(gan, tmp_path, monitor):
    best = ModelCheckpoint(tmp_path / "model.keras", monitor, save_best_only=True)
    for callback in (EarlyStopping(monitor), ReduceLROnPlateau(monitor, mode="min"), best):
        message = (
            r"among what WGANGP logs: generator_loss, critic_loss, wasserstein_distance, gradient_"
            rf"penalty, of validation .*Received: {type(callback).__name__}\(monitor='{monitor}'\)"
        )
        with pytest.raises(ValueError, match=message):
            fit(gan, callback)


def test_what_is_better_neither_way_needs_a_mode(gan):
    with pytest.raises(ValueError, match="mode='min' or mode='max' for critic_gradient_norm"):
        fit(gan, EarlyStopping("critic_gradient_norm"))


@pytest.mark.parametrize("monitor", ["val_loss", "critic_gradient_norm", "other"])
def test_every_epoch_is_saved_whatever_is_monitored(gan, tmp_path, monitor):
    fit(gan, ModelCheckpoint(tmp_path / "model.weights.h5", monitor, save_weights_only=True))
    assert os.listdir(tmp_path) == ["model.weights.h5"]


def test_a_models_own_loss_is_what_keras_monitors_by_default():
    vae = kgen.VAE((8, 8, 1), latent_dim=1)
    vae.compile()
    callbacks = [EarlyStopping(), ReduceLROnPlateau(), EarlyStopping("val_kl_loss")]
    vae.fit(X, validation_data=(X,), verbose=0, callbacks=callbacks)
    assert all(callback.best is not None for callback in callbacks)
