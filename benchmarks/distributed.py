"""What several replicas cost: the seam under a strategy, and two processes against one.

    KERAS_BACKEND=tensorflow python benchmarks/distributed.py   # or jax, torch

On TensorFlow, kgen's compiled step of a DCGAN under `MirroredStrategy` on two CPU devices is
alternated with `strategy.run` of a step written by hand for the same networks. On every backend two
processes train with the same whole batch as one does, each on one core; beside them stand two that
share nothing, each with half of the batch, which is what the cores allow.
"""

import os
import socket
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
from absl import app, flags, logging

import kgen
from kgen import backend

ROUNDS = flags.DEFINE_integer("rounds", 11, "Alternations.")
STEPS = flags.DEFINE_integer("steps", 5, "Steps in a round.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images in a step, those of all replicas.")
STRATEGY = flags.DEFINE_string("strategy", None, "Of a process that this starts.")
WORKER = flags.DEFINE_boolean("worker", False, "Whether this is such a process.")
SHAPE = (28, 28, 1)
STRATEGIES = {"tensorflow": "multi_worker", "jax": "data_parallel", "torch": None}


def images(num):
    """Bytes (num, 28, 28, 1)."""
    return np.random.default_rng(0).integers(0, 256, (num, *SHAPE), dtype="uint8")


def made():
    """A compiled DCGAN."""
    gan = kgen.DCGAN(SHAPE, seed=0)
    gan.compile()
    return gan


def measure_seam():
    """The step under MirroredStrategy against one by hand."""
    import tensorflow as tf
    from by_hand_gan import tensorflow_step

    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
    with backend.strategy("mirrored"):
        strategy = tf.distribute.get_strategy()
        gan = made()
        by_hand = tensorflow_step(gan, False).python_function
    gan.prepare_replicas([])
    gan.make_train_function()
    batch = tf.data.Dataset.from_tensors((images(BATCH_SIZE.value),)).repeat()
    iterator = iter(strategy.experimental_distribute_dataset(batch))

    @tf.function
    def hand_step(iterator):
        losses = strategy.run(by_hand, next(iterator))
        return strategy.reduce("MEAN", losses, axis=None)

    def ours():
        for _ in range(STEPS.value):
            logs = gan.train_function(iterator)
        return float(logs["generator_loss"])

    def theirs():
        for _ in range(STEPS.value):
            loss = hand_step(iterator)
        return float(loss)

    times = []
    for _ in range(ROUNDS.value + 2):
        spent = []
        for run in (ours, theirs):
            started = time.perf_counter()
            run()
            spent.append(time.perf_counter() - started)
        times.append(spent)
    times = times[2:]
    low, middle, high = statistics.quantiles([a / b for a, b in times], n=4)
    per_step = statistics.median(a for a, _ in times) / STEPS.value * 1e3
    print(
        f"MirroredStrategy, two CPU devices: kgen's step / by hand {middle:.3f} ({low:.3f} .. "
        f"{high:.3f}), {per_step:.1f} ms a step",
        flush=True,
    )


class StepTimes(keras.callbacks.Callback):
    """The seconds at which steps end."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        float(next(iter(logs.values())))
        self.ends.append(time.perf_counter())


def work():
    """Prints the median seconds of a step, after some that warm up."""
    with backend.strategy(STRATEGY.value):
        data = kgen.data.load(images(20 * BATCH_SIZE.value * 10 // 9 + 1), BATCH_SIZE.value)
        times = StepTimes()
        made().fit(data.train, verbose=0, callbacks=[times])
        print(statistics.median(np.diff(times.ends)[5:]))


def start(batch_size, index=0, ports=()):
    """A process that works on a core of its own, as one of two if it is given their ports."""
    core = sorted(os.sched_getaffinity(0))[index]
    command = ["taskset", "--cpu-list", str(core), sys.executable, __file__, "--worker"]
    command.append(f"--batch_size={batch_size}")
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if ports:
        workers = ", ".join(f'"localhost:{port}"' for port in ports)
        environment |= {
            "TF_CONFIG": f'{{"cluster": {{"worker": [{workers}]}}, '
            f'"task": {{"type": "worker", "index": {index}}}}}',
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"localhost:{ports[0]}",
            "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
            "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
            "TORCHELASTIC_RUN_ID": "benchmark",
            "MASTER_ADDR": "localhost",
            "MASTER_PORT": str(ports[0]),
            "WORLD_SIZE": "2",
            "RANK": str(index),
            "LOCAL_RANK": str(index),
        }
        name = STRATEGIES[keras.backend.backend()]
        command += [f"--strategy={name}"] if name else []
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def seconds(*processes):
    """The longer of their steps."""
    return max(float(p.communicate()[0].splitlines()[-1]) for p in processes)


def free_ports():
    """Two ports that nobody listens at."""
    servers = [socket.create_server(("localhost", 0)) for _ in range(2)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def measure_processes():
    """Two processes against one."""
    whole, half, rounds = BATCH_SIZE.value, BATCH_SIZE.value // 2, []
    for _ in range(3):
        one = seconds(start(whole))
        ports = free_ports()
        two = seconds(*(start(whole, i, ports) for i in range(2)))
        apart = seconds(*(start(half, i) for i in range(2)))
        rounds.append((two / one, apart / one, one))
    two, apart, one = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(
        f"two processes / one {two:.3f}, two that share nothing {apart:.3f}, "
        f"{one * 1e3:.1f} ms a step of one"
    )


def main(_):
    """Measures and prints the ratios."""
    logging.set_verbosity(logging.WARNING)  # of TensorFlow, which tells of every collective
    if WORKER.value:
        work()
        return
    print(f"{keras.backend.backend()}, DCGAN of 28x28, batch {BATCH_SIZE.value}", flush=True)
    if keras.backend.backend() == "tensorflow":
        measure_seam()
    measure_processes()


if __name__ == "__main__":
    app.run(main)
