"""The Wasserstein GAN of Arjovsky et al. 2017 on MNIST.

    python examples/wgan_mnist.py --data_dir ~/tensorflow_datasets

A critic with clipped weights, five steps of it on 64 images each for one of the generator
(https://arxiv.org/abs/1701.07875). At the paper's rate of 5e-5 the generator draws strokes after
940 of its steps; these are 1,500 at 3e-4. Samples are of averaged weights. One shared CPU core,
TensorFlow: 17 minutes. About half of the samples are digits that a person reads.
"""

import os

import keras
from absl import app, flags

import kgen
from kgen.models.optimizers import with_learning_rate

EPOCHS = flags.DEFINE_integer("epochs", 8, "Epochs over the 60,000 images.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", "runs/wgan_mnist", "Gets the pictures and the model.")


def main(_):
    """Trains and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", batch_size=5 * 64, data_dir=DATA_DIR.value)
    gan = kgen.WGAN(data.image_shape, ema_decay=0.99, seed=0)
    gan.compile(with_learning_rate(gan.default_optimizers(), 3e-4))
    os.makedirs(OUT.value, exist_ok=True)
    gan.fit(
        data.train,
        epochs=EPOCHS.value,
        shuffle=False,
        callbacks=[
            kgen.callbacks.StopOnNaN(),
            kgen.callbacks.SampleGrid(f"{OUT.value}/samples"),
            keras.callbacks.CSVLogger(f"{OUT.value}/history.csv"),
        ],
    )
    gan.save(f"{OUT.value}/model.keras")
    kgen.pictures.samples(gan, 100, seed=0, path=f"{OUT.value}/samples.png")
    start, end = gan.draw_latents(16, seed=1).reshape(2, 8, -1)
    kgen.pictures.interpolation(gan, start, end, path=f"{OUT.value}/interpolation.png")


if __name__ == "__main__":
    app.run(main)
