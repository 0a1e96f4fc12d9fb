"""Quality against steps and seconds: the samplers of a diffusion model trained on MNIST.

    KERAS_BACKEND=jax python examples/ddpm_mnist.py --data_dir ~/tensorflow_datasets
    KERAS_BACKEND=jax python benchmarks/diffusion_samplers.py --model runs/ddpm_mnist/model.keras \
        --data_dir ~/tensorflow_datasets

Of each sampler and number of steps 1,000 samples, a tenth of each digit: the kernel distance (KID)
of kgen's own classifier's features to those of the test images, how often it finds the digit that
was asked for, and the time; then of one sampler over the guidance. Writes a table and a plot, which
wants matplotlib.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen import samplers
from kgen.metrics import kernel_distance
from kgen.metrics.features import Classifier

DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
MODEL = flags.DEFINE_string("model", "runs/ddpm_mnist/model.keras", "The trained model's file.")
CLASSIFIER = flags.DEFINE_string("classifier", None, "A classifier's file, else one is trained.")
NUM = flags.DEFINE_integer("num", 1000, "Samples.")
OUT = flags.DEFINE_string("out", os.path.join(os.path.dirname(__file__), "results"), "A folder.")
STEPS = {
    "ddim": (5, 10, 20, 50),
    "dpm_solver": (5, 10, 20),
    "heun": (5, 9, 18),
    "ancestral": (20, 50, 100),
}
GUIDANCE = (0.0, 1.0, 1.5, 2.0, 3.0, 5.0)
COLUMNS = ("sampler", "steps", "passes", "guidance", "KID", "right digit, %", "s")


def row(name, steps, guidance, model, classifier, real):
    """What 1,000 samples are like."""
    labels = np.arange(NUM.value) % 10
    given = {"sampler": name, "steps": steps, "guidance": guidance, "batch_size": 100}
    model.sample(100, labels[:100], seed=0, **given)  # compiles
    started = time.perf_counter()
    images = model.sample(NUM.value, labels, seed=1, **given)
    seconds = time.perf_counter() - started
    features, logits = classifier.extract(images)
    distance, spread = np.array(kernel_distance(features, real)[:2])
    right = 100.0 * np.mean(logits.argmax(axis=1) == labels)
    passes = len(model.path(samplers.get(name, steps)).t) * (2 if name == "heun" else 1)
    words = f"{distance:.1f} ± {spread:.1f}", f"{right:.1f}", f"{seconds:.1f}"
    print(f"| {name} | {steps} | {passes} | {guidance:g} | {' | '.join(words)} |", flush=True)
    return name, passes, guidance, distance, words


def plot(rows, path):
    """KID over the passes of the network."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name in STEPS:
        points = [(passes, distance) for each, passes, _, distance, _ in rows if each == name]
        axes.plot(*zip(*points, strict=True), "o-", label=name)
    axes.axhline(0.0, color="grey", linewidth=0.5)
    axes.set(xlabel="passes of the network", ylabel="KID", xscale="log")
    axes.set_yscale("symlog", linthresh=10.0)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def main(_):
    """Writes the table and the plot."""
    keras.utils.disable_interactive_logging()
    data = kgen.data.load("mnist", data_dir=DATA_DIR.value)
    path = CLASSIFIER.value
    classifier = Classifier.load(path) if path else Classifier.train(data)
    model = keras.saving.load_model(MODEL.value)
    real = classifier.extract(data.test.take()[0]).features
    print(f"classifier: {classifier.accuracy:.2%} of the test images\n")
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    rows = [
        row(name, steps, 1.0, model, classifier, real)
        for name, every in STEPS.items()
        for steps in every
    ]
    plot(rows, os.path.join(OUT.value, "diffusion_samplers.png"))
    for guidance in GUIDANCE:
        row("ddim", 20, guidance, model, classifier, real)


if __name__ == "__main__":
    app.run(main)
