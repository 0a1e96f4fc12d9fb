"""The callback that logs how good a model's samples are."""

import time

import keras

from kgen.checks import whole_number
from kgen.metrics import Evaluation
from kgen.metrics.samples import DEFAULT
from kgen.warn import warn

SHARE = 0.05  # of the time of a training


class Evaluate(keras.callbacks.Callback):
    """Logs figures of a model's samples after epochs, as `val_kid` and the like.

    Of several processes all compute the same, and agree on their mean and on when.

    EarlyStopping and ModelCheckpoint can wait for them: which way each is better is known, but for
    the density, which is 1 at best, and this callback comes before them wherever it stands. It
    draws with averaged weights, if the model has them, and with noise of its own: the training goes
    on as it would without. Epochs in between log the last figures, and no patience or cooldown
    counts them. Where figures cannot be computed, of samples that are no images for instance, there
    is a warning and none is logged.

    Args:
        data: `kgen.data.Dataset`, to whose images the samples are compared.
        metrics: sequence of names in `kgen.metrics.FIGURES`, and "log_likelihood".
        num: int. Samples, and real images of which there may be fewer. Defaults to 1000.
        every: int or None. Epochs from one evaluation to the next. None is as many as keep it at
            5% of the time, but for the first and the last epoch, which always have one. What the
            features say of the real images is computed before, once.
        features: `kgen.metrics.features.Features`, or None for what
            `kgen.metrics.default_features(data)` chooses, which may train a classifier first.
        split: "test" or "train". Which real images.
        seed: int. The samples'.

    Example:
    >>> digits = kgen.data.load("digits")
    >>> evaluate = kgen.callbacks.Evaluate(
    ...     digits, ["kid"], num=50, features=kgen.metrics.features.Pixels()
    ... )
    >>> vae = kgen.VAE(digits.image_shape)
    >>> vae.compile()
    >>> history = vae.fit(
    ...     digits.train, epochs=2, verbose=0, callbacks=[evaluate]
    ... )  # doctest: +ELLIPSIS
    Evaluating the samples took ... of the training.
    >>> len(history.history["val_kid"])
    2
    """

    comes_first = True  # among the callbacks of `fit`, as it logs what others wait for

    def __init__(
        self, data, metrics=DEFAULT, num=1000, every=None, features=None, split="test", seed=0
    ):
        super().__init__()
        self.every = whole_number("every", every, optional=True)
        self._evaluation = Evaluation(data, metrics, features, num, split, seed)
        self.names = [f"val_{name}" for name in self._evaluation.names]
        self.figures = self._carried = None
        self.has_new = False  # in the logs of the last epoch
        self._spent = self._last = 0.0

    def on_train_begin(self, logs=None):
        self._evaluation.check(self.model)
        self._started, self._spent, self._last = time.monotonic(), 0.0, 0.0
        self._values = self._agreed_on(self._carried)
        self._carried = None

    def go_on_from(self, values):
        """Lets the next training begin with the figures that an earlier part of it logged last.

        Args:
            values: dict of float by name in the logs.
        """
        self._carried = values

    def on_epoch_end(self, epoch, logs=None):
        agreed = self.model.mean_over_processes
        self.has_new = False
        if self._is_due(epoch, agreed(time.monotonic() - self._started)):
            started = time.monotonic()
            found = self._found(epoch)
            self.has_new = agreed(float(not found)) == 0.0
            self._values = {name: agreed(value) for name, value in found.items() if self.has_new}
            self._last = agreed(time.monotonic() - started)
            self._spent += self._last
        if logs is not None:
            logs.update(self._values or {})

    def _agreed_on(self, values):
        """Figures that one process may have alone, or None where no process has any."""
        agreed = self.model.mean_over_processes
        part = agreed(float(values is not None))
        if not part:
            return None
        return {name: agreed((values or {}).get(name, 0.0)) / part for name in self.names}

    def _found(self, epoch):
        """The figures by their names in the logs, none where they cannot be computed."""
        try:
            self.figures = self._evaluation(self.model)
        except Exception as error:  # features may raise anything, and no figure is worth a training
            warn(f"There are no figures of the samples of epoch {epoch + 1}: {error}")
            return {}
        return {f"val_{name}": value for name, value in self.figures.values.items()}

    def on_train_end(self, logs=None):
        whole = time.monotonic() - self._started
        if self._spent:
            print(
                f"Evaluating the samples took {self._spent:.1f} s, {self._spent / whole:.1%} of "
                "the training."
            )

    def _is_due(self, epoch, seconds):
        if self._values is None or epoch + 1 == self.params.get("epochs"):
            return True
        if self.every is not None:
            return (epoch + 1) % self.every == 0
        return self._spent + 2 * self._last <= SHARE * seconds  # as the last epoch has one, too
