"""PixelVAE of Gulrajani et al. 2016 on binarized MNIST, beside the PixelCNN that it ends in.

    python examples/pixel_vae_mnist.py --data_dir ~/tensorflow_datasets
    python examples/pixel_vae_mnist.py --without_code --data_dir ~/tensorflow_datasets

The first command trains the model, says how its bound splits into reconstruction and divergence,
and draws digits: samples, test images with what their codes make of them, and codes on the way
between two. The second trains the PixelCNN alone. The divergence's weight grows for the first
quarter of the steps. MNIST's grey values are binarized anew in each step.

With JAX, five epochs, seed 0: the PixelVAE has on the test images a bound of -83.57 nats, of which
74.84 are the reconstruction and 8.73 the divergence, and on the first 1,000 one of -81.78 of 100
samples; the PixelCNN alone, as shallow as that, -93.98. They have 1,289,681 and 14,481 weights, of
the first most are in encoder and decoder, and took 64 and 28 minutes on a shared core. A code has
the digit, its slant and its thickness; other numbers that draw the pixels change the edge of the
stroke, and of a code between digits which of them it is.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 5, "Epochs over the 60,000 images.")
LATENT_DIM = flags.DEFINE_integer("latent_dim", 32, "Length of the code.")
WIDTH = flags.DEFINE_integer("width", 16, "Channels of the PixelCNN's stacks, and others' least.")
DEPTH = flags.DEFINE_integer("depth", 2, "The PixelCNN's blocks after the first.")
WITHOUT_CODE = flags.DEFINE_boolean("without_code", False, "The PixelCNN alone.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", "runs/pixel_vae_mnist", "Gets the pictures and the model.")

BATCH_SIZE = 50


def make(image_shape, steps):
    """The PixelVAE, or the PixelCNN that it ends in."""
    if WITHOUT_CODE.value:
        return kgen.GatedPixelCNN(
            image_shape, levels=2, width=WIDTH.value, depth=DEPTH.value, seed=0
        )
    return kgen.PixelVAE(
        image_shape,
        LATENT_DIM.value,
        levels=2,
        width=WIDTH.value,
        pixel_width=WIDTH.value,
        pixel_depth=DEPTH.value,
        warmup=steps // 4,
        seed=0,
    )


def evaluate(model, images):
    """Prints what the model says of test images, in nats."""
    if WITHOUT_CODE.value:
        print(f"log-likelihood: {model.log_likelihood(images, seed=0).mean():.2f} nats")
        return
    found = model.evaluate(images, verbose=0, return_dict=True)
    split = found["reconstruction_loss"], found["kl_loss"]
    print("reconstruction {:.2f}, divergence {:.2f} nats".format(*split))
    bound = model.log_likelihood(images[:1000], num_samples=100, seed=0)
    print(f"IS-100, first 1,000 test images: {bound.mean():.2f} nats")


def main(_):
    """Trains, evaluates and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", batch_size=BATCH_SIZE, data_dir=DATA_DIR.value)
    test_images, _ = data.test.take()
    model = make(data.image_shape, EPOCHS.value * len(data.train))
    model.compile()
    os.makedirs(OUT.value, exist_ok=True)
    print(f"{sum(np.prod(v.shape) for v in model.trainable_variables):,} weights")
    started = time.time()
    log = keras.callbacks.CSVLogger(f"{OUT.value}/history.csv")
    model.fit(data.train, epochs=EPOCHS.value, shuffle=False, callbacks=[log])
    print(f"{EPOCHS.value} epochs: {time.time() - started:.0f} s", flush=True)
    model.save(f"{OUT.value}/model.keras")
    for name, picture in model.report(data).items():
        picture.save(f"{OUT.value}/{name}")
    if not WITHOUT_CODE.value:
        ways = model.interpolate(test_images[:8], test_images[8:16], steps=11, temperature=0.8)
        kgen.pictures.grid(
            ways.reshape(-1, *data.image_shape), columns=11, path=f"{OUT.value}/ways.png"
        )
        z = model.draw_latents(8, seed=0).repeat(8, axis=0)
        kgen.pictures.grid(model.decode(z), columns=8, path=f"{OUT.value}/same-code.png")
    evaluate(model, test_images)


if __name__ == "__main__":
    app.run(main)
