"""How many modes of two mixtures of Gaussians each GAN finds, and how well it samples them.

    KERAS_BACKEND=jax python benchmarks/mixtures.py

Each training leaves a file in `--runs`; started again, it goes on after the last. After a change of
the settings give it another folder.

The protocol of Lin et al. 2017 (PacGAN, https://arxiv.org/abs/1712.04086): a ring of 8 modes of
radius 1 and standard deviation 0.01, and a grid of 5x5 modes at -4, -2, 0, 2, 4 of 0.05. Of 2,500
samples those within three standard deviations of a mode are of high quality; a mode is found if one
of these is nearest to it; "reverse KL" is the divergence of their counts over the modes from equal
counts. A perfect sampler has 98.9% of high quality.

Points are images of 1x1 pixel with 2 channels, scaled to [0, 1]. All models have the same networks,
a prior in two dimensions, averaged weights and, but for WGAN, Adam with a rate that falls to 0; all
but the plain GAN and those with a critic have a small R1 penalty. The conditional GAN is told the
modes; InfoGAN has as many categories.
"""

import os
import time

import keras
import numpy as np
from absl import app, flags

import kgen
from kgen.whole_file import replacing

MODELS = flags.DEFINE_list("models", None, "Only these models, for their figures on the screen.")
SEEDS = flags.DEFINE_integer("seeds", 3, "Trainings of each.")
EPOCHS = flags.DEFINE_integer("epochs", 24, "Of 500 steps of the generator each.")
MACHINE = flags.DEFINE_string("machine", "this machine", "What the table says of it.")
RUNS = flags.DEFINE_string("runs", "runs/mixtures", "Gets a file for each training.")
OUT = flags.DEFINE_string("out", "benchmarks/results", "Gets mixtures.md and mixtures.png.")

MIXTURES = {  # modes, standard deviation, half the side of the square that is scaled to [0, 1]
    "ring": (np.stack([np.cos(t := np.arange(8) * np.pi / 4), np.sin(t)], axis=1), 0.01, 1.5),
    "grid": (2.0 * np.stack(np.indices((5, 5)), axis=-1).reshape(25, 2) - 4.0, 0.05, 6.0),
}
R1 = {"r1_weight": 0.02}
SETTINGS = {
    "GAN": {},
    "DCGAN": R1,
    "LSGAN": R1,
    "WGAN": {},
    "WGANGP": {"gp_weight": 0.1},
    "ConditionalGAN": R1,
    "InfoGAN": R1,
}
STEPS, BATCH_SIZE, UNITS, LAYERS = 500, 128, 128, 4


def perceptron(inputs, outputs, activation, num_classes=None):
    """The inputs, the last hidden layer and the outputs of a network of dense layers."""
    x = keras.layers.Flatten()(inputs)
    label = keras.Input((), dtype="int32")
    if num_classes is not None:
        one_hot = keras.layers.CategoryEncoding(num_classes, output_mode="one_hot")(label)
        x = keras.layers.Concatenate()([x, one_hot])
    for _ in range(LAYERS):
        x = keras.layers.Dense(UNITS, activation, kernel_initializer="he_normal")(x)
    network_inputs = inputs if num_classes is None else [inputs, label]
    return network_inputs, x, keras.layers.Dense(outputs)(x)


def make(name, modes, seed):
    """A model by its class's name, with the networks that all have."""
    keras.utils.set_random_seed(seed)
    model_class = getattr(kgen, name)
    arguments = dict(SETTINGS[name])
    num_classes, code_size = None, 2
    if name == "ConditionalGAN":
        num_classes = arguments["num_classes"] = len(modes)
    if name == "InfoGAN":
        arguments |= {"categorical": (len(modes),), "continuous": 0}
        code_size += len(modes)
    inputs, _, points = perceptron(keras.Input((code_size,)), 2, "relu", num_classes)
    generator = keras.Model(inputs, keras.layers.Reshape((1, 1, 2))(points))
    inputs, features, logits = perceptron(keras.Input((1, 1, 2)), 1, "leaky_relu", num_classes)
    judge = keras.Model(inputs, [logits, features] if name == "InfoGAN" else logits)
    arguments["critic" if name.startswith("WGAN") else "discriminator"] = judge
    model = model_class(
        (1, 1, 2), latent_dim=2, generator=generator, ema_decay=0.999, seed=seed, **arguments
    )
    steps = EPOCHS.value * STEPS

    def adam(player, beta_2):
        player_steps = steps * (1 if player == "generator" else model.adversary_steps)
        rate = keras.optimizers.schedules.PolynomialDecay(1e-3, player_steps, 0.0)
        return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=beta_2)

    beta_2 = 0.9 if name == "WGANGP" else 0.99
    model.compile(None if name == "WGAN" else {p: adam(p, beta_2) for p in model.players()})
    return model


