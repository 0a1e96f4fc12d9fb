"""A small gated PixelCNN (van den Oord et al. 2016) on CIFAR-10: all 256 levels of three colours.

    python examples/pixel_cnn_cifar10.py --data_dir ~/tensorflow_datasets

The paper (https://arxiv.org/abs/1606.05328) reaches 3.03 bits/dim. The preset has 15 blocks of 128
channels after the first, this one 5 of 48. Batches of 16. One shared CPU core, TensorFlow: 20
minutes, 4.07 bits/dim on the first 1,000 test images. Samples are smooth regions of colour without
objects; completions keep the upper half's colours and edges for some rows.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen.losses import bits_per_dim

EPOCHS = flags.DEFINE_integer("epochs", 8, "Epochs of 250 steps.", upper_bound=12)  # a pass
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts CIFAR-10.")
OUT = flags.DEFINE_string("out", "runs/pixel_cnn_cifar10", "Gets the pictures and the model.")


def main(_):
    """Trains, evaluates and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("cifar10", batch_size=16, data_dir=DATA_DIR.value)
    images, _ = data.test.take(1000)
    network = kgen.networks.gated_pixel_cnn(data.image_shape, 256, filters=48, blocks=5, head=96)
    model = kgen.GatedPixelCNN(data.image_shape, network=network, seed=0)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS.value * 250)
    model.compile(keras.optimizers.Adam(rate))
    print(f"{network.count_params():,} parameters")
    os.makedirs(OUT.value, exist_ok=True)
    started = time.time()
    model.fit(
        data.train,
        epochs=EPOCHS.value,
        steps_per_epoch=250,
        shuffle=False,
        callbacks=[
            kgen.callbacks.StopOnNaN(),
            keras.callbacks.CSVLogger(f"{OUT.value}/history.csv"),
        ],
    )
    print(f"{EPOCHS.value} epochs: {time.time() - started:.0f} s")
    nll = -model.log_likelihood(images).mean()
    print(f"first 1,000 test images: {bits_per_dim(nll, data.image_shape):.3f} bits/dim")
    model.save(f"{OUT.value}/model.keras")
    kgen.pictures.samples(model, 64, seed=0, path=f"{OUT.value}/samples.png")
    lower_half = np.repeat([False, True], 16)[:, None].repeat(32, axis=1)
    kgen.pictures.completions(
        model, images[:8], lower_half, copies=6, seed=0, path=f"{OUT.value}/completions.png"
    )


if __name__ == "__main__":
    app.run(main)
