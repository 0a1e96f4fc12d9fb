"""The GAN of Goodfellow et al. 2014 on MNIST.

    python examples/gan_mnist.py --data_dir ~/tensorflow_datasets

Perceptrons, maxout and dropout, and momentum SGD (https://arxiv.org/abs/1406.2661), batches of 100.
One shared CPU core, TensorFlow: 21 minutes. About four in five samples are digits that a person
reads, with rough edges; the discriminator is right about 69% of real images and 75% of fakes.
"""

import os

import keras
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 30, "Epochs over the 60,000 images.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", "runs/gan_mnist", "Gets the pictures and the model.")


def main(_):
    """Trains and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", batch_size=100, data_dir=DATA_DIR.value)
    gan = kgen.GAN(data.image_shape, seed=0)
    gan.adapt(data.train)
    gan.compile()
    os.makedirs(OUT.value, exist_ok=True)
    gan.fit(
        data.train,
        epochs=EPOCHS.value,
        shuffle=False,
        callbacks=[
            kgen.callbacks.StopOnNaN(),
            kgen.callbacks.StuckDiscriminator(),
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
