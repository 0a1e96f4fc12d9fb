"""kgen's step on each backend against the same in PyTorch alone, as a script would do it.

    PYTHONPATH=. python benchmarks/peers.py [--models vae,dcgan] [--cores 1,2] [--device cuda]

Networks, optimizers and batches are equal; `plain_torch.py` has PyTorch's. The "dcgan_reusing" is
the DCGAN whose script trains the discriminator on the fakes that the generator was just trained on,
which saves it a pass; kgen draws anew, as the paper does. Each way is a process of its own, held to
the same cores, that waits while another steps: they are alternated, each for some seconds a round.

Prints a table in Markdown for each model: images a second and the ratio to PyTorch alone in the
same round, with its quartiles; the seconds from the start of the process to the end of its first
step; the most memory that it ever held; and of a GPU how much of the time it was busy.
"""

import dataclasses
import importlib.util
import os
import statistics
import subprocess
import sys
import threading
import time

from absl import app, flags

MODELS = flags.DEFINE_list(
    "models", ["vae", "dcgan", "dcgan_reusing", "wgan_gp", "pixelcnn"], "Which models."
)
BACKENDS = flags.DEFINE_list(
    "backends", ["tensorflow", "jax", "torch"], "Those installed of these."
)
ROUNDS = flags.DEFINE_integer("rounds", 7, "Alternations of the ways.", lower_bound=2)
SECONDS = flags.DEFINE_float("seconds", 2.0, "Of each way in a round.")
CORES = flags.DEFINE_list("cores", ["1", "2"], "On a CPU, how many cores; a table for each.")
DEVICE = flags.DEFINE_enum("device", "cpu", ["cpu", "cuda"], "Where the ways run.")
COMPILE = flags.DEFINE_boolean("compile", False, "Add PyTorch alone with torch.compile.")
STEPPING = flags.DEFINE_string("stepping", None, "The model that this process steps, of kgen.")

# Of each the batch, and the size and channels of the images on a CPU and on a GPU.
SETTINGS = {
    "vae": (100, (28, 1), (28, 1)),
    "dcgan": (128, (28, 1), (64, 3)),
    "dcgan_reusing": (128, (28, 1), (64, 3)),
    "wgan_gp": (250, (28, 1), (28, 1)),
    "pixelcnn": (64, (28, 1), (28, 1)),
}
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def setting(name):
    """Batch size, height and channels of a model's images."""
    batch_size, *sizes = SETTINGS[name]
    return batch_size, *sizes[DEVICE.value == "cuda"]


def made(name, shape):
    """A compiled model of kgen's, with the networks of `plain_torch.py`."""
    import keras

    import kgen

    if name == "vae":
        model = kgen.VAE(shape, latent_dim=20, width=512, depth=1, seed=0)
        model.compile(keras.optimizers.Adam(1e-3))
        return model
    if name == "pixelcnn":
        model = kgen.PixelCNN(shape, levels=2, width=64, depth=5, seed=0)
    else:
        model = (kgen.WGANGP if name == "wgan_gp" else kgen.DCGAN)(shape, seed=0)
    model.compile()
    return model


def step_kgen(name):
    """Answers each number of steps on the input with their seconds."""
    import keras
    import numpy as np
    from stepper import stepper

    batch_size, size, channels = setting(name)
    shape = (size, size, channels)
    images = np.random.default_rng(0).integers(0, 256, (batch_size, *shape), dtype="uint8")
    step = stepper(made(name, shape), keras.ops.convert_to_tensor(images))
    for line in sys.stdin:
        started = time.perf_counter()
        step(int(line))
        print(time.perf_counter() - started, flush=True)


