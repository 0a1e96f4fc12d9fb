"""The sampler of Lu et al. 2022, https://arxiv.org/abs/2211.01095, algorithm 2."""

import dataclasses

import keras
import numpy as np

from kgen.samplers.sampler import Sampler


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class DPMSolver(Sampler):
    """The second order of the ODE in few steps, by what x_0 was the step before: 2M, ++.

    Args:
        steps: int. Defaults to 20.
        spacing: str or None.

    Reference: Lu et al., DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic
    Models, 2022, algorithm 2. https://arxiv.org/abs/2211.01095
    """

    steps: int | None = 20

    def rows(self, path):
        a, s = path.signal, path.noise
        with np.errstate(divide="ignore"):
            h = np.diff(np.log(a) - np.log(s))  # of half the log-SNR; the last is infinite
        weight = -a[1:] * np.expm1(-h)
        ratio = np.zeros(len(h))
        ratio[1:-1] = h[1:-1] / (2.0 * h[:-2])  # the first and the last are of first order
        return {
            "of_x": s[1:] / s[:-1],
            "of_x0": weight * (1.0 + ratio),
            "of_last": -weight * ratio,
        }
