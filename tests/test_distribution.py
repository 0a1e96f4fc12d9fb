"""Training on several replicas: each in processes of its own, with a time limit."""

import contextlib
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import kgen
from kgen import backend, callbacks
from kgen.backend import workers
from kgen.backend.replicas import PartOfBatches, pooled
from tests import replicas
from tests.ports import free_port
from tests.tiers import in_tiers
from tests.zoo import ZOO

BACKEND = keras.backend.backend()
TWO_DEVICES = {"tensorflow": "mirrored", "jax": "data_parallel"}
TWO_PROCESSES = {"tensorflow": "multi_worker", "jax": "data_parallel", "torch": None}


def environment(index=None):
    """What tells a process that it has two devices, or which of two processes it is."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if index is None:
        flag = "--xla_force_host_platform_device_count=2"
        return env | {"TWO_CPUS": "1", "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flag}"}
    ports = environment.ports
    cluster = {"worker": [f"localhost:{port}" for port in ports]}
    task = {"type": "worker", "index": index}
    return env | {
        "TF_CONFIG": json.dumps({"cluster": cluster, "task": task}),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"localhost:{ports[0]}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
        # What torchrun sets.
        "TORCHELASTIC_RUN_ID": "tests",
        "MASTER_ADDR": "localhost",
        "MASTER_PORT": str(ports[0]),
        "WORLD_SIZE": "2",
        "RANK": str(index),
        "LOCAL_RANK": str(index),
    }


def start(program, *arguments, index=None):
    """`program` is a module's name or, in a list, code."""
    python = ["-c", *program] if isinstance(program, list) else ["-m", program]
    return subprocess.Popen(
        [sys.executable, *python, *map(str, arguments)],
        env=environment(index),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes):
    """The exit status, output and errors of each; none outlives it."""
    try:
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *output) for p, output in zip(processes, outputs, strict=True)]


QUICK = [name for name, case in ZOO.items() if case.on_replicas]


# Models whose step assigns more than weights and averages, for which TensorFlow's replicas have
# rules of their own.
ASSIGNS = {"tensorflow": ("vq_vae", "wgan")}.get(BACKEND, ())


def is_trained(case):
    """Whether its training on two replicas is compared with that on one, with --full.

    Steps of those that are not quick are among the others'. On PyTorch it is each; JAX divides one
    program, TensorFlow one step into two, whatever is in it.
    """
    of_backend = BACKEND == "torch" or case.on_replicas or case.name in ASSIGNS
    return case.quick and of_backend and not case.sees_batch


MODELS = [name for name, case in ZOO.items() if is_trained(case)]


DEVICES = ["devices"] if BACKEND in TWO_DEVICES else []
PROCESSES = ["process-0", "process-1"]
# Each model's step is divided over devices, where a backend has them, and else over processes.
TRAINED = [(model, name) for name in DEVICES or PROCESSES for model in MODELS]
TRAINED_QUICKLY = [(model, name) for model, name in TRAINED if model in QUICK]
TRAINED += [(model, name) for name in PROCESSES for model in QUICK if DEVICES]


@pytest.fixture(scope="module")
def ends(request, tmp_path_factory):
    """What the trainings of `tests.replicas` end with: on one replica, and on two of each kind."""
    folder = tmp_path_factory.mktemp("ends")
    started = {}
    is_full = request.config.getoption("full")
    names = MODELS if is_full else QUICK
    if DEVICES:
        path = folder / "devices.npz"
        started[path] = start("tests.replicas", path, ",".join(names), TWO_DEVICES[BACKEND])
    environment.ports = [free_port(), free_port()]
    strategy = [TWO_PROCESSES[BACKEND]] if TWO_PROCESSES[BACKEND] else []
    for i, name in enumerate(PROCESSES if is_full or not DEVICES else []):
        path = folder / f"{name}.npz"
        models = ",".join(QUICK if DEVICES else names)
        started[path] = start("tests.replicas", path, models, *strategy, index=i)
    one = replicas.train(names)
    for status, _, err in finish(*started.values()):
        assert status == 0, err[-3000:]
    return {"one": one} | {path.stem: np.load(path) for path in started}