@dataclasses.dataclass
class Way:
    """A process that steps when it is asked to."""

    name: str
    command: list
    environment: dict = dataclasses.field(default_factory=dict)
    steps: int = 1
    rates: list = dataclasses.field(default_factory=list)
    busy: list = dataclasses.field(default_factory=list)
    starting: float = 0.0

    def start(self, cores):
        """Starts the process on some cores."""
        self.process = subprocess.Popen(
            [sys.executable, *self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": str(len(cores))} | self.environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            text=True,
        )

    def run(self, steps):
        """Seconds of so many steps, None where it cannot step."""
        try:
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (OSError, ValueError):
            return None

    def warm_up(self, seconds):
        """Whether it steps; compiles, and finds out how many steps take so long."""
        started = time.perf_counter()
        if self.run(1) is None:
            return False
        self.starting = time.perf_counter() - started
        taken = [self.run(3) for _ in range(3)][-1]
        self.steps = max(1, round(3 * seconds / taken))
        return True

    def measure(self):
        """One round."""
        until, found = threading.Event(), []
        sampler = threading.Thread(target=lambda: found.extend(busy_percent(until)))
        sampler.start()
        self.rates.append(self.steps / self.run(self.steps))
        until.set()
        sampler.join()
        self.busy += found

    def memory(self):
        """The most that it ever held, in MiB."""
        with open(f"/proc/{self.process.pid}/status") as file:
            line = next(line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    def row(self, plain, batch_size):
        """A line of the table."""
        ratios = [mine / other for mine, other in zip(self.rates, plain.rates, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        rate = batch_size * statistics.median(self.rates)
        busy = f" | {statistics.fmean(self.busy):.0f}%" if self.busy else ""
        return (
            f"| {self.name} | {rate:,.0f} | {middle:.2f} ({low:.2f} .. {high:.2f}) | "
            f"{self.starting:.1f} | {self.memory():,.0f}{busy} |"
        )


def ways(name):
    """Those of one model, PyTorch alone first."""
    batch_size, size, _ = setting(name)
    here = os.path.dirname(__file__)
    plain = [os.path.join(here, "plain_torch.py"), name, str(batch_size), str(size), DEVICE.value]
    ours = [__file__, f"--stepping={name}", f"--device={DEVICE.value}"]
    found = [Way("PyTorch alone", plain)]
    if COMPILE.value:
        found.append(Way("PyTorch alone, torch.compile", [*plain, "compile"]))
    for backend in filter(importlib.util.find_spec, BACKENDS.value):
        environment = {"KERAS_BACKEND": backend, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        found.append(Way(f"kgen on {NAMES[backend]}", ours, environment))
    return found


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


def measure(name, cores):
    """Prints the table of one model."""
    batch_size, size, channels = setting(name)
    on_gpu = DEVICE.value == "cuda"
    where = "" if on_gpu else f", {len(cores)} core{'s' * (len(cores) > 1)}"
    print(f"\n{name}, {size}x{size}x{channels}, batches of {batch_size}{where}\n")
    columns = ["", "images/s", "of PyTorch alone", "first step, s", "memory, MiB"]
    columns += ["GPU busy"] * on_gpu
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)
    found = ways(name)
    try:
        able = []
        for way in found:  # one after another, as starting is measured too
            way.start(cores)
            if way.warm_up(SECONDS.value):
                able.append(way)
        if found[0] not in able:
            raise RuntimeError(f"Expected a way to compare with. {found[0].name} does not step.")
        for _ in range(ROUNDS.value):
            for way in able:
                way.measure()
        for way in found:
            cannot = f"| {way.name} | cannot |{' |' * (len(columns) - 2)}"
            print(way.row(found[0], batch_size) if way in able else cannot, flush=True)
    finally:
        for way in found:
            if hasattr(way, "process"):
                way.process.kill()


def main(_):
    """Measures all, or steps one for the process that measures."""
    if STEPPING.value:
        step_kgen(STEPPING.value)
        return
    allowed = sorted(os.sched_getaffinity(0))
    counts = [len(allowed)] if DEVICE.value == "cuda" else [int(num) for num in CORES.value]
    for name in MODELS.value:
        for num in counts:
            measure(name, allowed[:num])


if __name__ == "__main__":
    app.run(main)
