"""The sampler of Song et al. 2020, https://arxiv.org/abs/2010.02502."""

import dataclasses

import keras
import numpy as np

from kgen import checks
from kgen.samplers.sampler import Sampler


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class DDIM(Sampler):
    """Fewer steps with less noise, or none: eq. 12, sigma of eq. 16.

    Args:
        steps: int. Defaults to 50.
        spacing: str or None.
        eta: float of at least 0. 0 draws nothing after the start, 1 as much as `Ancestral` of the
            smaller variance.

    Reference: Song et al., Denoising Diffusion Implicit Models, 2020.
    https://arxiv.org/abs/2010.02502
    """

    steps: int | None = 50
    eta: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        checks.number("eta", self.eta, at_least=0.0)

    @property
    def is_random(self):
        """Whether it draws besides the start."""
        return self.eta > 0

    def rows(self, path):
        a, s = path.signal, path.noise
        added = np.square(s[:-1]) - np.square(a[:-1] / a[1:] * s[1:])
        std = self.eta * (s[1:] / s[:-1]) * np.sqrt(added)
        left = np.sqrt(np.maximum(np.square(s[1:]) - np.square(std), 0.0))
        # x_0 and eps = (x - a x_0) / s, mixed anew.
        rows = {"of_x": left / s[:-1], "of_x0": a[1:] - left * a[:-1] / s[:-1]}
        return rows | {"std": std} if self.is_random else rows