@pytest.mark.parametrize(("model", "name"), in_tiers(TRAINED, quick=TRAINED_QUICKLY))
def test_two_replicas_train_as_one(ends, model, name):
    keys = [key for key in ends["one"] if key.startswith(f"{model}/")]
    assert any("loss" in key for key in keys) and len(keys) > 10
    for key in keys:
        np.testing.assert_allclose(
            ends[name][key], ends["one"][key], rtol=1e-6, atol=1e-6, err_msg=key
        )


def of_two(ends, what):
    """What the trainings on two replicas found, the processes' side by side."""
    found = [ends["devices"][what]] if DEVICES else []
    if PROCESSES[0] in ends:
        found.append(np.concatenate([ends[name][what] for name in PROCESSES]))
    return found


@pytest.mark.parametrize("name", QUICK)
def test_replicas_draw_noise_of_their_own(ends, name):
    first = ends["one"][f"noise/{name}"]
    for noise in of_two(ends, f"noise/{name}"):
        if BACKEND == "jax":  # draws for all replicas at once, as for one
            np.testing.assert_array_equal(noise, np.resize(first, noise.shape))
            continue
        np.testing.assert_array_equal(noise[:1], first)
        assert np.abs(noise[0] - noise[1]).min() > 1e-3


def test_figures_of_samples_are_those_of_one_replica(ends):
    for name in ends:
        np.testing.assert_allclose(ends[name]["figures"], ends["one"]["figures"], rtol=1e-4)


@pytest.mark.skipif(BACKEND != "jax", reason="draws for all replicas at once")
def test_replicas_divide_noise_as_they_divide_the_batch(ends):
    assert ends["one"]["rows"] == 8
    assert [ends[name]["rows"] for name in ends if name != "one"] == [4] * (len(ends) - 1)


@pytest.mark.parametrize("name", in_tiers(PROCESSES, quick=[] if DEVICES else PROCESSES))
def test_threads_of_processes_do_not_stop_each_other(ends, name):
    assert ends["one"]["policy"] == os.SCHED_OTHER
    assert ends[name]["policy"] == os.SCHED_BATCH


@pytest.mark.skipif(BACKEND == "jax", reason="computes one gradient for all replicas")
def test_an_overflow_on_one_replica_skips_the_step_of_all(ends):
    np.testing.assert_allclose(ends["one"]["overflow"], [1.0 - 4 * 0.1, 2.0**15], rtol=1e-6)
    for overflow in of_two(ends, "overflow"):
        np.testing.assert_array_equal(overflow, np.resize([1.0, 2.0**11], overflow.shape))


def test_a_divergence_on_replicas_names_the_step(ends):
    for name in ends:
        assert "at step 2 of the vae, epoch 1" in str(ends[name]["error"]), ends[name]["error"]


def test_processes_have_each_row_of_a_short_batch_once():
    test = kgen.data.load(np.zeros((4, 2, 2, 1)), batch_size=8).train
    images = np.arange(5)[:, None]
    test.read = lambda position: (images, images[:, 0])
    parts = [PartOfBatches(backend.Reading(test), i, 2)[0] for i in range(2)]
    for found in zip(*parts, strict=True):
        assert [len(rows) for rows in found] == [2, 3]
        np.testing.assert_array_equal(np.concatenate(found).ravel(), np.arange(5))


def test_rows_that_do_not_divide_are_left_out_and_told_of_once():
    data = kgen.data.load(np.zeros((8, 2, 2, 1)), batch_size=5).train
    part = PartOfBatches(backend.Reading(data), 0, 1, divisor=2)
    with pytest.warns(UserWarning, match="last 1 of a batch of 5 .* 2 replicas") as told:
        assert [len(part[0][0]) for _ in range(2)] == [4, 4]
    assert len(told) == 1


