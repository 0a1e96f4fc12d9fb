"""What every sampler answers.

It asks for x_0, the image that is expected at the bottom of x_t, at the times of a `Path`. Most are
one line,

    x' = of_x x + of_x0 x_0 + of_last x_0(the time before) + std z,

whose four numbers, of each step, are worked out in float64 before.
"""

import dataclasses

from keras import ops

from kgen import checks
from kgen.samplers.path import Path


@dataclasses.dataclass(frozen=True)
class Sampler:
    """A way from noise to an image.

    Args:
        steps: int. Times at which the network is asked; None for all that the model has.
        spacing: str or None. Which of them, as the model takes it; None for the best of a model.
    """

    steps: int | None = None
    spacing: str | None = None
    is_random = False  # whether the same start can end in another image
    fewest = 2

    def __post_init__(self):
        checks.whole_number("steps", self.steps, at_least=self.fewest, optional=True)

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
