"""A training that is killed again and again, in a process of its own.

python -m tests.kills FOLDER KILLS: trains into FOLDER/killed, killed with SIGKILL at KILLS random
moments, and into FOLDER/whole, not killed. What they end with is in `end.npz` of each.
"""

import os
import random
import signal
import sys
import time
import traceback

import keras
import numpy as np

import kgen
from kgen import backend, callbacks
from tests.test_backups import WRITING, tiny


class Tell(keras.callbacks.Callback):
    """Writes a byte into a pipe at every moment that it knows of."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

        def tell(function):
            def told(*args, **kwargs):
                self.tell()
                return function(*args, **kwargs)

            return told

        for module, name in WRITING.values():
            setattr(module, name, tell(getattr(module, name)))

    def tell(self, *_, **__):
        os.write(self.pipe, b".")

    on_train_batch_begin = on_train_batch_end = on_epoch_begin = on_test_batch_end = tell


def train(folder, pipe):
    backend.set_deterministic()
    data = kgen.data.load("digits", batch_size=250)
    model = tiny()
    history = keras.callbacks.CSVLogger(os.path.join(folder, "history.csv"), append=True)
    backup = callbacks.Backup(os.path.join(folder, "backups"), every_steps=2)
    told = [history, Tell(pipe), backup]
    model.fit(data.train, validation_data=data.test, epochs=7, verbose=0, callbacks=told)
    arrays = [*model.variables, *model.optimizer.variables]
    np.savez(os.path.join(folder, "end.npz"), *map(keras.ops.convert_to_numpy, arrays))


def start(folder):
    """A child that trains, and the pipe that it writes to."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        train(folder, writing)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main(folder, kills):
    kgen.data.load("digits")
    keras.layers.Dense(1).get_config()  # the children have what both import
    rng = random.Random(0)
    whole, killed = (os.path.join(folder, name) for name in ("whole", "killed"))
    for path in (whole, killed):
        os.makedirs(path)
    child, pipe = start(whole)
    while os.read(pipe, 4096):
        pass
    assert os.waitpid(child, 0)[1] == 0
    for _ in range(kills):
        child, pipe = start(killed)
        for _ in range(rng.randint(1, 7)):
            assert os.read(pipe, 1), "it ended before it was killed"
        time.sleep(rng.choice([0.0, rng.uniform(0.0, 0.02)]))
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        os.close(pipe)
    child, pipe = start(killed)
    while os.read(pipe, 4096):
        pass
    assert os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
