"""BiGAN on MNIST: how much of a digit is in the code that nobody reconstructs.

    python examples/bigan_mnist.py --data_dir ~/tensorflow_datasets --epochs 25
    python examples/bigan_mnist.py --data_dir ~/tensorflow_datasets --stochastic

Donahue et al. 2016 (https://arxiv.org/abs/1605.09782), and with --stochastic Dumoulin et al. 2016,
of dense layers. The code is judged by its nearest neighbour among the 60,000 training images' and
by a linear probe.

With `--epochs 15`, JAX on one shared core, seed 0, in 187 seconds: the nearest neighbour is of the
image's class for 93.33% of the test images, the linear probe is right for 84.27%. Reconstructions
are often of the same digit, and samples are rough.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 25, "Epochs over the 60,000 images.")
WIDTH = flags.DEFINE_integer("width", 256, "Units of each layer.")
STOCHASTIC = flags.DEFINE_bool("stochastic", False, "Whether the encoder draws its codes.")
SEED = flags.DEFINE_integer("seed", 0, "Of weights, noise and order.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", "runs/bigan_mnist", "Gets the pictures and the model.")


def accuracy_of_neighbours(codes, labels, test_codes, test_labels, at_a_time=500):
    """The share of test codes whose nearest training code is of their class."""
    squares = np.sum(codes**2, axis=1)
    right = 0
    for start in range(0, len(test_codes), at_a_time):
        part = slice(start, start + at_a_time)
        nearest = np.argmin(squares - 2.0 * test_codes[part] @ codes.T, axis=1)
        right += np.sum(labels[nearest] == test_labels[part])
    return right / len(test_codes)


def main(_):
    """Trains, measures and draws."""
    keras.utils.set_random_seed(SEED.value)
    data = kgen.data.load("mnist", data_dir=DATA_DIR.value)
    images, labels = data.train.take()
    test_images, test_labels = data.test.take()
    model = kgen.BiGAN(
        data.image_shape, 50, stochastic=STOCHASTIC.value, width=WIDTH.value, seed=SEED.value
    )
    model.compile()
    os.makedirs(OUT.value, exist_ok=True)
    started = time.time()
    model.fit(images, batch_size=128, epochs=EPOCHS.value, verbose=2)
    print(f"{EPOCHS.value} epochs: {time.time() - started:.0f} s")
    codes, test_codes = model.encode(images), model.encode(test_images)
    found = accuracy_of_neighbours(codes, labels, test_codes, test_labels)
    print(f"nearest neighbour's class: {100 * found:.2f}% of the test images right")
    found = kgen.metrics.linear_probe(codes[:10_000], labels[:10_000], test_codes, test_labels)
    print(f"linear probe of 10,000 codes: {100 * found:.2f}% right")
    model.save(f"{OUT.value}/model.keras")
    kgen.pictures.grid(model.sample(100, seed=0), columns=10, path=f"{OUT.value}/samples.png")
    kgen.pictures.reconstructions(model, test_images[:32], path=f"{OUT.value}/reconstructions.png")


if __name__ == "__main__":
    app.run(main)
