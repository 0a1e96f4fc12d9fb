"""The times that a sampler takes."""

from typing import NamedTuple

import numpy as np


class Path(NamedTuple):
    """Times from noise to images: x_t = signal x_0 + noise eps. All arrays are of float64.

    Attributes:
        t: (steps,), what the network is told.
        signal: (steps + 1,), the last is 1.
        noise: (steps + 1,), the last is 0.
        scale: float. The deviation of x at the first time, about which noise alone is there.
    """

    t: np.ndarray
    signal: np.ndarray
    noise: np.ndarray
    scale: float = 1.0

    def levels(self):
        """The time, the signal and the noise of each step, and at its end, as columns by name."""
        return {
            "t": self.t,
            "signal": self.signal[:-1],
            "noise": self.noise[:-1],
            "next_signal": self.signal[1:],
            "next_noise": self.noise[1:],
        }
