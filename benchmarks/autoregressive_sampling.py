"""Pixel by pixel from kept activations, against a full pass of the network for each pixel.

    KERAS_BACKEND=jax python benchmarks/autoregressive_sampling.py [--xla] [--model nade]

On binary images of 28x28 a PixelCNN of 64 channels and 5 residual blocks, or the preset of another
model. Of naive sampling, a compiled full pass and a draw a pixel, some pixels are timed and counted
for all; the three are alternated in one run. The time to compile is that of a first call less that
of a second, at two sizes of the image.
"""

import statistics
import time

import keras
import numpy as np
from absl import app, flags
from keras import ops

import kgen
from kgen import backend

MODELS = {
    "pixelcnn": lambda shape: kgen.PixelCNN(shape, levels=2, width=32, depth=5, seed=0),
    "pixelcnn_plus_plus": lambda shape: kgen.PixelCNNPlusPlus(shape, levels=2, seed=0),
    "row_lstm": lambda shape: kgen.PixelRNN(shape, levels=2, cell="row", depth=2, seed=0),
    "diagonal_bilstm": lambda shape: kgen.PixelRNN(shape, levels=2, depth=2, seed=0),
    "fvsbn": lambda shape: kgen.FVSBN(shape, seed=0),
    "nade": lambda shape: kgen.NADE(shape, seed=0),
    "made": lambda shape: kgen.MADE(shape, seed=0),
}

MODEL = flags.DEFINE_enum("model", "pixelcnn", MODELS, "Which model.")
BATCH_SIZES = flags.DEFINE_list("batch_sizes", ["1", "16", "64", "256"], "Images at a time.")
ROUNDS = flags.DEFINE_integer("rounds", 7, "Alternations.")
NAIVE_PIXELS = flags.DEFINE_integer("naive_pixels", 5, "Pixels of naive sampling in a round.")
XLA = flags.DEFINE_boolean("xla", False, "TensorFlow with XLA.")


def seconds(function, *args):
    """Wall-clock time of one call."""
    started = time.perf_counter()
    keras.tree.map_structure(ops.convert_to_numpy, function(*args))
    return time.perf_counter() - started


def make(size):
    """The model for square images."""
    return MODELS[MODEL.value]((size, size, 1))


def compiled(model, function):
    """As the model compiles its own functions, or with XLA."""
    if XLA.value:
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    return backend.compile_function(model, function)


def sampler(model, batch_size):
    """A function that makes a batch of images; with XLA in one loop, else as `sample` does."""
    if not XLA.value:
        return lambda: model.sample(batch_size, seed=0, batch_size=batch_size)
    shape = (batch_size, *model.image_shape)

    def fill(given):
        memory = model.averaged().start(batch_size)
        images, _ = model._make_rows(given, None, np.float32(1.0), memory)
        return images

    rng = np.random.default_rng(0)
    given = {
        "uniform": rng.random(shape, dtype="float32"),
        "known": np.full(shape, -1.0, "float32"),
    }
    function = compiled(model, fill)
    return lambda: function(given)


def naive_step(model):
    """One pixel: a full pass, and a draw from the outputs at one place."""

    def step(values, uniform, row, column):
        logits = model._outputs(values, None)
        logits = ops.take(ops.take(logits, row, axis=1), column, axis=1)
        drawn = ops.cast(uniform < ops.sigmoid(logits), "int32")
        return ops.slice_update(values, (0, row, column, 0), drawn[:, None, None])

    return compiled(model, step)


def main(_):
    """Prints a row a batch size."""
    model = make(28)
    pixels = 28 * 28
    print("| batch | sampling, s | forward passes | against naive |\n|---|---|---|---|")
    for batch_size in map(int, BATCH_SIZES.value):
        values = np.random.default_rng(0).integers(0, 2, (batch_size, 28, 28, 1)).astype("int32")
        uniform = np.full((batch_size, 1), 0.5, "float32")
        sample, step = sampler(model, batch_size), naive_step(model)
        forward = compiled(model, lambda v: model._outputs(v, None))

        def naive(step=step, values=values, uniform=uniform):
            for i in range(NAIVE_PIXELS.value):
                values = step(values, uniform, np.int32(14), np.int32(i))
            return values

        runs = (sample, lambda f=forward, v=values: f(v), naive)
        for run in runs:
            run()
        times = np.array([[seconds(run) for run in runs] for _ in range(ROUNDS.value)])
        passes = statistics.median(times[:, 0] / times[:, 1])
        against = statistics.median(times[:, 2] * pixels / NAIVE_PIXELS.value / times[:, 0])
        median = statistics.median(times[:, 0])
        print(f"| {batch_size} | {median:.3f} | {passes:.1f} | {against:.0f} |", flush=True)
    for size in (28, 56):
        sample = sampler(make(size), 64)
        first, second = seconds(sample), seconds(sample)
        print(f"{size}x{size}, batch 64: {first - second:.1f} s to compile, {second:.2f} s to run")


if __name__ == "__main__":
    app.run(main)
