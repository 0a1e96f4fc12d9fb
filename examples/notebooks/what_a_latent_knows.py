# %% [markdown]
# # What a latent knows
#
# An autoencoder's code is a few numbers an image. What does each of them stand for? This notebook
# asks in four ways: it walks along one number at a time, adds and subtracts codes, makes images of
# which all that varies is known, so that an answer can be marked, and gives a model a hundred
# labels, so that one part of the code is the digit and the other the hand that wrote it. With JAX
# all of it takes six to eight minutes of one processor core that others use too.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST. Its labels say which digit it is, and nothing of the hand. Three numbers of the hand can be
# measured on the pixels: how far a digit leans, how thick its strokes are, how wide it is. Of each
# digit an image with little of it, and below one with much:

# %%
import numpy as np
from IPython.display import display

data = open_data("digits" if QUICK else "mnist", batch_size=100)
images, labels = data.train.take()
test_images, test_labels = data.test.take()


def measures(images):
    """Lean (columns to the right a row up), thickness and width (pixels) of strokes."""
    ink = np.asarray(images, "float64")[..., 0]
    ink = (ink > ink.max(axis=(1, 2), keepdims=True) / 2).astype("float64")
    rows, columns = np.indices(ink.shape[1:])
    weights = ink / ink.sum(axis=(1, 2), keepdims=True)
    rows, columns = (at - (weights * at).sum(axis=(1, 2), keepdims=True) for at in (rows, columns))
    lean = -(weights * rows * columns).sum(axis=(1, 2)) / (weights * rows**2).sum(axis=(1, 2))
    edges = sum(np.abs(np.diff(ink, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    upright = columns + lean[:, None, None] * rows
    width = 4.0 * np.sqrt((weights * upright**2).sum(axis=(1, 2)))
    return np.stack([lean, 2.0 * ink.sum(axis=(1, 2)) / edges, width], axis=1)


def extremes(of):
    """Of each digit one with little of it and one with much."""
    order = np.argsort(of)
    return [order[test_labels[order] == digit][[2, -3]] for digit in range(10)]


of_hand = measures(test_images)
for number, name in enumerate(("lean", "thickness", "width")):
    print(f"{name}: little above, much below")
    rows = np.transpose(extremes(of_hand[:, number]))
    display(kgen.pictures.grid(test_images[rows.ravel()], columns=10))

# %% [markdown]
# ## One latent at a time
#
# A VAE with 20 latents, and one whose divergence from the prior counts four times (`beta=4.0`,
# Higgins et al. 2017), so that a latent has to be worth its price.

# %%
EPOCHS = 1 if QUICK else 8  # 80


def train(vae):
    vae.adapt(data.train)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(data.train))
    vae.compile(keras.optimizers.Adam(rate))
    vae.fit(data.train, epochs=EPOCHS, shuffle=False, verbose=0)
    return vae


vae = train(kgen.VAE(data.image_shape, latent_dim=20, seed=0))
strict = train(kgen.VAE(data.image_shape, latent_dim=20, beta=4.0, seed=0))

# %% [markdown]
# Which latents say anything? An *active unit* (Burda et al. 2015) has a mean that varies from image
# to image. How much a latent says is its divergence from the prior, averaged over images, in nats.
# The strict model puts what it says into fewer latents, and the others are as good as not there:


# %%
def nats_of(vae, images=test_images):
    """The divergence of each latent."""
    mean, log_var = vae.posterior(images)
    return 0.5 * (mean**2 + np.exp(log_var) - 1.0 - log_var).mean(axis=0)


for name, model in (("beta 1", vae), ("beta 4", strict)):
    active = kgen.metrics.active_units(model.encode(test_images))
    print(f"{name}: {active} active units of {model.latent_dim}; nats a latent, in order:")
    print("  ", *np.sort(nats_of(model))[::-1].round(2))

# %% [markdown]
# The code of a four, a latent a row, from -3 to 3, those that say most first: the strict model's
# nine first, and the last. The first row makes the digit narrow, the second sets it upright, the
# third makes a two of it, the eighth goes from bold to thin, the ninth closes it at the top, the
# last does nothing.


# %%
def walk(model, image, rows):
    """The latents of an image's code, walked one at a time."""
    z, order = model.encode(image[None])[0], np.argsort(-nats_of(model))
    return kgen.pictures.traversal(model, z, dims=order[rows], steps=9)


FOUR = test_images[np.flatnonzero(test_labels == 4)[0]]
walk(strict, FOUR, [*range(9), -1])

# %% [markdown]
# The five first of the plain model. Its images are sharper; but nearly all its latents are in use,
# and at the ends one alone often leads to where no digits are:

# %%
walk(vae, FOUR, [*range(5)])

# %% [markdown]
# What the eye sees can be counted: how much of a latent's variance goes with the digit, and with
# each measure of the hand (cut into twenty parts of as many images)? 1 is all, 0 is nothing. Width,
# lean and thickness each have a latent that goes with them more than any other does. But the digit
# is in nearly all of them, in those of width and lean too. Nobody asked for more: the prior wants
# latents to be independent, not that they stand for what we have words for.


# %%
def shares(codes, factor):
    """The variance of the means of the groups, as a share of all, for each latent."""
    groups = [codes[factor == value] for value in np.unique(factor)]
    between = sum(len(each) * (each.mean(axis=0) - codes.mean(axis=0)) ** 2 for each in groups)
    return between / (len(codes) * codes.var(axis=0))


def table(codes, factors, order):
    print(" latent", *(f"{name:>10}" for name in factors))
    rows = np.transpose([shares(codes, factor) for factor in factors.values()])
    for latent in order:
        print(f"{latent:>7}", *(f"{share:10.2f}" for share in rows[latent]))


parts = (of_hand.argsort(axis=0).argsort(axis=0) * 20) // len(of_hand)
known = dict(digit=test_labels, lean=parts[:, 0], thickness=parts[:, 1], width=parts[:, 2])
table(strict.encode(test_images), known, np.argsort(-nats_of(strict))[:9])

# %% [markdown]
# ## Arithmetic
#
# A latent need not stand for one thing: what is a direction in the latent space can be added all
# the same. In the first row threes of the thickest quarter, in the second of the thinnest, in the
# third thin sevens, and in the last row first minus second plus third. The last column is that of
# the means, a thick seven; single codes bring along what else sets them apart, and not each sum is
# a seven.

# %%
codes = vae.encode(test_images)
thickness = of_hand[:, 1]


def quarter(digit, thick):
    """Codes of the thickest quarter of a digit, or of the thinnest."""
    order = np.argsort(thickness)
    order = order[test_labels[order] == digit]
    return codes[order[-(len(order) // 4) :] if thick else order[: len(order) // 4]]


def eight(codes):
    """Eight of them, from the first to the last."""
    return codes[np.linspace(0, len(codes) - 1, 8).astype(int)]


which = ((3, True), (3, False), (7, False))
kgen.pictures.arithmetic(vae, *(eight(quarter(digit, thick)) for digit, thick in which))

# %% [markdown]
# Does it do what it says, to digits that it was not made of? The direction of 0 to 4, added to 5 to
# 9: the third column is the code as it is; to the right half and all of the direction is added, to
# the left subtracted. Below, the measures of the images that come out: strokes become thicker with
# each step, the lean stays, and a digit with thick strokes is a little wider.

# %%
direction = np.mean(
    [quarter(each, True).mean(axis=0) - quarter(each, False).mean(axis=0) for each in range(5)],
    axis=0,
)
steps = np.linspace(-1.0, 1.0, 5)
others = codes[test_labels >= 5][:200]
moved = vae.decode((others[:, None] + steps[:, None] * direction).reshape(-1, vae.latent_dim))
display(kgen.pictures.grid(moved[: 5 * 6], columns=5))
for step, row in zip(steps, measures(moved).reshape(-1, 5, 3).mean(axis=0), strict=True):
    print(f"{step:+.1f} of it: lean {row[0]:5.2f}, thickness {row[1]:.2f}, width {row[2]:.2f}")

# %% [markdown]
# From one image to another, above straight, below along the great circle:

# %%
pairs = test_images[:3], test_images[4:7]
display(kgen.pictures.interpolation(vae, *pairs, steps=9))
display(kgen.pictures.interpolation(vae, *pairs, steps=9, spherical=True))

# %% [markdown]
# Codes of 20 numbers are mostly at right angles, so that halfway on the straight line a code is
# shorter than codes are, and its image fainter. The great circle keeps the length.

# %%
start, end = codes[:100], codes[100:200]
print(f"length of codes {np.linalg.norm(start, axis=1).mean():.2f}", end=", ")
print(f"halfway on the straight line {np.linalg.norm((start + end) / 2.0, axis=1).mean():.2f}")
straight, circle = (vae.interpolate(start, end, steps=3, spherical=way) for way in (False, True))
print(f"mean of images: at the ends {circle[:, ::2].mean():.3f}", end=", ")
print(f"halfway straight {straight[:, 1].mean():.3f}, on the circle {circle[:, 1].mean():.3f}")

# %% [markdown]
# ## Sprites, of which all is known
#
# Nobody knows what digits are made of. Of these 3,072 sprites everything is known: a square, a disk
# or a triangle, in four sizes, at 16 places across and 16 down. So what a code knows can be marked.

# %%
NAMES, NUMBERS = ("shape", "size", "x", "y"), (3, 4, 4, 4) if QUICK else (3, 4, 16, 16)
factors = np.stack(np.unravel_index(np.arange(np.prod(NUMBERS)), NUMBERS), axis=1)
shape, size, x, y = (each[:, None, None] for each in factors.T)
down, across = np.mgrid[:16, :16] + 0.5
across, down = across - 4.0 - 8.0 * x / x.max(), down - 4.0 - 8.0 * y / y.max()
radius = 1.5 + 0.75 * size
square = np.maximum(np.abs(across), np.abs(down)) < radius
disk = np.hypot(across, down) < 1.13 * radius
triangle = (down < radius) & (down > 2.0 * np.abs(across) - radius)
sprites = np.select([shape == 0, shape == 1], [square, disk], triangle)[..., None] * 1.0
mixed = np.random.default_rng(0).permutation(len(sprites))
kgen.pictures.grid(sprites[mixed[:32]], columns=16)

# %% [markdown]
# A VAE, and a beta-TC-VAE (Chen et al. 2018). The VAE's divergence is a sum of three: what the code
# says of the image, what the latents say of each other, and how far each is from its prior. The
# second, the total correlation, here counts eight times. Where latents have to be independent,
# factors that are independent are what they may stand for. Three seeds each, of the same networks
# and steps.

# %%
STEPS, SEEDS = (4, 1) if QUICK else (4800, 3)


def train_on_sprites(model_class, seed, **kwargs):
    keras.utils.set_random_seed(seed)
    model = model_class((16, 16, 1), latent_dim=6, seed=seed, **kwargs)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, STEPS)))
    model.fit(sprites, batch_size=64, epochs=STEPS * 64 // len(sprites) or 1, verbose=0)
    return model


seeds = range(SEEDS)
weights = {"tc_weight": 8.0, "dataset_size": len(sprites)}
models = {
    "VAE": [train_on_sprites(kgen.VAE, seed) for seed in seeds],
    "BetaTCVAE": [train_on_sprites(kgen.BetaTCVAE, seed, **weights) for seed in seeds],
}

# %% [markdown]
# Three marks, 1 at most. The *mutual information gap* (MIG) asks of each factor by how much the
# latent that tells most of it tells more than the next one, *SAP* (Kumar et al. 2018) the same of
# how well one latent alone predicts it. The *FactorVAE score* (Kim & Mnih 2018) takes images that
# are alike in one factor, and guesses which from the latent that varies least: to be right it is
# enough that a factor has some latent of its own.
#
# Seeds differ much, so read all three. By MIG and SAP the worst beta-TC-VAE is above the best VAE;
# by the FactorVAE score they overlap. Three seeds are few, and `examples/sprites.py`, with three
# times the steps, has the same order for MIG, and a `kgen.FactorVAE` between them on average.


# %%
def factor_vae_score(codes):
    return kgen.metrics.factor_vae_score(
        lambda rows: codes[rows],
        lambda num, rng: factors[rng.integers(len(factors), size=num)],
        lambda factors, rng: np.ravel_multi_index(factors.T, NUMBERS),
        num_train=1000,
        num_test=1000,
    )


some, rest = np.split(mixed, 2)
print(f"{'':12} seed {'MIG':>6} {'SAP':>6} {'FactorVAE':>10}")
for name, trained in models.items():
    for seed, model in zip(seeds, trained, strict=True):
        codes = model.encode(sprites)
        marks = (
            kgen.metrics.mutual_information_gap(codes, factors),
            kgen.metrics.sap_score(codes[some], factors[some], codes[rest], factors[rest]),
            factor_vae_score(codes),
        )
        print(f"{name:12} {seed:4} {marks[0]:6.3f} {marks[1]:6.3f} {marks[2]:10.3f}")

# %% [markdown]
# A sprite's code, a latent a row, from -2 to 2, and how much of each latent's variance goes with
# each factor, for the first seed. Both models use three latents. Two of them are the places, more
# purely so in the beta-TC-VAE. Its third is mostly the size, the VAE's a mixture of size and both
# places. The shape is hardly in any: it changes few pixels, and to say it costs more than it saves.

# %%
place = np.ravel_multi_index((0, 2, NUMBERS[2] // 2, NUMBERS[3] // 2), NUMBERS)
for name in models:
    model = models[name][0]
    order, codes = np.argsort(-nats_of(model, sprites)), model.encode(sprites)
    print(name, "of seed 0")
    display(kgen.pictures.traversal(model, codes[place], order, limit=2.0))
    table(codes, dict(zip(NAMES, factors.T, strict=True)), order)

# %% [markdown]
# ## A hundred labels
#
# An adversarial autoencoder (Makhzani et al. 2015) whose code is a category beside a style. One
# discriminator sees to it that styles are normal, another that categories are one of ten, all as
# frequent. Ten images of each digit come with their label, over and over among the others, which
# have the label -1.

# %%
some_images, some_labels = kgen.data.few_labels(images, labels, per_class=10, seed=0)
WIDTH, PASSES = (32, 1) if QUICK else (400, 6)  # 500, 20
judge = kgen.networks.dense_discriminator
sizes = {"units": (WIDTH, WIDTH), "negative_slope": 0.0}  # of styles, and of categories
judges = {"discriminator": judge(10, **sizes), "category_discriminator": judge(10, **sizes)}
aae = kgen.SemiSupervisedAAE(data.image_shape, 10, 10, width=WIDTH, seed=0, **judges)
steps = PASSES * len(some_images) // 100
rates = {player: keras.optimizers.schedules.CosineDecay(1e-3, steps) for player in aae.players()}
aae.compile({player: keras.optimizers.Adam(rate, beta_1=0.5) for player, rate in rates.items()})
aae.fit(some_images, some_labels, batch_size=100, epochs=PASSES, verbose=0)
known = slice(len(images), len(images) + 100)  # each of the hundred once

# %% [markdown]
# How many of the test images does it get wrong? Beside it what the same hundred labels give to
# others: a linear classifier and a small network of pixels, which see nothing of the other images,
# and a linear classifier of the strict VAE's nine used latents, which saw all images and no label.
# Fewest are wrong where labels and images are learned from together.


# %%
def wrong(few, few_labels, test):
    """The error of a linear classifier."""
    few, test = (each.reshape(len(each), -1) for each in (few, test))
    return 1.0 - kgen.metrics.linear_probe(few, few_labels, test, test_labels)


def used(images):
    return strict.encode(images)[:, np.argsort(-nats_of(strict))[:9]]


network = keras.Sequential(
    [
        keras.Input(data.image_shape),
        keras.layers.Flatten(),
        keras.layers.Dense(WIDTH, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
network.compile("adam", "sparse_categorical_crossentropy")
few, few_labels = some_images[known], some_labels[known]
network.fit(few / 255.0, few_labels, batch_size=20, epochs=1 if QUICK else 50, verbose=0)
guessed = network.predict(test_images / 255.0, verbose=0).argmax(axis=1)
errors = {
    "pixels, linear": wrong(few / 255.0, few_labels, test_images / 255.0),
    "pixels, a network": np.mean(guessed != test_labels),
    "latents, linear": wrong(used(few), few_labels, used(test_images)),
    "SemiSupervisedAAE": np.mean(aae.classify(test_images) != test_labels),
}
for name, error in errors.items():
    print(f"{name:18} {100 * error:5.1f}% of the test images wrong")

# %% [markdown]
# Which images the hundred are counts for some. The two linear classifiers with five other hundreds
# differ by a few points, and the latents are better than pixels each time. The autoencoder was
# trained once; its lead on the others is larger than what they differ by, and its exact error means
# little.

# %%
for name, of in (("pixels", lambda images: images / 255.0), ("latents", used)):
    found = []
    for seed in range(1, 6):
        drawn, drawn_labels = kgen.data.few_labels(images, labels, per_class=10, seed=seed)
        found.append(wrong(of(drawn[known]), drawn_labels[known], of(test_images)))
    print(f"{name:8}", *(f"{100 * each:5.1f}%" for each in found))

# %% [markdown]
# Eight styles, a column each, in the ten categories, a row each. Weight, width and lean are the
# column's, the digit is the row's, most of the time. In the fourth column nearly all are round, and
# four and nine are still alike.

# %%
categories, styles = np.divmod(np.arange(80), 8)
z = aae.draw_latents(80, classes=categories, seed=styles)
kgen.pictures.grid(aae.decode(z), columns=8)

# %% [markdown]
# And the hand of an image, the first column, writes all ten digits: its style is kept, and its
# category is set. It keeps the lean and the weight, and not all
# can be read.

# %%
style = aae.encode(test_images[:4])[:, : aae.latent_dim]
written = np.concatenate([np.repeat(style, 10, axis=0), np.tile(np.eye(10), (4, 1))], axis=1)
written = aae.decode(written).reshape(4, 10, *data.image_shape)
rows = np.concatenate([test_images[:4, None] / 255.0, written], axis=1)
kgen.pictures.grid(rows.reshape(-1, *data.image_shape), columns=11)

# %% [markdown]
# ## What to try next
#
# - `beta=8.0`, and which latents are left; `kgen.BetaTCVAE` on the digits, whose latents can be
#   marked by the measures of the hand alone.
# - `kgen.metrics.dci`: disentanglement, completeness and informativeness, by boosted trees.
# - `kgen.SemiSupervisedAAE(supervised=False, categories=16)`: groups without a label.
#   `embedding=True` with two latents draws them on a plane. `examples/aae_mnist.py` trains all of
#   these for longer.
# - A direction from few images: the notebook `vae` makes digits lean.
