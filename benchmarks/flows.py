"""Flows: sampling against forward passes of the bare network.

    KERAS_BACKEND=jax python benchmarks/flows.py

Glow's and Real NVP's presets of 28x28; three samples of a batch in turns with three passes.
"""

import keras
import numpy as np
from absl import app, flags
from alternating import alternated
from keras import ops

import kgen
from kgen import backend

BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images at a time.")
ROUNDS = flags.DEFINE_integer("rounds", 9, "Alternations.")
SHAPE = (28, 28, 1)


def measure(model):
    """A sample, and the inverse alone, against the pass from images to noise."""
    num, rng = BATCH_SIZE.value, np.random.default_rng(0)
    x = rng.standard_normal((num, *SHAPE)).astype("float32")
    z = rng.standard_normal((num, model.latent_dim)).astype("float32")
    forward = backend.compile_function(model, lambda x: model.network(x))
    inverse = backend.compile_function(model, lambda z: model.network.inverse(z))

    def passes():
        for _ in range(3):
            ops.convert_to_numpy(forward(x)[0])

    def back():
        for _ in range(3):
            ops.convert_to_numpy(inverse(z))

    def samples():
        for _ in range(3):
            model.sample(num, seed=0, batch_size=num)

    alternated("inverse / forward", back, passes, ROUNDS.value)
    alternated("sample / forward", samples, passes, ROUNDS.value)


def main(_):
    """Measures and prints."""
    for model_class in (kgen.Glow, kgen.RealNVP):
        model = model_class(SHAPE, seed=0)
        parameters = model.network.count_params()
        print(f"{keras.backend.backend()}, {model_class.__name__}, {parameters:,} parameters")
        measure(model)


if __name__ == "__main__":
    app.run(main)
