"""What the noise of a verb costs: `sample(64)` of a DCGAN against `decode` of the same latents.

    KERAS_BACKEND=jax python benchmarks/noise.py

Both are alternated in one run, and what counts is the ratio. A second line times the draw of
64 x 28 x 28 normal numbers by itself.
"""

import statistics
import time

import keras
import numpy as np
from absl import app, flags

import kgen

ROUNDS = flags.DEFINE_integer("rounds", 40, "Alternations.")
SHAPE = (28, 28, 1)


def seconds(function):
    """Wall-clock time of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def quartiles(values):
    """Median and quartiles, as text."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f} .. {high:.3f})"


def main(_):
    """Measures and prints."""
    gan = kgen.DCGAN(SHAPE, seed=0)
    z = gan.draw_latents(64, seed=0)
    calls = (lambda: gan.sample(64, seed=0)), (lambda: gan.decode(z))
    np.testing.assert_allclose(*(call() for call in calls), atol=1e-5)
    ratios, times = [], []
    for _ in range(ROUNDS.value):
        sample, decode = map(seconds, calls)
        ratios.append(sample / decode)
        times.append(sample)
    backend = keras.backend.backend()
    print(f"{backend}: sample(64) / decode {quartiles(ratios)}, {statistics.median(times):.4f} s")

    def draw(y, noise):
        return noise.normal((noise.num, *SHAPE))

    rows = {"seed": kgen.seeds.seeds_of(0, 64)}
    gan.run(draw, rows)
    draws = [seconds(lambda: gan.run(draw, rows)) for _ in range(ROUNDS.value)]
    print(f"{backend}: 64 x 28 x 28 normal numbers {1e3 * statistics.median(draws):.2f} ms")


if __name__ == "__main__":
    app.run(main)
