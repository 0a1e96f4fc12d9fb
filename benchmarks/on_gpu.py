"""kgen's step on a GPU, on JAX and PyTorch, against PyTorch alone, with and without torch.compile.

    PYTHONPATH=. python benchmarks/on_gpu.py [--models dcgan,wgan_gp,pixelcnn] [--seconds 3]

Each way is a process of its own that waits while another steps: they are alternated, each for some
seconds a round. Prints a table in Markdown for each model: images a second, the ratio to PyTorch
alone in the same round, and how much of the time the GPU was busy.
"""

import os
import statistics
import subprocess
import sys
import threading
import time

from absl import app, flags

MODELS = flags.DEFINE_list("models", ["dcgan", "wgan_gp", "pixelcnn"], "Which models.")
ROUNDS = flags.DEFINE_integer("rounds", 5, "Alternations of the ways.", lower_bound=2)
SECONDS = flags.DEFINE_float("seconds", 3.0, "Of each way in a round.")
STEPPING = flags.DEFINE_string("stepping", None, "The model that this process steps, of kgen.")
DEVICE = flags.DEFINE_string("device", "cuda", "PyTorch's name for where the plain ways run.")

# Of each the image's size and channels, and the batch.
SETTINGS = {"dcgan": (64, 3, 128), "wgan_gp": (28, 1, 250), "pixelcnn": (28, 1, 64)}


def step_kgen(name):
    """Answers each number of steps on the input with their seconds."""
    import keras
    import numpy as np
    from stepper import stepper

    import kgen

    size, channels, batch_size = SETTINGS[name]
    shape = (size, size, channels)
    if name == "pixelcnn":
        model = kgen.PixelCNN(shape, levels=2, width=64, depth=5, seed=0)
    else:
        model = {"dcgan": kgen.DCGAN, "wgan_gp": kgen.WGANGP}[name](shape, seed=0)
    model.compile()
    images = np.random.default_rng(0).integers(0, 256, (batch_size, *shape), dtype="uint8")
    step = stepper(model, keras.ops.convert_to_tensor(images))
    for line in sys.stdin:
        started = time.perf_counter()
        step(int(line))
        print(time.perf_counter() - started, flush=True)


class Way:
    """A process that steps when it is asked to."""

    def __init__(self, name, command, **environment):
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | environment,
            text=True,
        )
        self.steps, self.rates, self.busy = 2, [], []

    def run(self, steps):
        """Seconds of so many steps, None where it cannot step."""
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (OSError, ValueError):
            return None

    def warm_up(self, seconds):
        """Compiles, and finds out how many steps take so long."""
        taken = [self.run(2) for _ in range(3)][-1]
        taken = taken and self.run(10)
        self.steps = taken and max(2, round(10 * seconds / taken))
        return self.steps is not None


def ways(name):
    """The processes of one model."""
    size, _, batch_size = SETTINGS[name]
    here = os.path.dirname(__file__)
    ours = [__file__, f"--stepping={name}"]
    plain = [os.path.join(here, "plain_torch.py"), name, str(batch_size), str(size), DEVICE.value]
    return [
        Way("PyTorch alone", plain),
        Way("PyTorch alone, torch.compile", [*plain, "compile"]),
        Way("kgen on JAX", ours, KERAS_BACKEND="jax", XLA_PYTHON_CLIENT_PREALLOCATE="false"),
        Way("kgen on PyTorch", ours, KERAS_BACKEND="torch"),
    ]


def busy_percent(until):
    """Samples how much of the time the GPU runs kernels, in %, until the event is set."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    except Exception:  # no GPU of NVIDIA's, or no library for it
        return []
    found = []
    while not until.wait(0.2):
        found.append(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    return found[2:]  # those before are of what ran before


def measured(way):
    """One round of one way."""
    until, found = threading.Event(), []
    sampler = threading.Thread(target=lambda: found.extend(busy_percent(until)))
    sampler.start()
    taken = way.run(way.steps)
    until.set()
    sampler.join()
    way.rates.append(way.steps / taken)
    way.busy += found


def measure(name):
    """Prints the table of one model."""
    size, channels, batch_size = SETTINGS[name]
    print(f"\n{name}, {size}x{size}x{channels}, batches of {batch_size}\n", flush=True)
    print("| | images/s | of PyTorch alone | GPU busy |\n|---|---|---|---|", flush=True)
    started = ways(name)
    try:
        _measure(started, batch_size)
    finally:
        for way in started:
            way.process.kill()


def _measure(started, batch_size):
    able = [way for way in started if way.warm_up(SECONDS.value)]
    if started[0] not in able:
        raise RuntimeError(f"Expected a way to compare with. {started[0].name} does not step.")
    for _ in range(ROUNDS.value):
        for way in able:
            measured(way)
    for way in started:
        if way not in able:
            print(f"| {way.name} | cannot | | |", flush=True)
            continue
        ratios = [mine / plain for mine, plain in zip(way.rates, started[0].rates, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        busy = f"{statistics.fmean(way.busy):.0f}%" if way.busy else ""
        rate = batch_size * statistics.median(way.rates)
        print(
            f"| {way.name} | {rate:,.0f} | {middle:.2f} ({low:.2f} .. {high:.2f}) | {busy} |",
            flush=True,
        )


def main(_):
    """Measures all, or steps one for the process that measures."""
    if STEPPING.value:
        step_kgen(STEPPING.value)
        return
    for name in MODELS.value:
        measure(name)


if __name__ == "__main__":
    app.run(main)
