"""Figures of images that come in batches, real ones and others."""

import contextlib
import dataclasses

import numpy as np

from kgen.checks import flag, whole_number
from kgen.metrics.features.extractor import check_length, joined, taken
from kgen.metrics.samples import DEFAULT, check_metrics, figures_of


class SampleMetrics:
    """Figures of samples, of images that are added in batches.

    What is kept of them is their features.

    Args:
        features: `kgen.metrics.features.Features`.
        metrics: sequence of names in `kgen.metrics.FIGURES`. Defaults to four that need few images.
        seed: int. Draws subsets and directions, and which real images are compared with which for
            the floor.

    Example:
    >>> rng = np.random.default_rng(0)
    >>> found = kgen.metrics.SampleMetrics(kgen.metrics.features.Pixels(), ["frechet_distance"])
    >>> for _ in range(3):
    ...     found.update(rng.random((10, 2, 2, 1)), real=True)
    ...     found.update(rng.random((10, 2, 2, 1)), real=False)
    >>> found.compute().protocol["num_fake"]
    30
    """

    def __init__(self, features, metrics=DEFAULT, seed=0):
        self.features, self.seed = features, whole_number("seed", seed, at_least=0)
        self.metrics = check_metrics(metrics, features)
        self._kept, self._shape = {True: [], False: []}, None

    def update(self, images, real):
        """Adds images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            real: bool. Whether they are real ones.
        """
        kept, shape = self._kept[flag("real", real)], np.shape(images)
        self.features.check_alike(shape, self._shape or shape)
        found = self.features.extract(images)
        for earlier in (*self._kept[True][:1], *self._kept[False][:1]):
            check_length(found.features, earlier.features)
        kept.append(found)
        self._shape = shape

    def compute(self):
        """The `SampleFigures` of all that was added.

        The floor is that of one half of the real images beside the other. What is biased is so by
        more there: a Frechet distance by twice as much as that of as many samples as real images.

        Raises:
            ValueError: there are too few of either kind.
        """
        for real, name in ((True, "real images"), (False, "samples")):
            if not self._kept[real]:
                raise ValueError(f"Expected {name}: update(images, real={real}). Received: none")
        fake, real = (joined(self._kept[each]) for each in (False, True))
        found = figures_of(fake, real, self.features, self.metrics, seed=self.seed)
        halves = np.array_split(np.random.default_rng(self.seed).permutation(len(real.features)), 2)
        floor, num = {}, len(halves[1])
        with contextlib.suppress(ValueError):  # of too few
            one, other = (taken(real, rows) for rows in halves)
            floor = figures_of(one, other, self.features, self.metrics, seed=self.seed).values
        return dataclasses.replace(found, floor=floor, protocol=found.protocol | {"num_floor": num})

    def reset(self, real=False):
        """Forgets the samples, and with `real` the real images too."""
        for each in (False, True) if flag("real", real) else (False,):
            self._kept[each].clear()
        if not any(self._kept.values()):
            self._shape = None
