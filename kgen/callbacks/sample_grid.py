"""The callback that shows what a model makes."""

import os

import keras

from kgen import pictures
from kgen.checks import whole_number
from kgen.warn import warn


class SampleGrid(keras.callbacks.Callback):
    """Writes a grid of samples after every epoch, always of the same latents.

    Samples that are no images, such as those of a model of one's own outside [0, 1], are warned of,
    and training goes on without a grid.

    Args:
        folder: str. Gets `epoch-0001.png` and so on; it is made if it is missing.
        num: int. Images in the grid.
        every: int. Epochs between grids.
        seed: int. Seeds the latents.
        labels: sequence of the classes or other conditions of a conditional model's rows; by
            default all classes.

    With `ema_decay` a GAN's images are those of
    the averaged weights.
    """

    def __init__(self, folder, num=64, every=1, seed=0, labels=None):
        super().__init__()
        self.folder = folder
        self.num = whole_number("num", num)
        self.every = whole_number("every", every)
        self.seed = seed
        self.labels = labels

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            path = os.path.join(self.folder, f"epoch-{epoch + 1:04d}.png")
            try:
                pictures.samples(self.model, self.num, self.labels, seed=self.seed, path=path)
            except (OSError, ValueError) as error:
                warn(f"There is no grid of samples of epoch {epoch + 1}: {error}")
