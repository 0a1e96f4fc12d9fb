"""Two functions in turns: what is slow of the machine is slow for both."""

import statistics
import time

import numpy as np


def seconds(function, *args):
    """Wall-clock time of one call."""
    started = time.perf_counter()
    function(*args)
    return time.perf_counter() - started


def alternated(name, ours, theirs, rounds):
    """Prints the median of the ratios, and quartiles, after a call of each that does not count."""
    for run in (ours, theirs):
        run()
    times = np.array([[seconds(ours), seconds(theirs)] for _ in range(rounds)])
    low, middle, high = statistics.quantiles(times[:, 0] / times[:, 1], n=4)
    first, second = np.median(times, axis=0)
    print(f"{name}: {middle:.3f} ({low:.3f} .. {high:.3f}), {first:.3f} s / {second:.3f} s")
