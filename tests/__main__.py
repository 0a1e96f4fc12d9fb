"""Runs the tests on every backend that is installed, each in a process of its own.

python -m tests [pytest's arguments]
"""

import importlib.util
import os
import subprocess
import sys
import tempfile

BACKENDS = ("tensorflow", "jax", "torch")


def main(arguments):
    """Starts all backends' tests, shows their reports one after another, returns the failures."""
    installed = [backend for backend in BACKENDS if importlib.util.find_spec(backend)]
    if not installed:
        sys.exit(f"Expected one of the backends {BACKENDS}, and found none installed.")
    command = [sys.executable, "-m", "pytest", "tests", "kgen", *arguments]
    runs = []
    for backend in installed:
        report = tempfile.TemporaryFile()
        # The processes share the cores: more threads of PyTorch's would wait for each other.
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
        if backend == "jax":  # whose newer emitters take five times as long to compile
            quiet["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"
        environment = quiet | os.environ | {"KERAS_BACKEND": backend}
        process = subprocess.Popen(
            command, env=environment, stdout=report, stderr=subprocess.STDOUT
        )
        runs.append((backend, process, report))
    failed = []
    for backend, process, report in runs:
        if process.wait() != 0:
            failed.append(backend)
        report.seek(0)
        print(f"== {backend}", flush=True)
        sys.stdout.buffer.write(report.read())
        sys.stdout.flush()
    print(f"Failed on: {', '.join(failed)}" if failed else f"Passed on: {', '.join(installed)}")
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
