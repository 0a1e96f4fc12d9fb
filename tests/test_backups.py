import csv
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import kgen
from kgen import backend, callbacks, lock
from kgen.callbacks import backup as backup_callback
from kgen.callbacks import backups
from kgen.callbacks.differences import check_same
from kgen.keras_file import flaw
from tests.tiers import in_tiers

TRACING_IS_SLOWER_THAN_TRAINING = keras.backend.backend() == "tensorflow"


def tiny(learning_rate=1e-3, run_eagerly=TRACING_IS_SLOWER_THAN_TRAINING, **kwargs):
    """Two players, batch normalization, averaged weights, noise."""
    random.seed(0)
    z = keras.Input((2,))
    x = keras.layers.Dense(64, use_bias=False)(z)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Reshape((8, 8, 1))(x)
    generator = keras.Model(z, keras.layers.Activation("tanh")(x))
    image = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dropout(0.2, seed=0)(keras.layers.Dense(8, activation="tanh")(x))
    discriminator = keras.Model(image, keras.layers.Dense(1)(x))
    model = kgen.GAN(
        (8, 8, 1),
        latent_dim=2,
        generator=generator,
        discriminator=discriminator,
        ema_decay=0.9,
        seed=1,
        **kwargs,
    )
    optimizers = {p: keras.optimizers.Adam(learning_rate, name=p) for p in model.players()}
    model.compile(optimizers, run_eagerly=run_eagerly)
    return model


def load(batch_size=500, **kwargs):
    return kgen.data.load("digits", batch_size=batch_size, **kwargs)


