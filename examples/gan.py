"""Any GAN of kgen on MNIST or other images, in its paper's setting or near it.

    python examples/gan.py --model dcgan --data_dir ~/tensorflow_datasets

With TensorFlow on one shared CPU core; "readable" are samples that a person reads as digits:

| --model | paper | epochs | minutes | what came out |
|---|---|---|---|---|
| gan | https://arxiv.org/abs/1406.2661 | 30 | 21 | four in five readable, with rough edges; the discriminator is right about 69% of real images and 75% of fakes |
| dcgan | https://arxiv.org/abs/1511.06434 | 8 | 33 | two thirds readable |
| dcgan --dataset cifar10 --epochs 4 | the same | 4 | 27 | grass, sky, sea and road with something in the middle, no two images alike; too few epochs for objects |
| lsgan | https://arxiv.org/abs/1611.04076 | 4 | 14 | two thirds readable |
| wgan | https://arxiv.org/abs/1701.07875 | 8 | 17 | half readable |
| wgan_gp | https://arxiv.org/abs/1704.00028 | 6 | 45 | seven in ten readable |
| cgan | https://arxiv.org/abs/1411.1784 | 5 | 24 | 96.5% of 10,000 samples are of the digit that was asked for, by a classifier of about LeNet-5's size, right about 99.1% of the test images |
| infogan | https://arxiv.org/abs/1606.03657 | 6 | 34 | a digit a category, without labels: 5.1% of the test images get another one; the paper reports 5% |

Batches, networks and optimizers are the papers', but for these. WGAN: at the paper's rate of 5e-5
the generator draws strokes after 940 of its steps; these are 1,500 at 3e-4. WGAN-GP: where the
authors make 200,000 steps of the generator at 1e-4, these are 1,440, at 4e-4 and falling to 0.
InfoGAN: lambda is 0.1; with the authors' 1 two categories mix 7 and 9, and the error after 10
epochs is 10.7%. Samples of those with `ema_decay` are of averaged weights.
"""  # noqa: E501

import os

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen.models.optimizers import with_learning_rate

# The class, the epochs, the learning rate where it is not the paper's, and what else it is given.
SETTINGS = {
    "gan": (kgen.GAN, 30, None, {}),
    "dcgan": (kgen.DCGAN, 8, None, {"ema_decay": 0.999}),
    "lsgan": (kgen.LSGAN, 4, None, {"ema_decay": 0.999}),
    "wgan": (kgen.WGAN, 8, 3e-4, {"ema_decay": 0.99}),
    "wgan_gp": (kgen.WGANGP, 6, 4e-4, {"ema_decay": 0.99}),
    "cgan": (kgen.ConditionalGAN, 5, None, {}),
    "infogan": (kgen.InfoGAN, 6, None, {"info_weight": 0.1}),
}

MODEL = flags.DEFINE_enum("model", "dcgan", list(SETTINGS), "The GAN.")
DATASET = flags.DEFINE_string("dataset", "mnist", "What kgen.data.load takes: a name, a folder ...")
EPOCHS = flags.DEFINE_integer("epochs", None, "Epochs; by default those of the table.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts the images.")
SAMPLES = flags.DEFINE_integer("samples", 10_000, "Samples of a conditional GAN that are measured.")
OUT = flags.DEFINE_string(
    "out", None, "Gets pictures and the model; by default runs/MODEL_DATASET."
)


def train(data, epochs, out):
    """The model of the flags, trained."""
    model_class, _, learning_rate, arguments = SETTINGS[MODEL.value]
    if model_class is kgen.ConditionalGAN:
        arguments = arguments | {"condition": data.condition}
    if model_class is kgen.WGANGP:
        arguments = arguments | {"decay_steps": epochs * len(data.train)}
    gan = model_class(data.image_shape, seed=0, **arguments)
    if model_class is kgen.GAN:
        gan.adapt(data.train)
    optimizers = gan.default_optimizers()
    gan.compile(
        optimizers if learning_rate is None else with_learning_rate(optimizers, learning_rate)
    )
    gan.fit(
        data.train,
        epochs=epochs,
        shuffle=False,
        callbacks=[
            kgen.callbacks.StopOnNaN(),
            kgen.callbacks.StuckDiscriminator(),
            kgen.callbacks.SampleGrid(f"{out}/samples"),
            keras.callbacks.CSVLogger(f"{out}/history.csv"),
        ],
    )
    gan.save(f"{out}/model.keras")
    return gan


def draw(gan, out):
    """Pictures of what a GAN learned."""
    kgen.pictures.samples(gan, 100, seed=0, path=f"{out}/samples.png")
    if isinstance(gan, kgen.InfoGAN):
        kgen.pictures.codes(gan, seed=0, path=f"{out}/codes.png")
    elif gan.condition is None:
        start, end = gan.draw_latents(16, seed=1).reshape(2, 8, -1)
        kgen.pictures.interpolation(gan, start, end, path=f"{out}/interpolation.png")


def obedience(gan, data):
    """How often a classifier finds the class that a conditional GAN was asked for."""
    labels = np.arange(SAMPLES.value) % data.num_classes
    images = gan.sample(SAMPLES.value, labels, seed=1)
    classifier = kgen.metrics.features.Classifier.train(data)
    print(f"classifier: {classifier.accuracy:.2%} of the test images")
    return np.mean(classifier.extract(images).logits.argmax(axis=1) == labels)


def error(gan, data):
    """How often an InfoGAN's category is of another class, by its most frequent, of test images."""
    counts = np.zeros((gan.categorical[0], data.num_classes))
    for images, labels in data.train:
        np.add.at(counts, (gan.infer_codes(images)[:, 0].astype(int), labels), 1)
    class_of = counts.argmax(axis=1)
    images, labels = data.test.take()
    return np.mean(class_of[gan.infer_codes(images)[:, 0].astype(int)] != labels)


def main(_):
    """Trains, draws and measures."""
    keras.utils.set_random_seed(0)
    model_class, epochs, *_ = SETTINGS[MODEL.value]
    out = OUT.value or f"runs/{MODEL.value}_{os.path.basename(DATASET.value)}"
    os.makedirs(out, exist_ok=True)
    batch_size = model_class.default_batch_size
    data = kgen.data.load(DATASET.value, batch_size=batch_size, data_dir=DATA_DIR.value)
    gan = train(data, EPOCHS.value or epochs, out)
    draw(gan, out)
    if isinstance(gan, kgen.ConditionalGAN):
        print(f"samples of the class that was asked for: {100 * obedience(gan, data):.1f}%")
    if isinstance(gan, kgen.InfoGAN) and data.num_classes:
        print(f"test images whose category is of another class: {100 * error(gan, data):.1f}%")


if __name__ == "__main__":
    app.run(main)
