"""A small gated PixelCNN, or PixelCNN++, on CIFAR-10: all 256 levels of three colours.

    python examples/pixel_cnn_cifar10.py [--model pixelcnn_plus_plus] --data_dir DIR

The gated one (https://arxiv.org/abs/1606.05328) reaches 3.03 bits/dim in the paper. The preset has
15 blocks of 128 channels after the first, this one 5 of 48. Batches of 16. One shared CPU core,
TensorFlow: 20 minutes, 4.07 bits/dim on the first 1,000 test images. Samples are smooth regions of
colour without objects; completions keep the upper half's colours and edges for some rows.

PixelCNN++ (https://arxiv.org/abs/1701.05517; there 2.92), 970,788 parameters: 3.228 bits/dim after
as many steps of 0.57 s of a core, 35 minutes beside other work. Its samples are patches of texture.
Of those at a temperature of 1 a third falls into saturated noise somewhere, which it does not leave
then, of 32 at 0.9 five, at 0.8 one; completions show the same.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen.losses import bits_per_dim

MODELS = ("gated_pixelcnn", "pixelcnn_plus_plus")

MODEL = flags.DEFINE_enum("model", "gated_pixelcnn", MODELS, "Which of them.")
EPOCHS = flags.DEFINE_integer("epochs", 8, "Epochs of 250 steps.", upper_bound=12)  # a pass
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts CIFAR-10.")
OUT = flags.DEFINE_string("out", None, "Gets pictures and model. Defaults to runs/MODEL-cifar10.")


def make(image_shape):
    """The model."""
    if MODEL.value == "pixelcnn_plus_plus":
        sizes = {"width": 32, "depth": 2, "dropout": 0.0, "ema_decay": 0.99}
        return kgen.PixelCNNPlusPlus(image_shape, **sizes, seed=0)
    network = kgen.networks.gated_pixel_cnn(image_shape, 256, filters=48, blocks=5, head=96)
    return kgen.GatedPixelCNN(image_shape, network=network, seed=0)


def main(_):
    """Trains, evaluates and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("cifar10", batch_size=16, data_dir=DATA_DIR.value)
    images, _ = data.test.take(1000)
    model = make(data.image_shape)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS.value * 250)
    model.compile(keras.optimizers.Adam(rate))
    print(f"{model.network.count_params():,} parameters")
    out = OUT.value or f"runs/{MODEL.value}-cifar10"
    os.makedirs(out, exist_ok=True)
    started = time.time()
    model.fit(
        data.train,
        epochs=EPOCHS.value,
        steps_per_epoch=250,
        shuffle=False,
        callbacks=[
            kgen.callbacks.StopOnNaN(),
            keras.callbacks.CSVLogger(f"{out}/history.csv"),
        ],
    )
    print(f"{EPOCHS.value} epochs: {time.time() - started:.0f} s")
    nll = -model.log_likelihood(images).mean()
    print(f"first 1,000 test images: {bits_per_dim(nll, data.image_shape):.3f} bits/dim")
    model.save(f"{out}/model.keras")
    kgen.pictures.samples(model, 64, seed=0, path=f"{out}/samples.png")
    lower_half = np.repeat([False, True], 16)[:, None].repeat(32, axis=1)
    kgen.pictures.completions(
        model, images[:8], lower_half, copies=6, seed=0, path=f"{out}/completions.png"
    )


if __name__ == "__main__":
    app.run(main)
