"""The DCGAN of Radford et al. 2015 on CIFAR-10.

    python examples/dcgan_cifar10.py --data_dir ~/tensorflow_datasets

Strided convolutions and batch normalization (https://arxiv.org/abs/1511.06434), batches of 128.
Samples are of averaged weights. One shared CPU core, TensorFlow: 27 minutes. Grass, sky, sea and
road with something in the middle, no two images alike; four epochs are too few for objects.
"""

import os

import keras
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 4, "Epochs over the 50,000 images.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts CIFAR-10.")
OUT = flags.DEFINE_string("out", "runs/dcgan_cifar10", "Gets the pictures and the model.")


def main(_):
    """Trains and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("cifar10", batch_size=128, data_dir=DATA_DIR.value)
    gan = kgen.DCGAN(data.image_shape, ema_decay=0.999, seed=0)
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
