"""The conditional GAN of Mirza & Osindero 2014 on MNIST, with DCGAN's networks.

    python examples/conditional_gan_mnist.py --data_dir ~/tensorflow_datasets

https://arxiv.org/abs/1411.1784, batches of 128. A classifier of the size of LeNet, which this
trains too, tells how often a sample is of the digit that was asked for.

One shared CPU core, TensorFlow: 24 minutes; 96.5% of 10,000 samples are of the digit that
was asked for, by a classifier that is right about 99.1% of the test images.
"""

import os

import keras
import numpy as np
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 5, "Epochs over the 60,000 images.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
OUT = flags.DEFINE_string("out", "runs/conditional_gan_mnist", "Gets the pictures and the model.")


def classifier(data):
    """Convolutions and dense layers of about LeNet-5's size, trained for four epochs."""
    images, labels = map(np.concatenate, zip(*data.train, strict=True))
    test_images, test_labels = data.test.take()
    network = keras.Sequential(
        [
            keras.Input(data.image_shape),
            keras.layers.Conv2D(12, 5, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(24, 5, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(120, activation="relu"),
            keras.layers.Dense(84, activation="relu"),
            keras.layers.Dense(data.num_classes),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, 4 * len(data.train))
    network.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    network.fit(images / 255.0, labels, batch_size=128, epochs=4, verbose=0)
    _, accuracy = network.evaluate(test_images / 255.0, test_labels, verbose=0)
    print(f"classifier: {100 * accuracy:.2f}% of the test images")
    return network


def main(_):
    """Trains and draws."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", batch_size=128, data_dir=DATA_DIR.value)
    gan = kgen.ConditionalGAN(data.image_shape, data.num_classes, seed=0)
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
    labels = np.arange(10_000) % 10
    found = classifier(data).predict(gan.sample(10_000, labels, seed=1), verbose=0).argmax(axis=1)
    print(f"samples of the digit that was asked for: {100 * np.mean(found == labels):.1f}%")


if __name__ == "__main__":
    app.run(main)
