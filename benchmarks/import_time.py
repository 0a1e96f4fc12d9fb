"""What `import kgen` adds to `import keras`, in fresh processes.

KERAS_BACKEND=jax python benchmarks/import_time.py
"""

import statistics
import subprocess
import sys

CODE = """
import time
import keras
started = time.perf_counter()
import kgen
print(time.perf_counter() - started)
"""


def main(rounds=7):
    """Prints the median and the range."""
    times = [
        float(subprocess.run([sys.executable, "-c", CODE], capture_output=True, check=True).stdout)
        for _ in range(rounds)
    ]
    low, middle, high = min(times), statistics.median(times), max(times)
    print(f"import kgen, after keras: {middle:.3f} s ({low:.3f} .. {high:.3f})")


if __name__ == "__main__":
    main()
