"""Where random numbers come from: of a training step, or of seeds, one an image.

A model's draws are written once, against `Noise`. In `fit` and `evaluate` they get a `StepNoise`,
in the verbs and on a server a `SeededNoise`, whose row i is of seed i alone: the same on
TensorFlow, JAX, PyTorch and in a SavedModel, in any batch.
"""

import math

import keras
import numpy as np
from keras import ops

from kgen import backend

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_OF_A_TURN = -1  # the stream of the keys of a loop's turns, which no draw has

# How far apart in a generator's first word draws and turns are, as no two seeds of a user's are;
# turns of a loop within a loop are as far apart as the product says, modulo 2^32.
_DRAWS_APART, _TURNS_APART = 0x27D4EB2F, 0x165667B1


class Noise:
    """Independent draws, each call of another stream.

    Shapes have the batch first. In a loop of `keras.ops` each turn i draws from `noise.at(i)`: its
    body is traced once, so that a draw from the noise outside would be the same in every turn, and
    is refused.
    """

    def __init__(self):
        self._num_draws = 0
        self._loop = backend.innermost_loop()

    def normal(self, shape):
        """Float32 tensor of independent N(0, 1)."""
        raise NotImplementedError

    def uniform(self, shape, low=0.0, high=1.0):
        """Float32 tensor, uniform in [low, high)."""
        raise NotImplementedError

    def integers(self, shape, low, high):
        """Int32 tensor, uniform in low..high - 1."""
        raise NotImplementedError

    def at(self, turn):
        """The noise of one turn of a loop.

        Args:
            turn: int or int32 scalar tensor, of each turn another; `SeededNoise` takes a tensor
                (batch,) too.
        """
        raise NotImplementedError

    def _next_stream(self):
        if backend.innermost_loop() is not self._loop:
            raise RuntimeError(
                "Expected a draw in a loop from noise.at(i), i the number of the turn. Received: "
                "one from the noise outside the loop, which would be the same in every turn."
            )
        self._num_draws += 1
        return self._num_draws


class StepNoise(Noise):
    """The noise of one step of `fit` or `evaluate`, by the backend's own generator.

    Args:
        words: int tensor (2,), what a `keras.random.SeedGenerator` gives next.
    """

    def __init__(self, words):
        super().__init__()
        self._words = words
        self._turns_apart = _TURNS_APART

    def normal(self, shape):
        return self._drawn(keras.random.normal, shape, dtype="float32")

    def uniform(self, shape, low=0.0, high=1.0):
        return self._drawn(keras.random.uniform, shape, low, high, dtype="float32")

    def integers(self, shape, low, high):
        return self._drawn(keras.random.randint, shape, low, high, dtype="int32")

    def at(self, turn):
        # Turn 0, too, draws others than the noise that it is of.
        turn = ops.cast(turn, self._words.dtype) + 1
        noise = StepNoise(self._words + turn * self._apart(self._turns_apart))
        noise._turns_apart = self._turns_apart * _TURNS_APART
        return noise

    def _drawn(self, draw, *args, **kwargs):
        seed = _Drawn(self._words + self._apart(self._next_stream() * _DRAWS_APART))
        return backend.over_replicas(draw(*args, **kwargs, seed=seed))

    def _apart(self, number):
        """What is to be added to the words, so that the first is `number` further."""
        dtype = keras.backend.standardize_dtype(self._words.dtype)
        words = np.array([number % 2**32, 0], "uint32").astype(dtype)
        return ops.convert_to_tensor(words, dtype)


class _Drawn(keras.random.SeedGenerator):
    """A seed that is drawn already, as Keras' random functions take it."""

    def __init__(self, words):
        self._words = words

    def next(self, ordered=True):
        return self._words


class SeededNoise(Noise):
    """The noise of seeds: row i of every draw is a function of seed i alone.

    Args:
        key: int32 tensor (batch, 2), the seeds' words as `kgen.seeds.seed_words` gives them.

    Reference: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011.
    https://doi.org/10.1145/2063384.2063405
    """

    def __init__(self, key):
        super().__init__()
        self.num = ops.shape(key)[0]
        self._key = key[:, :1], key[:, 1:]

    def normal(self, shape):
        # The method of Box and Muller 1958.
        a, b = map(_to_unit, self._bits(shape))
        radius = ops.sqrt(-2.0 * ops.log(1.0 - a))
        angle = 2.0 * math.pi * b
        return _fill([radius * ops.cos(angle), radius * ops.sin(angle)], shape)

    def uniform(self, shape, low=0.0, high=1.0):
        unit = _fill(list(map(_to_unit, self._bits(shape))), shape)
        return unit if (low, high) == (0.0, 1.0) else low + (high - low) * unit

    def integers(self, shape, low, high):
        return low + ops.cast((high - low) * self.uniform(shape), "int32")

    def at(self, turn):
        turn = ops.reshape(ops.cast(turn, "int32"), (-1, 1))
        a, b = threefry(self._key, (turn, ops.full_like(turn, _OF_A_TURN)))
        return SeededNoise(ops.concatenate([a, b], axis=1))

    def _bits(self, shape):
        """Two int32 tensors (batch, n) of random bits, for so many numbers a row together."""
        counter = ops.arange((math.prod(shape[1:]) + 1) // 2, dtype="int32")[None]
        return threefry(self._key, (counter, ops.full_like(counter, self._next_stream())))


def threefry(key, counter):
    """Random bits as a function of a key and a counter: Threefry-2x32 with 20 rounds.

    Args:
        key: pair of int32 tensors, of which all bits count.
        counter: pair of int32 tensors; all four broadcast to one shape.

    Returns:
        Pair of int32 tensors.
    """
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    a, b = counter[0] + keys[0], counter[1] + keys[1]
    for turn in range(1, 6):
        for rotation in ROTATIONS[(turn - 1) % 2]:
            a = a + b
            lost = ops.right_shift(b, 32 - rotation) & (2**rotation - 1)  # without the sign
            b = (ops.left_shift(b, rotation) | lost) ^ a
        a = a + keys[turn % 3]
        b = b + (keys[(turn + 1) % 3] + turn)
    return a, b


def _to_unit(bits):
    """Float32 in [0, 1) from the upper 24 bits."""
    return ops.cast(ops.right_shift(bits, 8) & 0xFFFFFF, "float32") * 2.0**-24


def _fill(halves, shape):
    numbers = ops.concatenate(halves, axis=1)[:, : math.prod(shape[1:])]
    return numbers if len(shape) == 2 else ops.reshape(numbers, (-1, *shape[1:]))
