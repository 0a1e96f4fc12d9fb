"""The sampler of Ho et al. 2020, https://arxiv.org/abs/2006.11239, algorithm 2."""

import dataclasses

import keras
import numpy as np
from keras import ops

from kgen.samplers.sampler import Sampler


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
        kept = a[:-1] / a[1:]  # of x a step before
        beta = np.square(s[:-1]) - np.square(kept * s[1:])
        variance = np.square(s[:-1])
        small = beta * np.square(s[1:]) / variance
        small[-1] = small[-2]
        large = beta.copy()
        large[-1] = small[-1]
        return {
            "of_x": kept * np.square(s[1:]) / variance,
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
