"""The GAN of Lin et al. 2017 (PacGAN) on two mixtures, to compare with their own table 1.

    KERAS_BACKEND=jax python benchmarks/published_mixtures.py

In their own setting: a generator 2-400-400-400-400-2 with batch normalization and ReLU, a
discriminator of three layers of maxout, 200 units of 5 pieces each, weights of N(0, 0.02), Adam at
1e-4 with beta_1 0.8, batches of 100 of 100,000 points, 400 epochs, ten seeds. As in their code both
players see the same samples and move at once, and at the end 50 batches bring the moving averages
of the normalization up to the weights, without which samples lie beside the modes. Figures as
`benchmarks/mixtures.py` has them. A training takes more than an hour of a core: each goes on where
it stopped, and leaves a row in published_mixtures.csv, after which it is not done again. Two can
run at once: `--mixtures ring` and `--mixtures grid`.
"""

import csv
import os

import keras
import mixtures
import numpy as np
from absl import app, flags
from keras import ops

import kgen
from kgen.whole_file import replacing

FLAGS = flags.FLAGS
ONLY = flags.DEFINE_list("mixtures", list(mixtures.MIXTURES), "Trains only these.")
FIGURES = {  # how each is written, after a factor
    "modes": (1, ".1f"),
    "high_quality": (100, ".1f"),
    "reverse_kl": (1, ".2f"),
}
PUBLISHED = {  # in this order, means and standard errors of ten
    "ring": ("6.3 ± 0.5", "98.2 ± 0.2", "0.45 ± 0.09"),
    "grid": ("17.3 ± 0.8", "94.8 ± 0.7", "0.70 ± 0.07"),
}


class AtOnce(kgen.GAN):
    """A GAN whose players move together."""

    def training_step(self, x, y, noise):
        players = ["discriminator", "generator"]
        self.minimize_together(self.losses_of_both, players, 2.0 * x - 1.0, noise)

    def losses_of_both(self, x, noise):
        """The losses on real points and as many samples; logs them."""
        z = self.draw(noise, x)
        x_fake = self.generate(z, training=True)
        fooling, _ = self.adversary.generator_loss(x_fake)
        self.log(generator_loss=fooling)
        return [self.adversary_loss(x, x_fake, z, None, noise), ops.mean(fooling)]


def normal():
    """Their initializer."""
    return keras.initializers.RandomNormal(stddev=0.02)


def make(mixture, seed):
    """Their networks, between images as networks have them, in [-1, 1], and points."""
    keras.utils.set_random_seed(seed)
    layers, half = keras.layers, mixtures.MIXTURES[mixture][2]
    x = z = keras.Input((2,))
    for _ in range(4):
        x = layers.Dense(400, use_bias=False, kernel_initializer=normal())(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.95, epsilon=1e-4)(x))
    x = layers.Dense(2, kernel_initializer=normal())(x)
    x = layers.Rescaling(1.0 / half)(layers.Reshape((1, 1, 2))(x))
    generator = keras.Model(z, x)
    x = images = keras.Input((1, 1, 2))
    x = layers.Rescaling(half)(layers.Flatten()(x))
    for _ in range(3):
        x = kgen.layers.Maxout(5)(layers.Dense(200 * 5, kernel_initializer=normal())(x))
    discriminator = keras.Model(images, layers.Dense(1, kernel_initializer=normal())(x))
    model = AtOnce(
        (1, 1, 2), latent_dim=2, generator=generator, discriminator=discriminator, seed=seed
    )
    adam = keras.optimizers.Adam
    model.compile({p: adam(1e-4, beta_1=0.8, epsilon=1e-8) for p in model.players()})
    return model


def train(mixture, seed):
    """The figures of one training."""
    folder = os.path.join(FLAGS.runs, f"{mixture}-{seed}")
    backup = kgen.callbacks.Backup(folder, every_seconds=300)
    model, rng = make(mixture, seed), np.random.default_rng(seed)
    mixtures.fit(model, mixture, seed, 100_000, 100, FLAGS.epochs, callbacks=[backup])
    for z in rng.standard_normal((50, 100, 2)):
        model.generator(z.astype("float32"), training=True)  # moves the averages alone
    return mixtures.figures(model, mixture, seed)


def table(rows):
    """A row a training, then the means with their standard errors, and the paper's."""
    lines = [("mixture", "seed", "modes", "high quality, %", "reverse KL"), ["---"] * 5]
    for mixture, published in PUBLISHED.items():
        found = [row for row in rows if row["mixture"] == mixture]
        columns = [
            (scale * np.array([float(row[name]) for row in found]), form)
            for name, (scale, form) in FIGURES.items()
        ]
        for i, row in enumerate(found):
            lines.append((mixture, row["seed"], *(f"{c[i]:{form}}" for c, form in columns)))
        if len(found) > 1:
            cells = (
                f"{c.mean():{form}} ± {c.std(ddof=1) / len(c) ** 0.5:{form}}" for c, form in columns
            )
            lines.append((mixture, f"mean of {len(found)}", *cells))
        lines.append((mixture, "the paper's ten", *published))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def read():
    """A dictionary of each training that is done."""
    path = os.path.join(FLAGS.out, "published_mixtures.csv")
    if not os.path.exists(path):
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def add(mixture, seed, found):
    """A row more, and the table of all."""
    row = {"mixture": mixture, "seed": str(seed)} | {name: f"{found[name]:.4f}" for name in FIGURES}
    rows = [*read(), row]
    path = os.path.join(FLAGS.out, "published_mixtures.csv")
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, row, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    text = (
        "# Mixtures of Gaussians in the setting of PacGAN\n\n"
        f"`python benchmarks/published_mixtures.py` on {keras.backend.backend()}, Keras "
        f"{keras.__version__}, {mixtures.MACHINE.value}: {FLAGS.epochs} epochs of 1,000 steps, of "
        "each mixture the seeds below; means and standard errors over them.\n\n"
        f"{table(rows)}"
    )
    path = os.path.join(FLAGS.out, "published_mixtures.md")
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write(text)


def main(_):
    """Trains what has no row yet; the table after each training."""
    for seed in range(FLAGS.seeds):
        for mixture in ONLY.value:
            if (mixture, str(seed)) not in {(row["mixture"], row["seed"]) for row in read()}:
                add(mixture, seed, train(mixture, seed))


if __name__ == "__main__":
    FLAGS.set_default("seeds", 10)
    FLAGS.set_default("epochs", 400)
    FLAGS.set_default("runs", "runs/published_mixtures")
    app.run(main)
