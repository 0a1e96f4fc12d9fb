"""Training on several replicas: each in processes of its own, with a time limit."""

import json
import os
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests import replicas

BACKEND = keras.backend.backend()
TWO_DEVICES = {"tensorflow": "mirrored", "jax": "data_parallel"}
TWO_PROCESSES = {"tensorflow": "multi_worker", "jax": "data_parallel", "torch": None}
MODELS = list(replicas.models())


def free_port():
    with socket.create_server(("localhost", 0)) as server:
        return server.getsockname()[1]


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


def start(module, *arguments, index=None):
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=environment(index),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_two(module, *arguments):
    environment.ports = [free_port(), free_port()]
    return [start(module, *arguments, index=i) for i in range(2)]


def finish(*processes):
    """The exit status, output and errors of each; none outlives it."""
    try:
        outputs = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(p.returncode, *output) for p, output in zip(processes, outputs, strict=True)]


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """What the trainings of `tests.replicas` end with: on one replica, and on two of each kind."""
    folder = tmp_path_factory.mktemp("ends")
    started = {}
    if BACKEND in TWO_DEVICES:
        path = folder / "devices.npz"
        started[path] = start("tests.replicas", path, TWO_DEVICES[BACKEND])
    environment.ports = [free_port(), free_port()]
    strategy = [TWO_PROCESSES[BACKEND]] if TWO_PROCESSES[BACKEND] else []
    for i in range(2):
        path = folder / f"process-{i}.npz"
        started[path] = start("tests.replicas", path, *strategy, index=i)
    one = replicas.train()
    for status, _, err in finish(*started.values()):
        assert status == 0, err[-3000:]
    return {"one": one} | {path.stem: np.load(path) for path in started}


NAMES = [*["devices"] * (BACKEND in TWO_DEVICES), "process-0", "process-1"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model", MODELS)
def test_two_replicas_train_as_one(ends, model, name):
    keys = [key for key in ends["one"] if key.startswith(f"{model}/")]
    assert any("loss" in key for key in keys) and len(keys) > 10
    for key in keys:
        np.testing.assert_allclose(
            ends[name][key], ends["one"][key], rtol=1e-6, atol=1e-6, err_msg=key
        )


def test_replicas_draw_noise_of_their_own(ends):
    first = ends["one"]["noise"]
    if BACKEND == "jax":  # draws for all replicas at once, as for one
        for name in NAMES:
            np.testing.assert_array_equal(ends[name]["noise"], first)
        return
    two = np.concatenate([ends["process-0"]["noise"], ends["process-1"]["noise"]])
    for noise in [two, *(ends[name]["noise"] for name in NAMES if name == "devices")]:
        np.testing.assert_array_equal(noise[:1], first)
        assert np.abs(noise[0] - noise[1]).min() > 1e-3
