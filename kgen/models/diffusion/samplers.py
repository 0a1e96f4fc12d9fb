"""Ways from noise to an image, by what a network thinks of the image at each time.

Each works with every model of this family: it asks for x_0, the image that is expected at the
bottom of x_t, at the times of a `Path`. All but Heun's are one line,

    x' = of_x x + of_x0 x_0 + of_last x_0(the time before) + std z,

whose four numbers, of each step, are worked out in float64 before.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from kgen import checks
from kgen.models.diffusion.schedule import Path


@dataclasses.dataclass(frozen=True)
class Sampler:
    """A way from noise to an image.

    Args:
        steps: int. Times at which the network is asked; None for all that the model has.
        spacing: str. Which of them, as `Schedule.times` takes it.
    """

    steps: int | None = None
    spacing: str = "even"
    is_random = False  # whether the same start can end in another image

    def __post_init__(self):
        checks.whole_number("steps", self.steps, at_least=2, optional=True)

    def get_config(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """The sampler that `get_config` was of."""
        return cls(**config)

    def rows(self, path: Path) -> dict:
        """The numbers of each step, the first first: of_x, of_x0, and what else `step` takes."""
        raise NotImplementedError

    def step(self, x, row, x0_of, last, noise):
        """One step.

        Args:
            x: tensor (batch, height, width, channels).
            row: dict of float32 scalars, of each of `rows`.
            x0_of: callable of x and `row` that gives x_0; of a random one also the logarithm of
                the variance of the model's step.
            last: x_0 of the step before; zeros in the first.
            noise: `kgen.noise.Noise` of this step.

        Returns:
            x of the next time, and x_0.
        """
        x0, _ = x0_of(x, row)
        next_x = row["of_x"] * x + row["of_x0"] * x0
        if "of_last" in row:
            next_x = next_x + row["of_last"] * last
        if "std" in row:
            next_x = next_x + row["std"] * noise.normal(ops.shape(x))
        return next_x, x0


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class Ancestral(Sampler):
    """Algorithm 2: a draw from p(x_{t-1}|x_t), of the model's own variance.

    Reference: Ho et al., Denoising Diffusion Probabilistic Models, 2020.
    https://arxiv.org/abs/2006.11239
    """

    is_random = True

    def rows(self, path):
        a, s = path.signal, path.noise
        kept = np.square(a[:-1] / a[1:])  # alpha, of the steps that are taken
        beta = 1.0 - kept
        variance = np.square(s[:-1])
        small = beta * np.square(s[1:]) / variance
        small[-1] = small[-2]
        large = beta.copy()
        large[-1] = small[-1]
        return {
            "of_x": np.sqrt(kept) * np.square(s[1:]) / variance,
            "of_x0": a[1:] * beta / variance,
            "log_small": np.log(small),
            "log_large": np.log(large),
            "draws": np.append(np.ones(len(beta) - 1), 0.0),  # at the end there is no noise
        }

    def step(self, x, row, x0_of, last, noise):
        x0, log_variance = x0_of(x, row)
        std = row["draws"] * ops.exp(0.5 * log_variance)
        z = noise.normal(ops.shape(x))
        return row["of_x"] * x + row["of_x0"] * x0 + std * z, x0


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class DDIM(Sampler):
    """Fewer steps with less noise, or none: eq. 12, sigma of eq. 16.

    Args:
        steps: int. Defaults to 50.
        spacing: str.
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
        ratio = np.square(a[:-1] / a[1:])
        std = self.eta * (s[1:] / s[:-1]) * np.sqrt(1.0 - ratio)
        left = np.sqrt(np.maximum(np.square(s[1:]) - np.square(std), 0.0))
        # x_0 and eps = (x - a x_0) / s, mixed anew.
        rows = {"of_x": left / s[:-1], "of_x0": a[1:] - left * a[:-1] / s[:-1]}
        return rows | {"std": std} if self.is_random else rows


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class DPMSolver(Sampler):
    """The second order of the ODE in few steps, by what x_0 was the step before: 2M, ++.

    Args:
        steps: int. Defaults to 20.
        spacing: str.

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


@keras.saving.register_keras_serializable("kgen")
@dataclasses.dataclass(frozen=True)
class Heun(Sampler):
    """The second order of the ODE: a step of Euler's, corrected by the slope at its end.

    It asks the network twice a step. Along steps of much noise at once it is not stable: the times
    are theirs by default.

    Args:
        steps: int. Defaults to 18.
        spacing: str. Defaults to "karras".

    Reference: Karras et al., Elucidating the Design Space of Diffusion-Based Generative Models,
    2022, algorithm 1. https://arxiv.org/abs/2206.00364
    """

    steps: int | None = 18
    spacing: str = "karras"

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


_BY_NAME = {"ancestral": Ancestral, "ddim": DDIM, "dpm_solver": DPMSolver, "heun": Heun}


def get(sampler, steps=None):
    """A `Sampler` by its name, or as it is; with other steps, if they are given.

    Args:
        sampler: `Sampler`, "ancestral", "ddim", "dpm_solver" or "heun".
        steps: int or None.
    """
    if isinstance(sampler, str):
        if sampler not in _BY_NAME:
            raise ValueError(
                f"Expected a sampler of {', '.join(_BY_NAME)}, or an object of "
                f"kgen.models.diffusion.samplers. Received: sampler={sampler!r}"
            )
        sampler = _BY_NAME[sampler]()
    if not isinstance(sampler, Sampler):
        raise ValueError(f"Expected a sampler's name or object. Received: sampler={sampler!r:.80}")
    return sampler if steps is None else dataclasses.replace(sampler, steps=steps)
