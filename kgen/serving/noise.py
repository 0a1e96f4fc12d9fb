"""Noise in a served model: each image's from a seed of its own."""

import tensorflow as tf


class Noise:
    """Draws as `numpy.random.Generator` does, as TensorFlow's tensors, row i from seed i alone.

    A row is the same in any batch, on any server and after any restart.

    Args:
        seeds: int64 tensor (batch,).
    """

    def __init__(self, seeds):
        self.seeds = seeds
        self.num = tf.shape(seeds)[0]
        self._num_draws = 0

    def standard_normal(self, size, dtype="float32"):
        return self._draw(size, dtype, tf.random.stateless_normal)

    def random(self, size, dtype="float32"):
        return self._draw(size, dtype, tf.random.stateless_uniform)

    def uniform(self, low, high, size):
        return low + (high - low) * self.random(size)

    def integers(self, low, high, size):
        return self._draw(size, "int32", tf.random.stateless_uniform, minval=low, maxval=high)

    def _draw(self, size, dtype, draw, **limits):
        _, *shape = size
        self._num_draws += 1
        number = self._num_draws  # each draw has a stream of its own

        def row(seed):
            seed = tf.stack([seed, tf.constant(number, seed.dtype)])
            return draw(shape, seed, dtype=dtype, alg="philox", **limits)

        return tf.map_fn(row, self.seeds, fn_output_signature=tf.TensorSpec(shape, dtype))
