"""What the trained models of saved_models/ reach on MNIST.

    PYTHONPATH=. python benchmarks/trained_models.py --data_dir ~/tensorflow_datasets

kgen's own classifier of MNIST, which this trains first, is the extractor: of 10,000 samples

- the Frechet distance of its 64 last features to those of the 10,000 test images, with that of as
  many training images beside it, which no model can be asked to beat;
- how often it finds the digit that was asked for; of an InfoGAN, by the majority's digit of each
  category;
- the classes' share that is farthest from the test images'.

Each for three seeds. Likelihoods are of the first test images: a VAE's importance-weighted bound,
a PixelCNN's sum over the ten classes.
"""

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen.metrics import frechet_distance
from kgen.metrics.features import Classifier
from kgen.metrics.real import evenly

DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
MODELS = flags.DEFINE_list(
    "models",
    [f"mnist_{name}" for name in ("vae", "dcgan", "lsgan", "wgan_gp", "cgan", "infogan")],
    "The models whose samples are judged.",
)
NUM = flags.DEFINE_integer("num", 10_000, "Samples.")
NUM_LIKELIHOODS = flags.DEFINE_integer("num_likelihoods", 1000, "Test images of likelihoods.")
SEEDS = (1, 2, 3)


def spread(values):
    """Mean and standard deviation over the seeds, as words."""
    return f"{np.mean(values):.3g} +- {np.std(values, ddof=1):.2g}"


def judge(name, classifier, real, shares):
    """Prints a row on the samples of one model."""
    model = kgen.load(name)
    distances, right, farthest = [], [], []
    for seed in SEEDS:
        asked = None if model.condition is None else np.arange(NUM.value) % 10
        if isinstance(model, kgen.InfoGAN):
            asked = np.arange(NUM.value) % 10
            numbers = model.draw_latents(NUM.value, seed=seed)[:, -model.continuous :]
            codes = np.concatenate([asked[:, None], numbers], axis=1)
            images = model.sample(NUM.value, codes=codes, seed=seed)
        else:
            images = model.sample(NUM.value, asked, seed=seed)
        features, logits = classifier.extract(images)
        found = logits.argmax(axis=1)
        distances.append(frechet_distance(features, real))
        counts = np.bincount(found, minlength=10) / NUM.value
        farthest.append(np.abs(counts - shares).max())
        if asked is not None:
            table = np.zeros((10, 10), int)
            np.add.at(table, (asked, found), 1)
            is_asked = model.condition is not None
            right.append((np.trace(table) if is_asked else table.max(axis=1).sum()) / NUM.value)
    asked_for = spread(100.0 * np.array(right)) if right else ""
    print(
        f"| {name} | {spread(distances)} | {asked_for} | {spread(100.0 * np.array(farthest))} |",
        flush=True,
    )


def main(_):
    """Prints everything."""
    keras.utils.disable_interactive_logging()
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", data_dir=DATA_DIR.value)
    test_images, test_labels = data.test.take()
    classifier = Classifier.train(data)
    print(f"classifier: {classifier.accuracy:.2%} of the test images\n")
    real = classifier.extract(test_images).features
    shares = np.bincount(test_labels, minlength=10) / len(test_labels)
    floor = frechet_distance(classifier.extract(evenly(data.train, NUM.value)[0]).features, real)
    print("| | Frechet distance | % of the digit asked for | farthest share, % |")
    print("|---|---|---|---|")
    print(f"| training images | {floor:.3g} | | |", flush=True)
    for name in MODELS.value:
        judge(name, classifier, real, shares)

    first, num = test_images[: NUM_LIKELIHOODS.value], NUM_LIKELIHOODS.value
    vae = kgen.load("mnist_vae")
    bounds = vae.log_likelihood(first, num_samples=1000, seed=0)
    print(f"\nmnist_vae: IS-1000 of the first {num:,} test images {bounds.mean():.2f} nats")
    model = kgen.load("mnist_gated_pixelcnn")
    of_classes = [model.log_likelihood(first, np.full(num, label), seed=0) for label in range(10)]
    nats = np.logaddexp.reduce(of_classes, axis=0) - np.log(10.0)
    given = np.array(of_classes)[test_labels[:num], np.arange(num)]
    guessed = np.mean(np.argmax(of_classes, axis=0) == test_labels[:num])
    print(
        f"mnist_gated_pixelcnn: log p(x) of the same {nats.mean():.2f}, log p(x|y) "
        f"{given.mean():.2f} nats; its likeliest class is the right one of {100 * guessed:.1f}%"
    )


if __name__ == "__main__":
    app.run(main)
