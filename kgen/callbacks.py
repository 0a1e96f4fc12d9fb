"""What happens between the epochs of a training."""

import glob
import os
import warnings

import keras
import numpy as np

from kgen import pictures
from kgen.whole_file import replacing


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of samples after every epoch, always of the same latents.

    Args:
        folder: str. Gets `epoch-0001.png` and so on; it is made if it is missing.
        num: int. Images in the grid.
        every: int. Epochs between grids.
        seed: int. Seeds the latents.

    A conditional model's rows are its classes in turn; with `ema_decay` a GAN's images are those of
    the averaged weights.
    """

    def __init__(self, folder, num=64, every=1, seed=0):
        super().__init__()
        self.folder = folder
        self.num = num
        self.every = every
        self.seed = seed

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            path = os.path.join(self.folder, f"epoch-{epoch + 1:04d}.png")
            pictures.samples(self.model, self.num, seed=self.seed, path=path)


class Checkpoint(keras.callbacks.Callback):
    """Keeps the exact state of training after the last whole epoch.

    Weights, every optimizer and the random state go into `epoch-0001.keras`, which is written
    beside and renamed; the one before is deleted only then, so a full disk or a kill leaves a
    checkpoint that loads.

    Args:
        folder: str. It is made if it is missing.
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_end(self, epoch, logs=None):
        newest = os.path.join(self.folder, f"epoch-{epoch + 1:04d}.keras")
        save_model(self.model, newest)
        for path in checkpoints(self.folder):
            if path != newest:
                os.remove(path)


def checkpoints(folder):
    """The checkpoints in a folder, oldest first."""
    paths = glob.glob(os.path.join(glob.escape(folder), "epoch-*.keras"))
    return sorted(paths, key=checkpoint_epoch)


def checkpoint_epoch(path):
    """The number of epochs that a checkpoint has seen."""
    return int(os.path.basename(path)[len("epoch-") : -len(".keras")])


def save_model(model, path):
    """Saves a model as `.keras`, whole or not at all.

    Args:
        model: keras.Model.
        path: str. Its folder is made if it is missing.
    """
    with replacing(path) as temporary:
        model.save(temporary)


class StopOnNaN(keras.callbacks.Callback):
    """Raises FloatingPointError at the first step whose loss is NaN or infinite.

    It names the loss and the step; what `Checkpoint` wrote before stays the last good state, as
    long as this callback comes before it.
    """

    def __init__(self):
        super().__init__()
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._check(logs, f"epoch {self._epoch + 1}, batch {batch + 1}")

    def on_epoch_end(self, epoch, logs=None):
        # Weights of the last step can be finite and yet too large for any loss but infinity.
        self._check(logs, f"epoch {epoch + 1}")
        for variable in self.model.trainable_variables:
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                self._stop(f"{variable.path} became NaN or infinite", f"epoch {epoch + 1}")

    def _check(self, logs, where):
        for name, value in (logs or {}).items():
            if not np.isfinite(value):
                self._stop(f"{name} became {value}", where)

    def _stop(self, what, where):
        raise FloatingPointError(
            f"{what} in {where}. `Checkpoint` keeps the state before this epoch. Try a lower "
            "learning rate."
        )


class StuckDiscriminator(keras.callbacks.Callback):
    """Warns when a discriminator tells all real images from all fakes for a whole epoch.

    The generator then learns little or nothing. It looks at the logs `real_accuracy` and
    `fake_accuracy`.
    """

    def on_epoch_end(self, epoch, logs=None):
        accuracies = [(logs or {}).get(f"{kind}_accuracy", 0.0) for kind in ("real", "fake")]
        if min(accuracies) >= 1.0:
            warnings.warn(
                f"The discriminator was right about every image in epoch {epoch + 1}: the "
                "generator learns nothing from it. What usually helps: a lower learning rate of "
                "the discriminator, label_smoothing, r1_weight, spectral_normalization.",
                stacklevel=2,
            )
