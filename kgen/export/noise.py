"""Noise in a served model: each image's from a seed of its own."""

import math

import tensorflow as tf

ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)


class Noise:
    """Draws as `numpy.random.Generator` does, as TensorFlow's tensors, row i from seed i alone.

    A row is the same in any batch, on any server and after any restart. TensorFlow's own stateless
    generators take one seed a call, and a loop over the rows would take longer than a small model.

    Args:
        seeds: int64 tensor (batch,).
    """

    def __init__(self, seeds):
        words = tf.bitcast(seeds, tf.uint32)[:, None]  # the lower half first
        self._key = words[..., 0], words[..., 1]
        self.num = tf.shape(seeds)[0]
        self._num_draws = 0

    def random(self, size, dtype="float32"):
        a, b = self._words(size)
        return _fill(tf.concat([_to_unit(a), _to_unit(b)], 1), size)

    def standard_normal(self, size, dtype="float32"):
        # The method of Box and Muller 1958.
        a, b = self._words(size)
        radius = tf.sqrt(-2.0 * tf.math.log(1.0 - _to_unit(a)))
        angle = 2.0 * math.pi * _to_unit(b)
        return _fill(tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], 1), size)

    def uniform(self, low, high, size):
        return low + (high - low) * self.random(size)

    def integers(self, low, high, size):
        return low + tf.cast((high - low) * self.random(size), tf.int32)

    def _words(self, size):
        """Two tensors of random bits, uint32 (batch, n), for so many numbers together."""
        num = math.prod(size[1:])
        self._num_draws += 1  # each draw has a stream of its own
        counter = tf.range((num + 1) // 2, dtype=tf.int32), tf.constant(self._num_draws)
        return threefry(self._key, [tf.cast(word, tf.uint32) for word in counter])


def threefry(key, counter):
    """Random bits as a function of a key and a counter: Threefry-2x32 with 20 rounds.

    Args:
        key: pair of uint32 tensors.
        counter: pair of uint32 tensors; all four broadcast to one shape.

    Returns:
        Pair of uint32 tensors.

    Reference: Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011.
    https://doi.org/10.1145/2063384.2063405
    """
    keys = (*key, key[0] ^ key[1] ^ tf.constant(0x1BD11BDA, tf.uint32))
    a, b = counter[0] + keys[0], counter[1] + keys[1]
    for turn in range(1, 6):
        for rotation in ROTATIONS[(turn - 1) % 2]:
            a = a + b
            b = tf.bitwise.left_shift(b, rotation) | tf.bitwise.right_shift(b, 32 - rotation)
            b = b ^ a
        a = a + keys[turn % 3]
        b = b + keys[(turn + 1) % 3] + tf.constant(turn, tf.uint32)
    return a, b


def _to_unit(words):
    """Float32 in [0, 1) from the upper 24 bits."""
    return tf.cast(tf.bitwise.right_shift(words, 8), tf.float32) * 2.0**-24


def _fill(numbers, size):
    return tf.reshape(numbers[:, : math.prod(size[1:])], (-1, *size[1:]))