def train(name, mixture, seed):
    """One training: its figures, its time, its 2,500 samples."""
    model = make(name, MIXTURES[mixture][0], seed)
    batch_size = BATCH_SIZE * model.adversary_steps
    seconds = fit(model, mixture, seed, STEPS * batch_size, batch_size, EPOCHS.value)
    return figures(model, mixture, seed) | {"seconds": seconds}


def fit(model, mixture, seed, num, batch_size, epochs, **kwargs):
    """Trains a model on so many points, and returns the seconds that it took."""
    modes, std, half = MIXTURES[mixture]
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(modes), num).astype("int32")
    points = modes[labels] + std * rng.standard_normal((num, 2))
    images = (0.5 + 0.5 * points / half).astype("float32").reshape(-1, 1, 1, 2)
    started = time.time()
    model.fit(images, labels, batch_size, epochs, verbose=0, **kwargs)
    return time.time() - started


def figures(model, mixture, seed):
    """The figures of 2,500 samples of a model, and these as its points."""
    modes, std, half = MIXTURES[mixture]
    wanted = np.arange(2500) % len(modes) if model.num_classes else None
    sampled = model.sample(2500, wanted, seed=seed, batch_size=2500).reshape(-1, 2)
    sampled = (2.0 * sampled - 1.0) * half
    return kgen.metrics.mode_counts(sampled, modes, std) | {"points": sampled}


def draw(results, path):
    """A row a mixture, a column a model: the samples of the first seed."""
    from PIL import Image, ImageDraw

    size = 200
    names = list(dict.fromkeys(name for name, _ in results))
    picture = Image.new("L", (size * len(names), size * len(MIXTURES) + 16), 255)
    pen = ImageDraw.Draw(picture)
    for column, name in enumerate(names):
        pen.text((column * size + 8, 2), name, fill=0)
        for row, (mixture, (_, _, half)) in enumerate(MIXTURES.items()):
            pixels = (results[name, mixture][0]["points"] / half * 0.5 + 0.5) * size
            corner = np.array([column * size, row * size + 16])
            inside = np.all((pixels >= 0) & (pixels < size), axis=1)
            pen.point([tuple(p) for p in np.rint(pixels[inside] + corner)], fill=0)
    picture.save(path)


def table(results):
    """A Markdown table of the means over the seeds, with the least and the most."""
    lines = [
        "| model | mixture | modes | high quality, % | reverse KL | seconds |",
        "|---|---|---|---|---|---|",
    ]

    def column(found, name, form, scale=1.0):
        values = [scale * each[name] for each in found]
        return "{} ({} .. {})".format(*(format(f(values), form) for f in (np.mean, min, max)))

    for key, found in results.items():
        columns = [
            *key,
            column(found, "modes", ".1f"),
            column(found, "high_quality", ".1f", 100.0),
            column(found, "reverse_kl", ".2f"),
            format(np.mean([each["seconds"] for each in found]), ".0f"),
        ]
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def heading():
    """What was run."""
    return (
        "# Mixtures of Gaussians\n\n"
        f"`python benchmarks/mixtures.py` on {keras.backend.backend()}, Keras {keras.__version__}: "
        "means over the seeds,\nthe least and the most of "
        f"{SEEDS.value} trainings of {EPOCHS.value * STEPS:,} steps of the generator each.\n\n"
        f"The seconds are those of {MACHINE.value}.\n\n"
        "![Samples of the first seed](mixtures.png)\n\n"
    )


def main(_):
    """Trains what has no file yet; then the table and the picture."""
    os.makedirs(RUNS.value, exist_ok=True)
    os.makedirs(OUT.value, exist_ok=True)
    results = {}
    for mixture in MIXTURES:
        for name in MODELS.value or SETTINGS:
            for seed in range(SEEDS.value):
                path = os.path.join(RUNS.value, f"{name}-{mixture}-{EPOCHS.value}-{seed}.npz")
                if not os.path.exists(path):
                    found = train(name, mixture, seed)
                    with replacing(path) as temporary:
                        np.savez(temporary, **found)
                found = dict(np.load(path))
                results.setdefault((name, mixture), []).append(found)
                print(path, {k: v.item() for k, v in found.items() if k != "points"}, flush=True)
    print(table(results))
    if MODELS.value:
        return  # a part of the table is not the table
    with open(os.path.join(OUT.value, "mixtures.md"), "w") as file:
        file.write(heading() + table(results))
    draw(results, os.path.join(OUT.value, "mixtures.png"))


if __name__ == "__main__":
    app.run(main)
