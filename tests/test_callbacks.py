import os
import re
import warnings

import keras
import numpy as np
import pytest

import kgen
from kgen import callbacks
from kgen.callbacks import backups
from tests.models.test_vae import networks


def tiny(learning_rate=0.1):
    model = kgen.VAE((8, 8, 1), seed=0, **networks())
    model.compile(keras.optimizers.SGD(learning_rate))
    return model


def fit(model, images, *given, batch_size=32, **kwargs):
    model.fit(
        images, batch_size=batch_size, shuffle=False, verbose=0, callbacks=list(given), **kwargs
    )


def values(variables):
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assert_same(a, b):
    for x, y in zip(values(a), values(b), strict=True):
        np.testing.assert_array_equal(x, y)


def read(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


class StubModel:
    condition = None
    """Remembers the labels that it was asked to sample; its images are their labels."""

    def __init__(self, num_classes=None):
        self.num_classes = num_classes

    def sample(self, num, labels=None, seed=None):
        self.num, self.labels, self.seed = num, labels, seed
        return np.zeros((num, 8, 8, 1))


def test_tensorboard_reads_what_each_epoch_logged(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for epochs in ((0, 1), (2,)):  # as of a training that goes on
        scalars = callbacks.TensorBoardScalars(str(tmp_path))
        for epoch in epochs:
            scalars.on_epoch_end(epoch, {"loss": epoch + 0.5, "val_loss": np.float32(-epoch)})
        scalars.on_train_end()
    curves = {}
    for part in os.listdir(tmp_path):
        events = reading.EventAccumulator(str(tmp_path / part))
        events.Reload()
        assert events.Tags()["scalars"] == ["epoch_loss"]
        curves[part] = [(each.step, each.value) for each in events.Scalars("epoch_loss")]
    assert curves["train"] == [(0, 0.5), (1, 1.5), (2, 2.5)]
    assert curves["validation"] == [(0, 0.0), (1, -1.0), (2, -2.0)]


def test_no_validation_makes_no_folder_for_it(tmp_path):
    callbacks.TensorBoardScalars(str(tmp_path)).on_epoch_end(0, {"loss": 1.0})
    assert os.listdir(tmp_path) == ["train"]


@pytest.mark.parametrize("learning_rate", [0.0, 0.1])
def test_grids_show_the_same_latents_each_epoch(tmp_path, digits, learning_rate):
    fit(tiny(learning_rate), digits[0], callbacks.SampleGrid(str(tmp_path), num=4), epochs=3)
    grids = read(tmp_path)
    assert list(grids) == ["epoch-0001.png", "epoch-0002.png", "epoch-0003.png"]
    # Without learning nothing changes; with it every epoch does.
    assert len(set(grids.values())) == (1 if learning_rate == 0.0 else 3)


def test_grids_of_every_second_epoch(tmp_path):
    callback = callbacks.SampleGrid(str(tmp_path / "new"), num=4, every=2, seed=5)
    callback.set_model(StubModel())
    for epoch in range(5):
        callback.on_epoch_end(epoch)
    assert sorted(os.listdir(tmp_path / "new")) == ["epoch-0002.png", "epoch-0004.png"]
    assert (callback.model.num, callback.model.seed) == (4, 5)


@pytest.mark.parametrize(("off", "advice"), [(-0.5, r"\(images \+ 1\) / 2"), (np.nan, "finite")])
def test_samples_that_are_no_images_end_no_training(tmp_path, digits, off, advice):
    class Off(kgen.VAE):
        def sample(self, *args, **kwargs):
            return super().sample(*args, **kwargs) * 0 + off

    model = Off((8, 8, 1), seed=0, **networks())
    model.compile(keras.optimizers.SGD(0.0))
    with pytest.warns(UserWarning, match=rf"no grid of samples of epoch 1: Expected.*{advice}"):
        fit(model, digits[0], callbacks.SampleGrid(str(tmp_path), num=4), epochs=2)
    assert len(model.history.epoch) == 2 and not os.listdir(tmp_path)


def test_a_grid_that_cannot_be_written_ends_no_training(tmp_path):
    callback = callbacks.SampleGrid(str(tmp_path / "file" / "grids"), num=4)
    (tmp_path / "file").write_text("")
    callback.set_model(StubModel())
    with pytest.warns(UserWarning, match="no grid of samples of epoch 1: Expected a folder"):
        callback.on_epoch_end(0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_stop_on_nan_names_loss_player_and_step(value, digits):
    model, callback = tiny(), callbacks.StopOnNaN()
    fit(model, digits[0])
    callback.set_model(model)
    callback.on_epoch_begin(4)
    callback.on_train_batch_end(0, {"loss": 1.0, "kl_loss": 0.0})
    message = f"^kl_loss became {value} at step 2 of the vae, epoch 5"
    with pytest.raises(FloatingPointError, match=message):
        callback.on_train_batch_end(3, {"loss": 1.0, "kl_loss": value})


@pytest.mark.parametrize(
    ("learning_rate", "batch_size", "validated", "message"),
    [
        (1e30, 32, False, "loss became (nan|inf) at step 4 of the vae, epoch 2"),
        # The last step of an epoch ruins the weights after its own loss was taken.
        (1e30, 64, True, "val_.*loss became (nan|inf) at step 2 of the vae, epoch 2"),
        (float("inf"), 64, False, "(kernel|bias) became NaN or infinite at step 2 .*, epoch 2"),
    ],
)
def test_the_backup_before_a_nan_is_good(
    tmp_path, digits, learning_rate, batch_size, validated, message
):
    data = kgen.data.load((np.concatenate([digits[0], digits[0][:8]])), batch_size=batch_size)
    assert data.num_train == 65
    model, backup = tiny(), callbacks.Backup(str(tmp_path), every_steps=1)
    given = {"callbacks": [callbacks.StopOnNaN(), backup], "verbose": 0}
    model.fit(data.train, **given)
    ruin = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda *_, **__: setattr(
            model.optimizer["vae"], "learning_rate", learning_rate
        )
    )
    given["callbacks"] = [ruin, *given["callbacks"]]
    validation = {"validation_data": data.test} if validated else {}
    with pytest.raises(FloatingPointError, match=message):
        model.fit(data.train, epochs=3, **given, **validation)
    assert sorted(os.listdir(tmp_path))[-1] == "epoch-0001-batch-000000.keras"
    loaded = keras.saving.load_model(backups.newest(str(tmp_path)))
    assert all(np.isfinite(v).all() for v in values(loaded.variables))


@pytest.mark.parametrize(
    ("logs", "is_stuck"),
    [
        ({"real_accuracy": 1.0, "fake_accuracy": 1.0}, True),
        ({"real_accuracy": 1.0, "fake_accuracy": 0.99999}, False),
        ({"real_accuracy": 1.0}, False),
        ({"critic_loss": 1.0}, False),
        (None, False),
    ],
)
def test_a_discriminator_that_is_always_right_is_reported(logs, is_stuck):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callbacks.StuckDiscriminator().on_epoch_end(2, logs)
    assert len(caught) == is_stuck
    if is_stuck:
        assert re.search("every image in epoch 3.*r1_weight", str(caught[0].message))
