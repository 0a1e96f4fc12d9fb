"""Samples by a sampler, in so many steps, with a guidance."""

from kgen.models.image_model import Samples
from kgen.seeds import seeds_of


class SampledInSteps(Samples):
    """A model whose `_generate(y, noise)` takes what `sampling` gives, too."""

    def sampling(self, sampler, steps, guidance):
        """A sampler that the model has times for, and a guidance that it was trained for.

        Args:
            sampler: `kgen.samplers.Sampler`, its name, or None for the model's.
            steps: int, or None for the sampler's.
            guidance: float.

        Returns:
            dict of both by name, checked.
        """
        raise NotImplementedError

    def sample(
        self,
        num,
        labels=None,
        *,
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float = 1.0,
        seed=None,
        batch_size: int = 64,
    ):
        """Images that the model makes up.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            sampler: a sampler's name or an object of `kgen.samplers`. Defaults to the model's.
            steps: int. Times at which the network is asked. Defaults to the sampler's.
            guidance: float of at least 0. How much the condition counts: 1 as it is, 0 not at all,
                more at the cost of variety.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        given = self.sampling(sampler, steps, guidance)
        rows = {"seed": seeds_of(seed, num)}
        return self.run(self._generate, rows, labels, batch_size=batch_size, **given)
