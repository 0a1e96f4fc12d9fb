"""The VAE of Burda et al. 2015 in their own setting, to compare with their own number.

    KERAS_BACKEND=jax python benchmarks/published_vae.py --data_dir ~/tensorflow_datasets

784-200-200-50 with tanh, images binarized anew in each step, batches of 20, Adam, and eight
stages of 3^i epochs, i = 0 ... 7, at a rate of 1e-3 * 10^(-i/7): 3,280 epochs, some hours. The
paper's table 1 has 86.76 nats for one stochastic layer and k = 1, as -log p(x) by 5,000 samples an
image. It goes on where it stopped, and prints the figures at the end of each stage: -ELBO, and the
bounds of k = 5 and of `--samples`.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen

DATA_DIR = flags.DEFINE_string("data_dir", None, "Where TFDS finds or puts MNIST.")
RUN = flags.DEFINE_string("run", "runs/published_vae", "Gets the backups and the figures.")
STAGES = flags.DEFINE_integer("stages", 8, "Stages to train.", lower_bound=1)
SAMPLES = flags.DEFINE_integer("samples", 5000, "Of each test image, for its bound.")

ENDS = np.cumsum(3 ** np.arange(8))  # the epochs behind each stage


def rate(epoch, _):
    """The stage's."""
    return float(1e-3 * 10 ** (-np.searchsorted(ENDS, epoch, side="right") / 7))


def figures(vae, images, samples):
    """Nats an image, on average, with the standard error of the mean."""
    found = {"-ELBO": -vae.elbo(images, seed=0)}
    for k in (5, samples):
        found[f"k = {k}"] = -vae.log_likelihood(images, num_samples=k, seed=0)
    return {
        name: (float(np.mean(nats)), float(np.std(nats, ddof=1) / np.sqrt(len(nats))))
        for name, nats in found.items()
    }


def main(_):
    """Trains stage by stage, and prints the figures of each."""
    keras.utils.set_random_seed(0)
    data = kgen.data.load("mnist", batch_size=20, data_dir=DATA_DIR.value)
    images, _ = data.test.take()
    vae = kgen.VAE(data.image_shape, latent_dim=50, seed=0)
    vae.adapt(data.train)
    vae.compile(steps_per_execution=50)
    os.makedirs(RUN.value, exist_ok=True)
    backup = kgen.callbacks.Backup(os.path.join(RUN.value, "checkpoint"), every_seconds=300)
    schedule = keras.callbacks.LearningRateScheduler(rate)
    for stage, end in enumerate(ENDS[: STAGES.value]):
        started = time.monotonic()
        vae.fit(data.train, epochs=int(end), verbose=0, callbacks=[schedule, backup])
        seconds = time.monotonic() - started
        found = figures(vae, images, SAMPLES.value if stage == len(ENDS) - 1 else 100)
        line = f"stage {stage}, {end} epochs, {seconds:.0f} s: " + ", ".join(
            f"{name} {mean:.2f} ± {error:.2f}" for name, (mean, error) in found.items()
        )
        print(line, flush=True)
        with open(os.path.join(RUN.value, "figures.txt"), "a") as file:
            file.write(line + "\n")
    vae.save(os.path.join(RUN.value, "model.keras"))
    kgen.pictures.grid(vae.sample(100, seed=0), path=os.path.join(RUN.value, "samples.png"))


if __name__ == "__main__":
    app.run(main)
