"""The PixelCNNs of van den Oord et al. 2016 on binarized MNIST: exact likelihoods.

    python examples/pixel_cnn_mnist.py --data_dir ~/tensorflow_datasets [--model gated_pixelcnn]

The paper's network for MNIST (https://arxiv.org/abs/1601.06759), 16 channels in 7 residual blocks,
26,433 parameters, or its PixelRNN; or that of https://arxiv.org/abs/1606.05328 of the same size; or
PixelCNN++ (https://arxiv.org/abs/1701.05517). With `--conditional` all but the first are told the
digit. Batches of 32; grey values are binarized anew in each step ("dynamic"): not comparable with
the fixed binarization. The rate falls over the epochs. It resumes where it was stopped.

Two epochs, 3,750 steps, on one shared CPU core, TensorFlow, nats on the first 1,000 test images:
PixelCNN 91.45 in 6 minutes; gated, 25,225 parameters, 90.31 in 8. Told the digit, after one epoch
at a rate that had fallen to half, 88.40. With `--width 16`, 44,321 parameters, ten epochs of the
gated one take an hour and come to 86.07, at a rate still at half: strokes are clean then, and about
half of the samples readable digits.

PixelRNN, the same two epochs, JAX, nats on all test images: two Row LSTMs of 16 channels, 22,337
parameters, 88.48, where the PixelCNN comes to 91.44; two Diagonal BiLSTMs, 20,417 parameters,
85.69, at twice its time; most samples of these are digits.

PixelCNN++, 544,441 parameters, TensorFlow, one shared core: 80.65 nats on all test images after one
epoch in 22 minutes, 79.84 after two, 79.52 on the first 1,000 after 4,904 steps, at a rate that was
to fall over six epochs. Nearly all samples are digits. With JAX a step takes two and a half times
as long.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen

MODELS = ("pixelcnn", "gated_pixelcnn", "pixelcnn_plus_plus", "pixelrnn")

MODEL = flags.DEFINE_enum("model", "pixelcnn", MODELS, "Which of them.")
CONDITIONAL = flags.DEFINE_boolean("conditional", False, "Tell it the digit, but no PixelCNN.")
CELL = flags.DEFINE_enum("cell", "diagonal", ["row", "diagonal"], "The LSTMs of a PixelRNN.")
DEPTH = flags.DEFINE_integer("depth", 2, "How many LSTMs.")
SUBSAMPLING = flags.DEFINE_integer("subsampling", 1, "Above 1 a PixelRNN of two scales.")
WIDTH = flags.DEFINE_integer("width", None, "By default 16, 12 of the gated one, 24 of PixelCNN++.")
EPOCHS = flags.DEFINE_integer("epochs", 2, "Epochs of 1,875 steps.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", None, "Gets pictures and model. Defaults to runs/MODEL-mnist.")


def make(image_shape, num_classes):
    """The model."""
    given = {"image_shape": image_shape, "levels": 2, "seed": 0}
    if MODEL.value == "pixelcnn":
        return kgen.PixelCNN(**given, width=WIDTH.value or 16)
    given["num_classes"] = num_classes
    if MODEL.value == "gated_pixelcnn":
        return kgen.GatedPixelCNN(**given, width=WIDTH.value or 12, depth=7)
    if MODEL.value == "pixelrnn":
        own = {"cell": CELL.value, "depth": DEPTH.value, "subsampling": SUBSAMPLING.value}
        return kgen.PixelRNN(**given, **own, width=WIDTH.value or 16)
    return kgen.PixelCNNPlusPlus(**given, width=WIDTH.value, dropout=0.0, ema_decay=0.999)


def main(_):
    """Trains, evaluates and draws."""
    keras.utils.set_random_seed(0)
    out = OUT.value or f"runs/{MODEL.value}-mnist"
    os.makedirs(out, exist_ok=True)
    data = kgen.data.load("mnist", batch_size=32, data_dir=DATA_DIR.value)
    images, labels = data.test.take(1000)
    labels = labels if CONDITIONAL.value else None
    model = make(data.image_shape, data.num_classes if CONDITIONAL.value else None)
    start = 2e-3 if MODEL.value == "pixelcnn_plus_plus" else 3e-3
    rate = keras.optimizers.schedules.CosineDecay(start, EPOCHS.value * len(data.train))
    model.compile(keras.optimizers.Adam(rate))
    print(f"{model.network.count_params():,} parameters")
    started = time.time()
    model.fit(
        data.train,
        epochs=EPOCHS.value,
        shuffle=False,
        validation_data=data.test,
        callbacks=[
            kgen.callbacks.Backup(f"{out}/checkpoint", every_seconds=300),
            kgen.callbacks.StopOnNaN(),
            kgen.callbacks.SampleGrid(f"{out}/samples"),
            keras.callbacks.CSVLogger(f"{out}/history.csv", append=True),
        ],
    )
    print(f"{EPOCHS.value} epochs: {time.time() - started:.0f} s")
    nll = -model.log_likelihood(images, labels, seed=0).mean()
    print(f"first 1,000 test images: {nll:.2f} nats")
    model.save(f"{out}/model.keras")
    kgen.pictures.samples(model, 100, seed=0, path=f"{out}/samples.png")
    lower_half = np.repeat([False, True], 14)[:, None].repeat(28, axis=1)
    kgen.pictures.completions(
        model,
        images[:10],
        lower_half,
        None if labels is None else labels[:10],
        copies=8,
        seed=0,
        path=f"{out}/completions.png",
    )


if __name__ == "__main__":
    app.run(main)
