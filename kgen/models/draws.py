"""Draws of a SeededNoise by NumPy's names, until the models draw by themselves."""


class Draws:
    def __init__(self, noise):
        self._noise, self.num = noise, noise.num

    def random(self, size, dtype="float32"):
        return self._noise.uniform(size)

    def standard_normal(self, size, dtype="float32"):
        return self._noise.normal(size)

    def uniform(self, low, high, size):
        return self._noise.uniform(size, low, high)

    def integers(self, low, high, size):
        return self._noise.integers(size, low, high)