MEMBER = """
import os, signal, sys
sys.argv[0] = "kgen"
if os.environ["KERAS_BACKEND"] != "tensorflow":
    sys.modules["tensorflow"] = None  # which takes longer to import than to train
from kgen import callbacks, cli

class Kill(callbacks.StopOnNaN):
    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if (self._epoch, batch) == (1, 2):
            os.kill(os.getpid(), signal.SIGKILL)

if sys.argv.pop() == "killed":
    callbacks.StopOnNaN = Kill
sys.exit(cli.main(sys.argv))
"""


def train_on_two(folder, *roles):
    """`kgen train` in two processes; what `finish` gives of each."""
    flags = ["--epochs", 3, "--batch_size", 300, "--latent_dim", 2, "--backup_steps", 2]
    if TWO_PROCESSES[BACKEND]:
        flags += ["--strategy", TWO_PROCESSES[BACKEND]]
    environment.ports = [free_port(), free_port()]
    return finish(
        *(
            start([MEMBER], "train", "vae", "--run", folder, *flags, role, index=i)
            for i, role in enumerate(roles)
        )
    )


@pytest.mark.full
@pytest.mark.one_backend
def test_a_process_that_dies_stops_the_other_and_both_go_on(tmp_path):
    (first, _, err), (second, _, _) = train_on_two(tmp_path / "run", "whole", "killed")
    assert second == -signal.SIGKILL
    assert first not in (0, -signal.SIGKILL)
    assert "kgen: Another" in err and "Start all of them again with the same" in err, err[-3000:]
    assert sorted(os.listdir(tmp_path / "run" / "checkpoint"))[-1].startswith("epoch-0001-batch")
    first, second = train_on_two(tmp_path / "run", "whole", "whole")
    assert first[0] == second[0] == 0, (first[2] + second[2])[-3000:]
    assert "1 of 3 epochs are done" in first[1] and "epochs" not in second[1]
    history = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in history] == ["epoch", "0", "1", "2"]
    assert (tmp_path / "run" / "results.json").exists()


def test_a_backup_on_other_replicas_is_said_to_end_otherwise(tmp_path, monkeypatch):
    data = kgen.data.load("digits", batch_size=300)
    for epochs, warned in ((1, False), (2, True)):
        model = replicas.make(ZOO["vae"])
        model.compile()
        backup = callbacks.Backup(str(tmp_path))
        expected = pytest.warns(UserWarning, match="on 1 replicas, and this one is on 2")
        with expected if warned else contextlib.nullcontext():
            model.fit(data.train, epochs=epochs, verbose=0, callbacks=[backup])
        monkeypatch.setattr(backend.Model, "num_replicas", 2)


def test_a_batch_is_divided_over_replicas_and_then_over_steps(monkeypatch):
    model = replicas.make(ZOO["wgan_gp"])
    monkeypatch.setattr(backend.Model, "num_replicas", 2)
    model.check_sizes_of_batches(8, 4)
    with pytest.raises(ValueError, match="2 replicas; drop.*a batch of 5"):
        model.check_sizes_of_batches(8, 5)
    with pytest.warns(UserWarning, match="A batch of 3 .* 2 steps of the critic"):
        model.check_sizes_of_batches(6)


def test_arrays_are_refused_by_several_processes(monkeypatch):
    model = replicas.make(ZOO["vae"])
    model.compile()
    monkeypatch.setattr(backend.Model, "num_processes", 2)
    with pytest.raises(ValueError, match="several processes.*kgen.data.load"):
        model.fit(np.zeros((8, 8, 8, 1)), verbose=0)


