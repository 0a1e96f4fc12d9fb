"""The GAN of Lin et al. 2017 (PacGAN) on two mixtures, to compare with their own table 1.

    KERAS_BACKEND=jax python benchmarks/published_mixtures.py

In their own setting: a generator 2-400-400-400-400-2 with batch normalization and ReLU, a
discriminator of three layers of maxout, 200 units of 5 pieces each, weights of N(0, 0.02), Adam at
1e-4 with beta_1 0.8, batches of 100 of 100,000 points, 400 epochs, ten seeds; figures as
`benchmarks/mixtures.py` has them. A training takes more than an hour of a core: each goes on where
it stopped, and leaves a file in `--runs`.
"""

import os

import keras
import mixtures
import numpy as np
from absl import app, flags

import kgen
from kgen.whole_file import replacing

FLAGS = flags.FLAGS
FIGURES = {  # how each is written, after a factor
    "modes": (1, ".1f"),
    "high_quality": (100, ".1f"),
    "reverse_kl": (1, ".2f"),
}
PUBLISHED = {  # in this order, means and standard errors of ten
    "ring": ("6.3 ± 0.5", "98.2 ± 0.2", "0.45 ± 0.09"),
    "grid": ("17.3 ± 0.8", "94.8 ± 0.7", "0.70 ± 0.07"),
}


def normal():
    """Their initializer."""
    return keras.initializers.RandomNormal(stddev=0.02)


def make(mixture, seed):
    """Their networks, between images as networks have them, in [-1, 1], and points."""
    keras.utils.set_random_seed(seed)
    layers, half = keras.layers, mixtures.MIXTURES[mixture][2]
    x = z = keras.Input((2,))
    for _ in range(4):
        x = layers.Dense(400, kernel_initializer=normal())(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dense(2, kernel_initializer=normal())(x)
    x = layers.Rescaling(1.0 / half)(layers.Reshape((1, 1, 2))(x))
    generator = keras.Model(z, x)
    x = images = keras.Input((1, 1, 2))
    x = layers.Rescaling(half)(layers.Flatten()(x))
    for _ in range(3):
        x = kgen.layers.Maxout(5)(layers.Dense(200 * 5, kernel_initializer=normal())(x))
    discriminator = keras.Model(images, layers.Dense(1, kernel_initializer=normal())(x))
    model = kgen.GAN(
        (1, 1, 2), latent_dim=2, generator=generator, discriminator=discriminator, seed=seed
    )
    model.compile({p: keras.optimizers.Adam(1e-4, beta_1=0.8) for p in model.players()})
    return model


def train(mixture, seed):
    """One training: its figures, its time, its 2,500 samples."""
    folder = os.path.join(FLAGS.runs, f"{mixture}-{seed}")
    backup = kgen.callbacks.Backup(folder, every_seconds=300)
    points, epochs = 100_000, FLAGS.epochs
    return mixtures.fitted(
        make(mixture, seed), mixture, seed, points, 100, epochs, callbacks=[backup]
    )


def table(results):
    """A row a training, then the means with their standard errors, and the paper's."""
    rows = [("mixture", "seed", "modes", "high quality, %", "reverse KL"), ["---"] * 5]
    for mixture, found in results.items():
        scaled = {
            name: scale * np.array([each[name] for each in found])
            for name, (scale, _) in FIGURES.items()
        }
        for seed in range(len(found)):
            cells = (f"{scaled[name][seed]:{form}}" for name, (_, form) in FIGURES.items())
            rows.append((mixture, str(seed), *cells))
        if len(found) > 1:
            cells = (
                f"{scaled[name].mean():{form}} ± "
                f"{scaled[name].std(ddof=1) / len(found) ** 0.5:{form}}"
                for name, (_, form) in FIGURES.items()
            )
            rows.append((mixture, f"mean of {len(found)}", *cells))
        rows.append((mixture, "the paper's ten", *PUBLISHED[mixture]))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(results):
    """The table of what is done so far, as a file."""
    text = (
        "# Mixtures of Gaussians in the setting of PacGAN\n\n"
        f"`python benchmarks/published_mixtures.py` on {keras.backend.backend()}, Keras "
        f"{keras.__version__}, {mixtures.MACHINE.value}: {FLAGS.epochs} epochs of 1,000 steps, of "
        "each mixture the seeds that are trained so far; means and standard errors over them.\n\n"
        f"{table(results)}"
    )
    path = os.path.join(FLAGS.out, "published_mixtures.md")
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write(text)


def main(_):
    """Trains what has no file yet; the table after each training."""
    os.makedirs(FLAGS.runs, exist_ok=True)
    results = {}
    for seed in range(FLAGS.seeds):
        for mixture in mixtures.MIXTURES:
            path = os.path.join(FLAGS.runs, f"{mixture}-{seed}.npz")
            if not os.path.exists(path):
                found = train(mixture, seed)
                with replacing(path) as temporary:
                    np.savez(temporary, **found)
            found = dict(np.load(path))
            results.setdefault(mixture, []).append(found)
            print(path, {k: v.item() for k, v in found.items() if k != "points"}, flush=True)
            write(results)


if __name__ == "__main__":
    FLAGS.set_default("seeds", 10)
    FLAGS.set_default("epochs", 400)
    FLAGS.set_default("runs", "runs/published_mixtures")
    app.run(main)
