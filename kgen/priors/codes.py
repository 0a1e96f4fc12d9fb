"""Noise and codes."""

import math

import keras
from keras import ops

from kgen.checks import whole_number, whole_numbers
from kgen.priors.prior import Prior


@keras.saving.register_keras_serializable("kgen")
class Codes(Prior):
    """Noise, one-hot codes of categories, and numbers in [-1, 1], side by side.

    Args:
        noise: `Prior` of the noise.
        categorical: tuple of int. Numbers of categories, one for each categorical code.
        continuous: int. How many codes are numbers.
    """

    has_full_support = False

    def __init__(self, noise, categorical=(10,), continuous=2):
        self.categorical = whole_numbers("categorical", categorical, at_least=2)
        self.continuous = whole_number("continuous", continuous, at_least=0)
        if not self.num_codes:
            raise ValueError(f"Expected at least one code. Received: {categorical=}, {continuous=}")
        super().__init__(noise.size + sum(self.categorical) + self.continuous)
        self.noise = noise

    @property
    def num_codes(self):
        """How many codes there are, categories and numbers."""
        return len(self.categorical) + self.continuous

    def draw(self, noise, num):
        z = self.noise.draw(noise, num)
        codes = [noise.integers((num, 1), 0, categories) for categories in self.categorical]
        codes.append(noise.uniform((num, self.continuous), -1.0, 1.0))
        return self.join(z, ops.concatenate([ops.cast(code, "float32") for code in codes], axis=1))

    def join(self, z, codes):
        """Noise, and codes as users give them, as the generator takes them.

        Args:
            z: tensor (num, noise.size).
            codes: tensor (num, num_codes): the categories' numbers, then the numbers.

        Returns:
            Tensor (num, size).
        """
        parts = [
            ops.one_hot(ops.cast(codes[:, i], "int32"), categories, dtype="float32")
            for i, categories in enumerate(self.categorical)
        ]
        return ops.concatenate([z, *parts, codes[:, len(parts) :]], axis=1)

    def split(self, codes):
        """One-hot codes and numbers, side by side, apart.

        Args:
            codes: tensor (..., sum(categorical) + continuous).

        Returns:
            list of the tensors of each categorical code, and the tensor of the numbers.
        """
        parts, start = [], 0
        for categories in self.categorical:
            parts.append(codes[..., start : start + categories])
            start += categories
        return parts, codes[..., start:]

    def log_prob(self, z):
        z, codes = z[..., : self.noise.size], z[..., self.noise.size :]
        constant = sum(map(math.log, self.categorical)) + self.continuous * math.log(2.0)
        one_hots, numbers = self.split(codes)
        is_inside = ops.all(ops.abs(numbers) <= 1.0, axis=-1)
        for one_hot in one_hots:
            # One number is 1, and no square but that of 0 is left for the others.
            ends = ops.max(one_hot, axis=-1), ops.sum(ops.square(one_hot), axis=-1)
            is_inside &= ops.logical_and(*(ops.equal(end, 1.0) for end in ends))
        return self.noise.log_prob(z) + ops.where(is_inside, -constant, -math.inf)

    def get_config(self):
        return {
            "noise": keras.saving.serialize_keras_object(self.noise),
            "categorical": self.categorical,
            "continuous": self.continuous,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config | {"noise": keras.saving.deserialize_keras_object(config["noise"])})
