"""What serving costs: a SavedModel's `generate` against `sample` in process, and export.

    python benchmarks/serving.py

Of each model 64 images from the loaded SavedModel and from `model.sample(64)`, both by TensorFlow
in this process, alternated in one run; then what each signature takes of 1 and of 64 images. Last,
the seconds of `kgen export` and of loading, of a VAE of the digits.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl import app, flags

import kgen
from kgen.export.saved_model import write

ROUNDS = flags.DEFINE_integer("rounds", 30, "Alternations.")
MODELS = {
    "VAE 28x28": lambda: kgen.VAE((28, 28, 1), seed=0),
    "DCGAN 28x28": lambda: kgen.DCGAN((28, 28, 1), seed=0),
    "PixelCNN 28x28, 64 channels": lambda: kgen.PixelCNN(
        (28, 28, 1), levels=2, width=32, depth=5, seed=0
    ),
}


def seconds(function):
    """Wall-clock time of one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def zeros(signature, num):
    """Rows of zeros, and of black PNG files, for a signature."""
    _, inputs = signature.structured_input_signature
    black = tf.io.encode_png(tf.zeros((28, 28, 1), tf.uint8))
    return {
        name: tf.fill((num,), black)
        if spec.dtype == tf.string
        else tf.zeros((num, *spec.shape[1:]), spec.dtype)
        for name, spec in inputs.items()
    }


def asker(signature, num):
    """A function that asks a signature for rows and takes them out of TensorFlow."""
    given = zeros(signature, num)
    return lambda: [value.numpy() for value in signature(**given).values()]


def measure(name, model, folder):
    """Prints the ratio of the two ways, and the signatures' times."""
    write(model, folder, "model")
    signatures = tf.saved_model.load(folder).signatures
    served, own = asker(signatures["generate"], 64), lambda: model.sample(64, seed=0)
    for run in (served, own):
        run()
    rounds = max(7, ROUNDS.value // 4) if "PixelCNN" in name else ROUNDS.value
    times = [(seconds(served), seconds(own)) for _ in range(rounds)]
    low, middle, high = statistics.quantiles([a / b for a, b in times], n=4)
    median = 1e3 * statistics.median(a for a, _ in times)
    print(f"{name}: generate / sample {middle:.2f} ({low:.2f} .. {high:.2f}), {median:.2f} ms")
    for signature in sorted(signatures):
        medians = []
        for num in (1, 64):
            run = asker(signatures[signature], num)
            run()
            medians.append(1e3 * statistics.median(seconds(run) for _ in range(7)))
        print(
            f"  {signature:<22} {medians[0]:9.2f} ms of 1, {medians[1]:9.2f} ms of 64", flush=True
        )


def measure_export(folder):
    """Prints the seconds of `kgen export` and of loading, thrice."""
    run = os.path.join(folder, "digits")
    kgen.runs.train("vae", run=run, epochs=1, latent_dim=16)
    command = [os.path.join(os.path.dirname(sys.executable), "kgen"), "export", run]
    command += ["--path", os.path.join(folder, "saved_models", "digits")]
    times = [
        seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3)
    ]
    version = os.path.join(folder, "saved_models", "digits", "3")
    loads = [seconds(lambda: tf.saved_model.load(version)) for _ in range(3)]
    print(f"kgen export: {np.round(times, 1)} s; loading: {np.round(loads, 2)} s")


def main(_):
    """Prints everything."""
    with tempfile.TemporaryDirectory() as folder:
        for i, (name, make) in enumerate(MODELS.items()):
            measure(name, make(), os.path.join(folder, str(i)))
        measure_export(folder)


if __name__ == "__main__":
    app.run(main)
