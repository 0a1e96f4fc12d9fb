"""A DDPM of the digits of 8x8 pixels that come with scikit-learn, in a minute of one CPU core.

    python examples/ddpm_digits.py

Squares of 2x2 pixels are one, 222,308 parameters; 90 epochs of 23 steps. A small classifier, right
about 98.7% of the test images, finds the digit that was asked for in 90.7% of the samples, with a
guidance of 1.5 in 98.3%, and of 2 in 99.0%.
"""

import keras
import numpy as np
from absl import app, flags

import kgen

EPOCHS = flags.DEFINE_integer("epochs", 90, "Epochs of 23 steps.")
OUT = flags.DEFINE_string("out", "ddpm-digits.png", "Gets the picture.")


def main(_):
    """Trains, and draws with more and more guidance."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("digits", batch_size=64)
    ddpm = kgen.DDPM(data.image_shape, width=32, patch=2, condition=data.condition, seed=0)
    ddpm.compile(keras.optimizers.Adam(2e-3, global_clipnorm=1.0))
    ddpm.fit(data.train, epochs=EPOCHS.value, verbose=2)
    classifier = kgen.metrics.features.Classifier.train(data)
    print(f"the classifier is right about {100 * classifier.accuracy:.1f}% of the test images")
    asked = np.repeat(np.arange(10), 30)
    for guidance in (1.0, 1.5, 2.0):
        made = ddpm.sample(len(asked), asked, guidance=guidance, seed=1)
        right = np.mean(classifier.extract(made).logits.argmax(axis=1) == asked)
        print(f"guidance {guidance:g}: {100 * right:.1f}% are the digit that was asked for")
    kgen.pictures.samples(ddpm, 100, seed=0, guidance=1.5, path=OUT.value)


if __name__ == "__main__":
    app.run(main)