@pytest.mark.parametrize("name", ["mirrored", "multi_worker", "data_parallel", "other"])
def test_a_strategy_of_another_backend(name, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if name == TWO_DEVICES.get(BACKEND):
        return
    message = "TF_CONFIG" if (BACKEND, name) == ("tensorflow", "multi_worker") else f"'{name}'"
    with pytest.raises(ValueError, match=f"Received: .*{message}"), backend.strategy(name):
        pass


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch's processes share the first's weights")
def test_a_model_made_before_its_strategy():
    model = replicas.make(ZOO["vae"])
    model.compile()
    data = kgen.data.load("digits", batch_size=300)
    with (
        backend.strategy(TWO_DEVICES[BACKEND]),
        pytest.raises(ValueError, match="Expected a model made under"),
    ):
        model.fit(data.train, verbose=0)


@pytest.mark.skipif(BACKEND == "jax", reason="has all rows")
@pytest.mark.parametrize("synchronized", [True, False])
def test_batch_norm_has_the_moments_of_all_replicas_or_its_own(monkeypatch, synchronized):
    x = np.random.default_rng(0).normal(3.0, 2.0, (2, 6, 5, 3)).astype("float32")
    other = [x[1].mean((0, 1)), x[1].var((0, 1))]

    def gathered(mean, variance):
        return pooled(
            *(keras.ops.stack(both) for both in zip((mean, variance), other, strict=True))
        )

    seam = importlib.import_module(f"kgen.backend.{BACKEND}")
    monkeypatch.setattr(seam, "_world", lambda: 2, raising=False)
    for module in (backend, seam):
        monkeypatch.setattr(module, "moments_over_replicas", gathered)
    layer = kgen.layers.BatchNorm(synchronized=synchronized, momentum=0.0)
    layer = type(layer).from_config(layer.get_config())
    layer.build(x.shape[1:])
    y = keras.ops.convert_to_numpy(layer(x[0], training=True))
    seen = x if synchronized else x[:1]
    mean, variance = seen.mean((0, 1, 2)), seen.var((0, 1, 2))
    np.testing.assert_allclose(y, (x[0] - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-5)
    for moving, moment in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(moving), moment, rtol=1e-5)


GOOD = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"cluster": {}}',
        json.dumps(GOOD | {"task": {"type": "worker", "index": 2}}),
        json.dumps(GOOD | {"task": {"type": "chief", "index": 0}}),
        json.dumps(GOOD | {"cluster": {"worker": ["a", "b"]}}),
    ],
)
def test_a_tf_config_that_says_nothing(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(
        ValueError, match="TF_CONFIG to name all workers(?s:.*)Received: TF_CONFIG="
    ):
        workers.read_tf_config()


def test_a_tf_config(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps(GOOD))
    assert workers.read_tf_config() == (["a:1", "b:2"], 1)


def test_missing_workers_are_named_while_they_are_waited_for(monkeypatch, capsys):
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    with socket.create_server(("localhost", 0)) as there:
        names = ["here:1", f"localhost:{there.getsockname()[1]}", f"localhost:{free_port()}"]
        with workers.waiting(names, 0, patience=0.2, interval=0.1):
            while not left:
                time.sleep(0.05)
    assert left[0] == 1
    err = capsys.readouterr().err
    assert f"Not to be reached: {names[2]}" in err and names[1] not in err


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the others clip the whole gradient")
@pytest.mark.parametrize("name", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_on_several_replicas_is_refused(monkeypatch, name):
    model = replicas.make(ZOO["vae"])
    model.compile(keras.optimizers.SGD(0.1, **{name: 1.0}))
    model.prepare_replicas([])
    monkeypatch.setattr(backend.Model, "num_replicas", 2)
    with pytest.raises(ValueError, match=f"without {name}.*Received: {name}=1.0"):
        model.prepare_replicas([])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="mends Keras' TensorFlow trainer")
def test_several_workers_need_the_keras_that_is_mended(monkeypatch):
    model = replicas.make(ZOO["vae"])
    monkeypatch.setattr(backend.Model, "num_processes", 2)
    monkeypatch.setattr(keras, "__version__", "3.99.0")
    with pytest.raises(ImportError, match=r"keras==3.15.*Received: Keras 3.99.0"):
        model.prepare_replicas([])
