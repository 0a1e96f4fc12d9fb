"""The GAN of Lin et al. 2017 (PacGAN) on two mixtures, to compare with their own table 1.

    KERAS_BACKEND=jax python benchmarks/published_mixtures.py

In their own setting: a generator 2-400-400-400-400-2 with batch normalization and ReLU, a
discriminator of three layers of maxout, 200 units of 5 pieces each, weights of N(0, 0.02), Adam at
1e-4 with beta_1 0.8, batches of 100 of 100,000 points, 400 epochs, ten seeds. As in their code both
players see the same samples and move at once, and at the end 50 batches bring the moving averages
of the normalization up to the weights, without which samples lie beside the modes. Figures as
`benchmarks/mixtures.py` has them. A training takes more than an hour of a core: each goes on where
it stopped, and leaves a file in `--runs`.
"""

import os

import keras
import mixtures
import numpy as np
from absl import app, flags
from keras import ops

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
    """One training: its figures, its time, its 2,500 samples."""
    folder = os.path.join(FLAGS.runs, f"{mixture}-{seed}")
    backup = kgen.callbacks.Backup(folder, every_seconds=300)
    model, rng = make(mixture, seed), np.random.default_rng(seed)
    seconds = mixtures.fit(model, mixture, seed, 100_000, 100, FLAGS.epochs, callbacks=[backup])
    for z in rng.standard_normal((50, 100, 2)):
        model.generator(z.astype("float32"), training=True)  # moves the averages alone
    return mixtures.figures(model, mixture, seed) | {"seconds": seconds}


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
