"""What backups cost: time at their default interval, and memory beside the training's.

    KERAS_BACKEND=jax python benchmarks/checkpointing.py [--seconds 240]

Trains a DCGAN of about ten million parameters on random 32x32 images, and reports the seconds of
each backup of its state, what part of the training time they took, and by how much the resident
memory rose while they were written (by Linux' account).
"""

import os
import tempfile
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen import callbacks
from kgen.callbacks import backups

SECONDS = flags.DEFINE_float("seconds", 240.0, "How long to train.")
SHAPE = (32, 32, 3)


class Clock(keras.callbacks.Callback):
    """Stops after some seconds."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_begin(self, logs=None):
        self.started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        if time.monotonic() - self.started > self.seconds:
            self.model.stop_training = True


def memory(name):
    """Resident memory now, "VmRSS", or at its highest since `forget_highest`, "VmHWM", in MiB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def forget_highest():
    """Lets the highest resident memory begin anew."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def train(data, seconds, *given):
    """The model, and the seconds that `fit` took."""
    keras.utils.set_random_seed(0)
    model = kgen.DCGAN(SHAPE, width=136, seed=0)
    model.compile()
    clock = Clock(seconds)
    model.fit(data.train, epochs=1, verbose=0, callbacks=[clock, *given])
    return model, time.monotonic() - clock.started


def main(_):
    """Measures and prints."""
    images = np.random.default_rng(0).integers(0, 256, (20_000, *SHAPE), dtype="uint8")
    data = kgen.data.load(images, batch_size=16)
    spent, risen = [], []
    write = backups.write

    def timed(*args):
        forget_highest()
        before, started = memory("VmRSS"), time.monotonic()
        path = write(*args)
        spent.append(time.monotonic() - started)
        risen.append(memory("VmHWM") - before)
        return path

    backups.write = timed
    with tempfile.TemporaryDirectory() as folder:
        model, total = train(data, SECONDS.value, callbacks.Backup(folder))
        size = os.path.getsize(backups.newest(folder)) / 2**20
    arrays = [*model.variables, *model.optimizer.variables]
    state = sum(np.prod(v.shape) for v in arrays) * 4 / 2**20
    parameters = sum(np.prod(v.shape) for v in model.trainable_variables) / 1e6
    print(f"{keras.backend.backend()}, DCGAN of {parameters:.1f} M parameters")
    print(f"state {state:.0f} MiB, a backup {size:.0f} MiB")
    print(f"{len(spent)} backups in {total:.0f} s: {', '.join(f'{s:.2f}' for s in spent)} s each")
    print(f"of the training time: {100 * sum(spent) / total:.2f}%")
    print(f"memory rose by {', '.join(f'{mib:.0f}' for mib in risen)} MiB")


if __name__ == "__main__":
    app.run(main)
