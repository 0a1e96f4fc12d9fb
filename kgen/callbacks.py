"""What happens between the steps and the epochs of a training."""

import os
import warnings

import keras
import numpy as np

from kgen import backups, pictures
from kgen.backup_callback import PREEMPTED, Backup
from kgen.whole_file import replacing

__all__ = [
    "PREEMPTED",
    "Backup",
    "SampleGrid",
    "StopOnNaN",
    "StuckDiscriminator",
    "save_model",
]


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

    It names the loss, its player and the player's step. What `Backup` wrote before stays the last
    good state.
    """

    def on_train_batch_end(self, batch, logs=None):
        self._check(logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        # Weights of the last step can be finite and yet too large for any loss but infinity.
        self._check(logs)
        for path in backups.broken_variables(self.model):
            self._stop(f"{path} became NaN or infinite", self.model.players())

    def _check(self, logs):
        for name, value in (logs or {}).items():
            if not np.isfinite(value):
                player = self.model.player_of(name.removeprefix("val_"))
                self._stop(f"{name} became {float(value)}", [player] if player else [])

    def _stop(self, what, players):
        steps = {p: self.model.optimizer[p].iterations for p in players}
        where = [f"step {keras.ops.convert_to_numpy(n)} of the {p}" for p, n in steps.items()]
        where.append(f"epoch {self._epoch + 1}")
        raise FloatingPointError(
            f"{what} at {', '.join(where)}. What `Backup` wrote before is good. Try a lower "
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
