"""The callback that keeps the exact state of a training, and goes on from it."""

import contextlib
import math
import os
import signal
import sys
import threading
import time
import warnings

from kgen import backend, checks
from kgen.backend import Position
from kgen.callbacks import backups
from kgen.interrupt import interrupt
from kgen.lock import locked
from kgen.models.around_fit import AroundFit
from kgen.warn import warn

PREEMPTED = 75
"""The exit status after SIGTERM: the system's EX_TEMPFAIL, try again later."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_END_OF_EPOCH = "end of epoch"  # as true as True, and not what another callback sets


class Backup(AroundFit):
    """Keeps the exact state of a training, and goes on from it when `fit` is called again.

    It is a training on what `kgen.data.load` gives, whose order is known.

    Weights, scalars such as `beta`, every optimizer, averaged weights, the random state, the place
    in the data and what was logged of the epoch: with the same script on the same machine, a
    training that was killed at any moment ends bit for bit as one that was not (TensorFlow on
    several threads, and GPUs, need `kgen.backend.set_deterministic()` for that). Other callbacks'
    states, such as the patience of `EarlyStopping`, are not kept. Put it last in the list.

    SIGTERM, which announces that a machine is taken away, makes a backup after the step and ends
    the process with the exit status `PREEMPTED`. Ctrl-C makes one too, and raises KeyboardInterrupt
    after it; a second one waits for nothing.

    A backup is written beside and renamed, and the one before is kept: the disk has four copies of
    the state at most. A damaged one is not used, with a warning. It is a `.keras` file. None is
    made of weights that are NaN or infinite, nor kept when the loss is so in the very next step, if
    `StopOnNaN` comes before in the list. When one cannot be written, training goes on with a
    warning, another at its end if the last is missing, unless it is the first. Of several processes
    the first writes, and all of them read.

    Args:
        folder: str. Made if it is missing. A training has a folder of its own.
        every_seconds: float or None. Seconds from one backup to the next, or fifty times what one
            took if that is more. Defaults to 60.
        every_steps: int or None. Steps from one backup to the next.

    Raises:
        ValueError: in `fit`, the folder has backups of a training with other settings, or none of
            them is whole, or the order of the data is not known.
        OSError: in `fit`, the first backup cannot be written, or another process trains there.

    Example:
    >>> data = kgen.data.load("digits")
    >>> vae = kgen.VAE(data.image_shape, latent_dim=2)
    >>> vae.compile()
    >>> backup = kgen.callbacks.Backup("runs/backup")  # doctest: +SKIP
    >>> history = vae.fit(data.train, epochs=9, callbacks=[backup])  # doctest: +SKIP
    """

    def __init__(self, folder, every_seconds=60.0, every_steps=None):
        super().__init__()
        every_seconds = checks.number("every_seconds", every_seconds, above=0, optional=True)
        every_steps = checks.whole_number("every_steps", every_steps, optional=True)
        self.folder = folder
        self.every_seconds = math.inf if every_seconds is None else every_seconds
        self.every_steps = math.inf if every_steps is None else every_steps
        self._before = self._kept = self._failure = None
        self._seconds = 0.0

    @contextlib.contextmanager
    def around_fit(self, reading):
        """What `fit` runs in: signals are noticed, and an epoch may begin in its middle."""
        if reading is None:
            raise ValueError(
                "Expected data whose order is known, as kgen.data.load((images, labels)).train, "
                "for a training with backups. Received: data of another kind"
            )
        self._reading = reading
        self._settings = self._stopped_by = None

        def notice(number, frame):
            if self._stopped_by == number == signal.SIGINT:
                interrupt(number, frame)
            self._stopped_by = number

        earlier = {}
        # Python lets no other thread set a handler.
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            # As a shell lets what it starts in the background ignore Ctrl-C.
            earlier = {n: handler for n, handler in handlers.items() if handler != signal.SIG_IGN}
        for number in earlier:
            signal.signal(number, notice)
        try:
            with warnings.catch_warnings(), contextlib.ExitStack() as self._held:
                warnings.filterwarnings("ignore", "Your input ran out of data")
                yield
        except FloatingPointError:
            if self._before is not None and not self._proved:
                os.remove(self._kept)  # of weights that were finite, but good for no step
            raise
        finally:
            if self.model is not None:
                self.model._initial_epoch = None  # where no epoch was left
            if self._settings is not None:
                with contextlib.suppress(RuntimeError):  # JAX after a step that failed
                    now = backups.settings_of(self.model, reading)
                    vars(self.model)["_fitted_with"] = self._settings, now
            for number, handler in earlier.items():
                signal.signal(number, handler or signal.SIG_DFL)

    def on_train_begin(self, logs=None):
        now = backups.settings_of(self.model, self._reading)
        begun, ended = vars(self.model).get("_fitted_with", (now, now))
        # What callbacks have changed since it began is of the state.
        settings = begun if now == ended else now
        if self.model.process_index == 0:
            self._hold_folder()
        self._saved_step = None
        self._saved_at = time.monotonic()
        self._before, self._kept, self._proved = None, backups.newest(self.folder), True
        self._notes = self._failure = None
        if self._kept is not None:
            self._notes = self._last = notes = backups.restore(self._kept, self.model, settings)
            start = Position(notes["epoch"], notes["batch"])
            self.model._initial_epoch = start.epoch  # as Keras' own BackupAndRestore does
            self._reading.start(start, notes["ahead"])
            self._tell_of_other_replicas(notes["replicas"])
        self._settings = settings
        step = -1 if self._notes is None else self._step(start) % 2**20
        if self.model.mean_over_processes(step) != step:
            raise ValueError(
                "Expected a folder that all processes see, with the same backups in it. Received: "
                f"{self.folder}, where this one finds {self._kept}"
            )

    def _hold_folder(self):
        try:
            self._held.enter_context(locked(self.folder, "trains"))
        except BlockingIOError:
            raise
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error):
        return OSError(
            f"Expected a folder that backups can be written to. Received: {self.folder}, {error}"
        )

    def roll_back(self, model, learning_rate_scale):
        """Writes the newest backup again with other learning rates, for the next `fit`.

        Args:
            model: a compiled kgen model; it gets the state.
            learning_rate_scale: float. Of the learning rates that it was compiled with.

        Returns:
            The backup's notes.
        """
        model.mean_over_processes(0)  # all of them have left `fit`
        path = backups.newest(self.folder)
        notes = backups.restore(path, model, self._settings)
        notes["learning_rate_scale"] = learning_rate_scale
        factor = learning_rate_scale / model.optimizer.learning_rate_scale
        model.optimizer.scale_learning_rates(factor)
        if model.process_index == 0:
            backups.write(self.folder, model, notes)
        model.mean_over_processes(0)  # the others read it when it is whole
        return notes

    def _tell_of_other_replicas(self, earlier):
        now = self.model.num_replicas
        if earlier != now:
            warn(
                f"The backup is of a training on {earlier} replicas, and this one is on {now}: "
                "noise is drawn or sums are rounded in another way, so it will not end bit for bit "
                "as it would have."
            )

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None
        self._begun = self._reading.position
        if self._notes is not None:
            if self._notes["begun"]:  # the other callbacks have begun the epoch a second time
                self.model.load_weights(self._kept)
            for variable, value in zip(
                self.model.metrics_variables, self._notes["logged"], strict=False
            ):
                variable.assign(value)
            self._notes = None
        if self._saved_step is None:
            self._saved_step = self._step(self._begun)
        if self._kept is None:
            self._save(self._begun, begun=True)

    def on_train_batch_end(self, batch, logs=None):
        self._proved = True
        done = Position(self._begun.epoch, self._begun.batch + batch + 1)
        if done.batch < len(self._reading):
            self._save_if_due(done, logs)
        elif self._begun.batch and backend.STEPS_PAST_THE_END and not self.model.stop_training:
            # Keras counts as many steps in this epoch as in any other.
            self.model.stop_training = _END_OF_EPOCH

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training is _END_OF_EPOCH:
            self.model.stop_training = False
        self._save_if_due(Position(epoch + 1))

    def on_train_end(self, logs=None):
        if not logs:
            return
        end = Position(self._begun.epoch + 1)
        if self._step(end) != self._saved_step or self._failure is not None:
            self._save(end)
        self._last = self._noted(end)
        if self._failure is not None:
            warn(
                f"The last backup could not be written ({self._failure}), and fit ends: "
                f"{self._kept} is of an earlier state than the model's."
            )

    def save(self, path, **more):
        """Writes the state that the last `fit` ended with once more, to be gone on with from there.

        Args:
            path: str. It ends in .keras.
            **more: what else to note, of what JSON can hold.
        """
        backups.save(path, self.model, self._last | more)

    def _step(self, position):
        return position.epoch * len(self._reading) + position.batch

    def _save_if_due(self, position, logs=None):
        waited = time.monotonic() - self._saved_at
        if (
            self._stopped_by is not None
            or waited >= max(self.every_seconds, 50 * self._seconds)
            or self._step(position) - self._saved_step >= self.every_steps
        ):
            self._save(position, logs)
        if self._stopped_by is not None and self.model.process_index == 0:
            how = "Ctrl-C" if self._stopped_by == signal.SIGINT else "SIGTERM"
            print(
                f"\nStopped by {how}. The same command goes on from {self._kept}", file=sys.stderr
            )
            raise KeyboardInterrupt if self._stopped_by == signal.SIGINT else SystemExit(PREEMPTED)

    def _save(self, position, logs=None, begun=False):
        started = time.monotonic()
        model = self.model
        # The other processes' state is that of the first.
        if model.process_index == 0 and not backups.broken_variables(model):
            self._write(self._noted(position, logs, begun))
        self._saved_step = self._step(position)
        self._saved_at = time.monotonic()
        self._seconds = self._saved_at - started

    def _noted(self, position, logs=None, begun=False):
        return {
            "epoch": position.epoch,
            "batch": position.batch,
            "begun": begun or position.batch > 0,
            "ahead": self._reading.ahead,
            "logged": self.model.logged(logs) if position.batch else [],
            "replicas": self.model.num_replicas,
            "learning_rate_scale": self.model.optimizer.learning_rate_scale,
            "settings": self._settings,
        }

    def _write(self, notes):
        try:
            path = backups.write(self.folder, self.model, notes)
            backups.delete_all_but(self.folder, [path, self._kept or path])
            self._before, self._kept, self._proved = self._kept, path, False
            self._failure = None
        except OSError as error:
            if self._kept is None:
                raise self._unwritable(error) from error
            self._failure = error
            warn(f"No backup could be written, and training goes on: {error}")
