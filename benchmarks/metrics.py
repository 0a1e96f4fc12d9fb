"""What figures cost, of samples and of likelihoods: time, memory, and their share of a training.

    KERAS_BACKEND=torch python benchmarks/metrics.py

Each measurement is in a process of its own, whose peak of memory is printed beside what it has
after its imports.
"""

import resource
import subprocess
import sys
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen import metrics

ONLY = flags.DEFINE_string("only", None, "The measurement of this process.")


def peak():
    """The most memory that this process ever held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def frechet():
    """The Frechet distance of 2,048 features of 10,000 images each."""
    rng = np.random.default_rng(0)
    moments = [metrics.Moments(rng.random((10_000, 2048), "float32")) for _ in range(2)]
    started = time.perf_counter()
    metrics.frechet_distance(*moments)
    print(f"a Frechet distance of 2,048 features: {time.perf_counter() - started:.1f} s")


def neighbours():
    """Precision and recall of 2,048 features of 10,000 images each."""
    fake, real = np.random.default_rng(0).random((2, 10_000, 2048), "float32")
    started = time.perf_counter()
    metrics.precision_recall(fake, real)
    print(f"precision and recall of 2,048 features: {time.perf_counter() - started:.0f} s")


def efficientnet():
    """EfficientNet-Lite0's features of a batch, and the same by Keras' convolutions."""
    features = metrics.features.EfficientNetLite0()
    ours, num = features._network, features.default_batch_size

    def plain(layer):
        kinds = [
            getattr(keras.layers, kind.__name__.strip("_"), None) for kind in type(layer).mro()
        ]
        return next(filter(None, kinds)).from_config(layer.get_config())

    theirs = keras.models.clone_model(ours, clone_function=plain)
    theirs.set_weights(ours.get_weights())
    images = np.random.default_rng(0).random((num, 224, 224, 3), "float32")
    seconds = {}
    for name, network in (("kgen", ours), ("keras", theirs)) * 4:
        started = time.process_time()
        network.predict_on_batch(images)
        seconds.setdefault(name, []).append(time.process_time() - started)
    best = {name: min(each[1:]) for name, each in seconds.items()}
    print(
        f"EfficientNet-Lite0, ms of a core an image: {best['kgen'] / num * 1e3:.0f}, by Keras' "
        f"convolutions {best['keras'] / num * 1e3:.0f}; the first batch in "
        f"{seconds['kgen'][0]:.1f} s and {seconds['keras'][0]:.1f} s"
    )


class Sampler:
    """Stands for a model: images of noise at no cost."""

    image_shape, condition, num_replicas = (32, 32, 3), None, 1

    def sample(self, num, labels=None, *, seed=None):
        """Noise."""
        return np.random.default_rng(abs(int(seed[0]))).random((num, *self.image_shape), "float32")


class Wide(metrics.features.Features):
    """Stands for FID's Inception: as many numbers of an image, at little cost."""

    name, has_classes = "noise", True

    def __init__(self):
        rng = np.random.default_rng(0)
        self._projection = rng.standard_normal((32 * 32 * 3, 2048 + 1008), "float32")

    def extract_batch(self, x, batch_size):
        y = x.reshape(len(x), -1) @ self._projection
        return metrics.features.Extracted(y[:, :2048], y[:, 2048:])


def many():
    """All default figures of 50,000 images of 32x32x3 beside 50,000, by a classifier."""
    data = _data_of_noise()
    _many(data, metrics.features.Classifier.train(data, steps=1))


def many_of_inception():
    """Two figures of as many, by 2,048 features and 1,008 logits of an image."""
    _many(_data_of_noise(), Wide(), metrics=["kid", "frechet_distance"])


def _data_of_noise():
    images = np.random.default_rng(0).integers(0, 256, (60_000, 32, 32, 3), "uint8")
    return kgen.data.load((images, np.arange(60_000) % 10), batch_size=500)


def _many(data, features, **names):
    started = time.perf_counter()
    evaluation = metrics.Evaluation(data, features=features, num=50_000, split="train", **names)
    evaluation(Sampler())
    print(f"50,000 images of 32x32x3 beside 50,000: {time.perf_counter() - started:.0f} s")


def share():
    """A DCGAN of 28x28 with `Evaluate` at its default."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4_000, 28, 28, 1), "uint8")
    data = kgen.data.load((images, np.arange(4_000) % 10), batch_size=128)
    features = metrics.features.Classifier.train(data, steps=1)
    gan = kgen.DCGAN(data.image_shape, seed=0)
    gan.compile()
    evaluate = kgen.callbacks.Evaluate(data, features=features)
    gan.fit(data.train, epochs=30, verbose=0, callbacks=[evaluate])


def bound_of_vae():
    """Log p(x) of a VAE by many samples."""
    _bound(kgen.VAE((28, 28, 1), seed=0))


def bound_of_ladder_vae():
    """Log p(x) of a ladder VAE by as many."""
    _bound(kgen.LadderVAE((28, 28, 1), seed=0))


def _bound(model):
    images = np.random.default_rng(0).random((100, 28, 28, 1), "float32")
    model.log_likelihood(images, num_samples=64, seed=0)
    of_few, started = peak(), time.perf_counter()
    model.log_likelihood(images, num_samples=5000, seed=0)
    seconds = time.perf_counter() - started
    name = type(model).__name__
    print(f"5,000 samples of log p(x) of 100 images, {name}: {seconds:.1f} s; of 64 {of_few:,} MiB")


def main(_):
    """Runs each measurement in a process."""
    if ONLY.value:
        before = peak()
        globals()[ONLY.value]()
        print(f"    {peak():,} MiB at most, {before:,} after the imports")
        return
    print(keras.backend.backend(), flush=True)
    of_samples = frechet, neighbours, efficientnet, many, many_of_inception, share
    for each in (*of_samples, bound_of_vae, bound_of_ladder_vae):
        subprocess.run([sys.executable, __file__, f"--only={each.__name__}"], check=True)


if __name__ == "__main__":
    app.run(main)
