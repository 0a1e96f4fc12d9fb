"""Runge and Kutta's methods of the first and the second order, for a model of velocities."""

import dataclasses

import keras
import numpy as np

from kgen.samplers.sampler import Sampler

# Where within a step the second slope is taken, and how much of the step follows it.
METHODS = {"euler": (None, 0.0), "midpoint": (0.5, 1.0), "heun": (1.0, 0.5)}


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class ODE(Sampler):
    """Along dx / dt = v(x, t), t from 0 to 1, for a model that gives v.

    Args:
        steps: int of at least 1. Defaults to 50.
        spacing: None, for steps of one length.
        method: "euler"; or "midpoint" or "heun", of second order, which ask the network twice a
            step.
    """

    steps: int | None = 50
    method: str = "euler"
    fewest = 1

    def __post_init__(self):
        super().__post_init__()
        if self.method not in METHODS:
            raise ValueError(
                f"Expected method in {list(METHODS)}. Received: method={self.method!r}"
            )

    def rows(self, path):
        h = np.diff(path.signal)
        rows = {"h": h}
        if (at := METHODS[self.method][0]) is not None:
            rows["between"] = at * h
        return rows

    def step(self, x, row, x0_of, last, noise):
        _, weight = METHODS[self.method]
        x0, v = x0_of(x, row)
        if "between" in row:
            between = {
                "signal": row["signal"] + row["between"],
                "noise": row["noise"] - row["between"],
                "h": row["h"],
            }
            _, later = x0_of(x + row["between"] * v, between)
            v = (1.0 - weight) * v + weight * later
        return x + row["h"] * v, x0
