"""The sampler of Karras et al. 2022, https://arxiv.org/abs/2206.00364, algorithm 1."""

import dataclasses

import keras
import numpy as np

from kgen.samplers.sampler import Sampler


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class Heun(Sampler):
    """The second order of the ODE: a step of Euler's, corrected by the slope at its end.

    It asks the network twice a step. Along steps of much noise at once it is not stable: the times
    are theirs by default.

    Args:
        steps: int. Defaults to 18.
        spacing: str or None. Defaults to "karras".

    Reference: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models,
    2022, algorithm 1. https://arxiv.org/abs/2206.00364
    """

    steps: int | None = 18
    spacing: str | None = "karras"

    def rows(self, path):
        a, s = path.signal, path.noise
        sigma = s / a
        half = 0.5 * np.diff(sigma) * np.append(np.ones(len(sigma) - 2), 2.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            at_end = np.where(sigma[1:] > 0, half / sigma[1:], 0.0)
        t = np.append(path.t[1:], path.t[-1])
        return {
            # Euler: x / a moves by (sigma' - sigma) (x / a - x_0) / sigma.
            "of_x": s[1:] / s[:-1],
            "of_x0": a[1:] * -np.diff(sigma) / sigma[:-1],
            # Then by half of that slope and half of the one at the end.
            "kept": a[1:] / a[:-1] * (1.0 + half / sigma[:-1]),
            "kept_x0": -a[1:] * half / sigma[:-1],
            "end": at_end,
            "end_x0": -a[1:] * at_end,
            "next_t": t,
            "next_signal": np.append(a[1:-1], a[-2]),
            "next_noise": np.append(s[1:-1], s[-2]),
        }

    def step(self, x, row, x0_of, last, noise):
        x0, _ = x0_of(x, row)
        euler = row["of_x"] * x + row["of_x0"] * x0
        at_end = {name: row[f"next_{name}"] for name in ("t", "signal", "noise")}
        end_x0, _ = x0_of(euler, at_end)
        next_x = row["kept"] * x + row["kept_x0"] * x0
        return next_x + row["end"] * euler + row["end_x0"] * end_x0, x0