class Interrupt(keras.callbacks.Callback):
    """Leaves `fit` after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def train(folder, *others, data=None, model=None, epochs=2, every_steps=1):
    data, model = data or load(), model or tiny()
    last = callbacks.Backup(str(folder), every_steps=every_steps)
    given = [*others, callbacks.StopOnNaN(), last]
    model.fit(data.train, validation_data=data.test, epochs=epochs, verbose=0, callbacks=given)
    return model


def state(model):
    arrays = [*model.variables, *model.optimizer.variables]
    return {v.path + str(i): keras.ops.convert_to_numpy(v) for i, v in enumerate(arrays)}


def assert_same(a, b):
    for (name, x), y in zip(a.items(), b.values(), strict=True):
        np.testing.assert_array_equal(x, y, name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training of two epochs of three steps, and the state that it ended with."""
    folder = tmp_path_factory.mktemp("backups")
    return folder, state(train(folder))


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of its backups: after five steps, and at its end."""
    return shutil.copytree(whole[0], tmp_path / "copy")


def names(folder):
    return sorted(name for name in os.listdir(folder) if name != lock.NAME)


def test_the_two_newest_backups_are_kept(whole):
    assert names(whole[0]) == ["epoch-0001-batch-000002.keras", "epoch-0002-batch-000000.keras"]
    loaded = keras.saving.load_model(backups.newest(str(whole[0])))
    assert_same(state(loaded), whole[1])


def test_a_finished_training_is_restored(whole, folder):
    assert_same(state(train(folder)), whole[1])
    assert names(folder) == names(whole[0])


@pytest.mark.each_backend
@pytest.mark.parametrize("steps", in_tiers([1, 2, 3, 4, 5], quick=[2, 4]))
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path, whole, steps):
    for others in ([Interrupt(steps)], []):
        try:
            model = train(tmp_path, *others)
        except KeyboardInterrupt:
            continue
    assert_same(state(model), whole[1])


def jumps():
    return keras.optimizers.schedules.PiecewiseConstantDecay([2, 4], [1e-3, 1e-1, 1e-2])


@pytest.mark.parametrize(("halved", "interrupted_after"), [(False, [4]), (True, [1, 5])])
def test_learning_rates_that_change_are_those_of_a_training_that_was_not_interrupted(
    tmp_path, halved, interrupted_after
):
    def run(folder, *others):
        halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        return train(folder, *[halve] * halved, *others, model=tiny(1e-3 if halved else jumps()))

    expected = state(run(tmp_path / "whole"))
    for steps in interrupted_after:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / str(steps), Interrupt(steps))
        assert_same(state(run(tmp_path / str(steps))), expected)


def test_a_roll_back_halves_a_schedule_to_its_end(tmp_path):
    backup = callbacks.Backup(str(tmp_path))
    tiny(jumps()).fit(load().train, verbose=0, callbacks=[backup])
    for scale in (0.5, 0.25):
        backup.roll_back(tiny(jumps()), scale)
    optimizer = train(tmp_path, model=tiny(jumps())).optimizer
    assert optimizer.learning_rate_scale == 0.25
    assert float(optimizer.learning_rate) == pytest.approx(0.25 * 1e-2)


@pytest.mark.parametrize("kills", in_tiers(["3", "20"], quick=[], on_each=["3"]))
def test_a_training_killed_at_any_moment_ends_as_one_that_was_not(tmp_path, kills):
    command = [sys.executable, "-m", "tests.kills", str(tmp_path), kills]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = [np.load(tmp_path / name / "end.npz") for name in ("whole", "killed")]
    assert_same(*({name: end[name] for name in end.files} for end in ends))
    rows = []
    for name in ("whole", "killed"):
        with open(tmp_path / name / "history.csv", newline="") as file:
            # The last row of an epoch counts: a kill after it was written repeats it.
            rows.append({row["epoch"]: row for row in csv.DictReader(file)})
    assert rows[0] == rows[1]
    assert list(rows[0]) == [str(epoch) for epoch in range(7)]
    left = [names(tmp_path / name / "backups") for name in ("whole", "killed")]
    assert left[0][-1] == left[1][-1] and len(left[1]) == 2


def test_what_is_logged_of_an_epoch_is_that_of_the_whole_epoch(tmp_path):
    histories = [train_history(tmp_path / "whole")]
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", Interrupt(5))
    histories.append(train_history(tmp_path / "parts"))
    assert list(histories[0]) == list(histories[1])
    for name, values in histories[1].items():
        assert values == histories[0][name][-1:], name  # of the second epoch alone


def train_history(folder):
    return train(folder).history.history


def test_another_callback_ends_a_resumed_epoch(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Interrupt(1))
    model = train(tmp_path, Stop(), epochs=5)
    assert int(model.optimizer.iterations) == 3
    assert names(tmp_path)[-1] == "epoch-0001-batch-000000.keras"


def test_seconds_between_backups(tmp_path, monkeypatch):
    clock, taken = [0.0], []
    monkeypatch.setattr(backup_callback.time, "monotonic", lambda: clock[0])
    write = backups.write

    def slow(folder, model, notes):
        clock[0] += 1.0
        taken.append((notes["epoch"], notes["batch"]))
        return write(folder, model, notes)

    monkeypatch.setattr(backups, "write", slow)

    class Tick(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            clock[0] += 20.0

    data = load()
    given = [Tick(), callbacks.Backup(str(tmp_path), every_seconds=30)]
    tiny().fit(data.train, epochs=3, verbose=0, callbacks=given)
    # A second each: fifty seconds are the least from one to the next.
    assert taken == [(0, 0), (1, 0), (2, 0), (3, 0)]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="folder that backups can be written to. Received: .*file"):
        train(tmp_path / "file" / "backups")


def test_a_second_training_with_the_same_backups_is_refused(folder):
    with lock.locked(str(folder), "trains"):
        with pytest.raises(BlockingIOError, match="no other process trains. Received: .*copy"):
            train(folder)
    train(folder)


WRITING = {
    "weights": (keras.saving, "save_model"),
    "archive": (zipfile.ZipFile, "write"),
    "rename": (os, "replace"),
}


@pytest.mark.parametrize("fault", WRITING)
def test_a_full_disk_keeps_the_last_backup_and_training_goes_on(folder, whole, monkeypatch, fault):
    before = {name: (folder / name).read_bytes() for name in names(folder)}

    def full(*args, **kwargs):
        if fault == "weights":
            with open(os.path.join(args[-1], "model.weights.h5"), "wb") as file:
                file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    model = tiny()
    with monkeypatch.context() as patch:
        patch.setattr(*WRITING[fault], full)
        with pytest.warns(UserWarning, match="No backup could be written.*No space left"):
            train(folder, model=model, epochs=3)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before
    assert_same(state(model), state(train(folder, epochs=3)))


def test_a_full_disk_as_hdf5_says_it_when_it_closes_a_file(folder, monkeypatch):
    words = ["flush failed (file write failed: filename = 'a', errno = 28, error message = 'No')"]
    words.append("of something else")

    def full(*args, **kwargs):
        raise RuntimeError(words[0])

    monkeypatch.setattr(keras.saving, "save_model", full)
    with pytest.warns(UserWarning, match=r"No backup .*, and training goes on: \[Errno 28\] No sp"):
        train(folder, epochs=3)
    del words[0]
    with pytest.raises(RuntimeError, match="of something else"):
        train(folder, epochs=3)


def test_a_backup_that_failed_is_tried_again_at_the_end(tmp_path, monkeypatch):
    write, left = backups.write, [backups.write]

    def full_once(folder, model, notes):
        if notes["epoch"] == 1 and left:
            left.pop()
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(folder, model, notes)

    monkeypatch.setattr(backups, "write", full_once)
    with pytest.warns(UserWarning, match="No backup could be written") as warned:
        train(tmp_path, epochs=1, data=load(1500))
    assert names(tmp_path)[-1] == "epoch-0001-batch-000000.keras"
    assert not [each for each in warned if "fit ends" in str(each.message)]


@pytest.mark.parametrize("is_stopped", [True, False])
def test_no_backup_of_broken_weights(tmp_path, is_stopped):
    model, data = tiny(), load(1500)

    def overflow(batch, logs):
        model.optimizer["generator"].learning_rate = float("inf")

    breaking = keras.callbacks.LambdaCallback(on_train_batch_begin=overflow)
    if is_stopped:
        with pytest.raises(FloatingPointError, match="became nan at step 1 of the discriminator"):
            train(tmp_path, breaking, model=model, data=data, epochs=9)
    else:
        backup = callbacks.Backup(str(tmp_path), every_steps=1)
        model.fit(data.train, epochs=1, verbose=0, callbacks=[breaking, backup])
    assert names(tmp_path) == ["epoch-0000-batch-000000.keras"]


@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped"])
def test_a_damaged_backup_falls_back_to_the_one_before(folder, whole, damage):
    path = folder / names(folder)[-1]
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        del content[len(content) // 2 if damage == "truncated" else 0 :]
    path.write_bytes(content)
    with pytest.warns(UserWarning, match=rf"{path.name} is .*, and \S*{names(folder)[0]} is used"):
        model = train(folder)
    assert_same(state(model), whole[1])
    assert flaw(str(path)) is None


def test_every_flipped_bit_is_found_or_changes_nothing(folder):
    path = folder / names(folder)[-1]
    content = path.read_bytes()

    def read():
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    expected, rng = read(), random.Random(0)
    found = 0
    # Half of them in the directory at the end, which has no checksum.
    for low in [0] * 100 + [len(content) - 600] * 100:
        damaged = bytearray(content)
        damaged[rng.randrange(low, len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        if flaw(str(path)) is None:
            assert read() == expected
        else:
            found += 1
    assert found > 120


def test_no_whole_backup_is_an_error(folder):
    for name in names(folder):
        (folder / name).write_bytes(b"")
    with pytest.raises(ValueError, match="whole state.*keras, which is empty;.*start anew"):
        train(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": 250}, "data.batch_size: 500 in the backup, 250 now"),
        ({"learning_rate": 0.1}, r"learning_rate: 0.001\d* in the backup, 0.1\d* now"),
        ({"discriminator_steps": 2}, "arguments.discriminator_steps: 1 in the backup, 2 now"),
        ({"dtype": "mixed_bfloat16"}, "arguments.dtype: 'float32' in the .*, 'mixed_bfloat16' now"),
        ({"keras": "4.0.0"}, f"keras: '{keras.__version__}' in the backup, '4.0.0' now"),
    ],
)
def test_a_backup_of_another_training_is_refused(folder, changes, message, monkeypatch):
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    data = load(changes.pop("data", 500))
    monkeypatch.setattr(keras, "__version__", changes.pop("keras", keras.__version__))
    with pytest.raises(
        ValueError, match=f"the settings of the backup(?s:.*)Received:\n(?s:.*){message}"
    ):
        train(folder, data=data, model=tiny(**changes), epochs=3)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_objects_among_the_arguments_are_compared_too():
    def settings(decay_steps=10, names="abc", batch_size=500, steps=None):
        warm_up = keras.optimizers.schedules.PolynomialDecay(0.0, decay_steps, 1.0)
        condition = kgen.fields.Label(3, names)
        model = kgen.VAE((8, 8, 1), latent_dim=1, beta=warm_up, condition=condition)
        model.compile()
        return backups.settings_of(model, backend.Reading(load(batch_size).train, steps))

    check_same(settings(), settings(), "it", "then")  # though Keras names the second otherwise
    for changes, message in (
        ({"decay_steps": 20}, "arguments.beta.decay_steps: 10 then, 20 now"),
        ({"names": "abd"}, r"arguments.condition.names: \['a', 'b', 'c'\] then, \['a', 'b', 'd'\]"),
        ({"steps": 2}, "data.steps_per_epoch: 3 then, 2 now"),
    ):
        with pytest.raises(ValueError, match=f"settings of it, .*Received:\n  {message}"):
            check_same(settings(), settings(**changes), "it", "then")


def test_epochs_of_other_steps_than_the_data_have_go_on_too(tmp_path):
    def train(folder, *others):
        model, data = tiny(), load()
        given = [*others, callbacks.Backup(str(folder), every_steps=1)]
        model.fit(data.train, epochs=3, steps_per_epoch=2, verbose=0, callbacks=given)
        assert data.train.position == backend.Position(2)
        return model

    expected = state(train(tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", Interrupt(3))
    assert_same(state(train(tmp_path / "parts")), expected)


def test_a_training_after_one_that_was_finished_begins_at_its_start(tmp_path):
    data = load()
    model = train(tmp_path, data=data, epochs=1)
    train(tmp_path, data=data, model=model, epochs=1)
    assert model.fit(data.train, epochs=2, verbose=0).epoch == [0, 1]


@pytest.mark.each_backend
def test_a_scalar_that_a_callback_changes_is_of_the_state(tmp_path):
    class Smoother(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.label_smoothing = 0.9 * self.model.label_smoothing

    def smoothing():
        return tiny(label_smoothing=0.5)

    expected = state(train(tmp_path / "whole", Smoother(), model=smoothing()))
    model, data = smoothing(), load()
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", Smoother(), Interrupt(4), data=data, model=model, every_steps=3)
    for epochs in (2, 2):  # of the second one nothing is left
        train(tmp_path / "parts", Smoother(), data=data, model=model, epochs=epochs)
        assert_same(state(model), expected)
    last = model.label_smoothing
    assert last == pytest.approx(0.5 * 0.9**6, rel=1e-6)
    model.label_smoothing = 0.25
    for _ in range(2):
        with pytest.raises(ValueError, match="label_smoothing: 0.5 in the backup, 0.25 now"):
            train(tmp_path / "parts", data=data, model=model)
    model.label_smoothing = last
    train(tmp_path / "parts", data=data, model=model)


@pytest.mark.each_backend
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no such steps there")
def test_steps_of_several_batches_go_on_in_the_middle_of_an_epoch(tmp_path):
    """Of an epoch of five, four at a time, the second step has one."""

    def trained(folder, *others):
        vae = kgen.VAE((8, 8, 1), 2, width=4, depth=1, seed=0)
        vae.set_weights([np.full(v.shape, 0.01 * i) for i, v in enumerate(vae.weights)])
        vae.compile(keras.optimizers.SGD(0.01), steps_per_execution=4)
        data = load(300)
        last = callbacks.Backup(str(folder), every_steps=1)
        vae.fit(data.train, epochs=2, verbose=0, callbacks=[*others, last])
        return vae

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "a", Interrupt(2))
    for a, b in zip(trained(tmp_path / "a").weights, trained(tmp_path / "b").weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (a, b)))


def test_a_training_goes_on_in_the_data_where_another_left_them(tmp_path):
    def train(position, *others):
        model, data = tiny(), load()
        data.train.position = position
        given = [*others, callbacks.Backup(str(tmp_path), every_steps=1)]
        model.fit(data.train, epochs=2, verbose=0, callbacks=given)
        return data.train.position, state(model)

    whole = tiny()
    data = load()
    data.train.position = backend.Position(4)
    whole.fit(data.train, epochs=2, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        train(backend.Position(4), Interrupt(4))
    end, found = train(backend.Position(0))  # as a new process has it
    assert end == data.train.position == backend.Position(6)
    assert_same(found, state(whole))


def test_another_model_is_refused(folder):
    model = kgen.Autoencoder((8, 8, 1), latent_dim=1)
    model.compile()
    with pytest.raises(ValueError, match="model: 'GAN' in the backup, 'Autoencoder' now"):
        train(folder, model=model)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves(number, tmp_path, whole, capsys, handlers):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 1:
                os.kill(os.getpid(), number)

    with pytest.raises((SystemExit, KeyboardInterrupt)) as left:
        train(tmp_path, Stop(), every_steps=None)
    if number == signal.SIGTERM:
        assert left.value.code == callbacks.PREEMPTED == 75
    else:
        assert left.type is KeyboardInterrupt
    last = tmp_path / "epoch-0000-batch-000002.keras"
    assert f"The same command goes on from {last}\n" in capsys.readouterr().err
    assert names(tmp_path) == ["epoch-0000-batch-000000.keras", "epoch-0000-batch-000002.keras"]
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert_same(state(train(tmp_path)), whole[1])


def test_ctrl_c_is_ignored_where_it_was(tmp_path, whole, handlers):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert_same(state(train(tmp_path, Stop())), whole[1])
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_a_second_ctrl_c_waits_for_nothing(tmp_path, handlers):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            raise AssertionError("went on")

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Stop(), every_steps=None)
    assert names(tmp_path) == ["epoch-0000-batch-000000.keras"]


def test_a_fit_that_fails_leaves_signals_as_they_were(tmp_path, handlers):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, Interrupt(1))
    assert {number: signal.getsignal(number) for number in handlers} == handlers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every_seconds": 0}, "every_seconds as .* above 0 or None. Received: every_seconds=0"),
        (
            {"every_steps": -1},
            "every_steps as .* at least 1 or None. Received: every_steps=-1",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.Backup("folder", **arguments)


def test_data_of_which_the_order_is_not_known(tmp_path):
    backup = callbacks.Backup(str(tmp_path / "backups"))
    earlier = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="whose order is known"):
        tiny().fit(iter([np.zeros((8, 8, 8, 1))]), verbose=0, callbacks=[backup])
    assert signal.getsignal(signal.SIGTERM) is earlier and not (tmp_path / "backups").exists()
