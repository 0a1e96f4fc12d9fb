# %% [markdown]
# # From GAN to WGAN-GP
#
# A generative adversarial network learns to draw by a game: a *generator* turns noise into images,
# a *discriminator* learns to tell these from real ones, and the generator learns to be taken for
# real. Nothing in it says what a good image is; the discriminator finds that out.
#
# The game is hard to play well, and papers of four years each changed one thing in it. This
# notebook trains five of them on the same digits, shows the lines that changed, and measures what a
# grid of samples does not show: whether a GAN draws *everything* that is in the data.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST. The networks have a quarter of the papers' channels, and train for two to six epochs, so
# that all five take some minutes of two CPU cores. `python examples/gan.py --model dcgan`, and so
# with the other names, trains each in full, for 14 to 45 minutes of one core; its header says what
# came out.

# %%
import inspect

import numpy as np
from IPython.display import Image
from keras import ops

data = open_data("digits" if QUICK else "mnist")
images, labels = data.train.take(400 if QUICK else None)
kgen.pictures.grid(images[:32], columns=16)

# %% [markdown]
# A classifier will judge the samples: which digits are drawn, and how often is it sure?

# %%
classifier = keras.Sequential(
    [
        keras.Input(data.image_shape),
        keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
        keras.layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
classifier.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
classifier.fit(images / 255.0, labels, batch_size=128, epochs=1 if QUICK else 2, verbose=0)
test_images, test_labels = data.test.take()
accuracy = classifier.evaluate(test_images / 255.0, test_labels, verbose=0)[1]
print(f"The classifier is right about {100 * accuracy:.1f}% of the test images.")


def judge(name, samples):
    """Prints which digits samples are of, in percent, and how often the classifier is sure."""
    p = classifier.predict(samples, verbose=0)
    counts = np.bincount(p.argmax(axis=1), minlength=10) / len(p)
    shares = " ".join(f"{100 * share:3.0f}" for share in counts)
    print(f"{name:<10} 0..9: {shares}   sure of {100 * (p.max(axis=1) > 0.95).mean():.0f}%")


judge("MNIST", test_images / 255.0)

# %% [markdown]
# All five are made and trained alike; samples are of averaged weights (`ema_decay`).

# %%
WIDTH = 8 if QUICK else 16  # 64


def train(gan, optimizer, epochs, batch_size=64, **kwargs):
    gan.compile({player: optimizer(player) for player in gan.players()})
    gan.fit(images, batch_size=batch_size, epochs=1 if QUICK else epochs, verbose=0, **kwargs)
    judge(type(gan).__name__, gan.sample(1000, seed=0))
    return kgen.pictures.samples(gan, 49, seed=0)


def show_source(*functions):
    print("\n".join(inspect.getsource(each) for each in functions))


# %% [markdown]
# ## 1. The game: GAN (Goodfellow et al. 2014)
#
# $D(x)$ is the probability that $x$ is real, the sigmoid of the network's logit. The discriminator
# minimises
#
# $$-\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))],$$
#
# and the generator $-\mathbb{E}[\log D(G(z))]$, which is not that loss with the other sign, though
# it has the same goal: where the discriminator is sure, the latter has no slope. A step is that of
# Algorithm 1, and `minimize` moves the weights of one player alone:

# %%
from kgen.losses import minimax_discriminator_loss, non_saturating_generator_loss

show_source(kgen.GAN.training_step, minimax_discriminator_loss, non_saturating_generator_loss)

# %% [markdown]
# With logits $l$, $-\log D = \mathrm{softplus}(-l)$ is exact where a sigmoid rounds to 0 or 1:

# %%
real, fake = ops.convert_to_tensor([[2.0], [0.5]]), ops.convert_to_tensor([[-1.0], [3.0]])
by_hand = -ops.log(ops.sigmoid(real)) - ops.log(1.0 - ops.sigmoid(fake))
by_kgen = minimax_discriminator_loss(real, fake)
print(ops.convert_to_numpy(by_hand)[:, 0], ops.convert_to_numpy(by_kgen))

# %% [markdown]
# Both players are perceptrons, trained by the paper's plain gradient descent with momentum. `adapt`
# starts the generator at the mean image.

# %%
gan = kgen.GAN(data.image_shape, width=50 * WIDTH, ema_decay=0.99, seed=0)
gan.adapt(images)
rates = {"discriminator": 0.05, "generator": 0.1}
train(gan, lambda player: keras.optimizers.SGD(rates[player], momentum=0.5), epochs=6)  # 30

# %% [markdown]
# The row of shares says what the eye may overlook: where MNIST has ten of each, some digits are
# drawn several times as often as others. The generator found what passes, and that is enough to
# win. After 30 epochs at the paper's width about four in five samples are digits that a person
# reads: the README has the picture.

# %% [markdown]
# ## 2. Better networks: DCGAN (Radford et al. 2015)
#
# The losses stay; the perceptrons become strided convolutions with batch normalization, and
# gradient descent becomes Adam with $\beta_1 = 0.5$. Convolutions know that neighbouring pixels
# belong together: strokes come out smooth, without the single pixels above. In kgen the class says
# two networks and two optimizers, and inherits the step. The generator:

# %%
dcgan = kgen.DCGAN(data.image_shape, width=WIDTH, ema_decay=0.99, seed=0)
for layer in dcgan.generator.layers:
    print(f"{type(layer).__name__:<20} {layer.output.shape}")


# %%
def adam(player):
    return keras.optimizers.Adam(4e-4, beta_1=0.5)  # 2e-4


grids = kgen.callbacks.SampleGrid(f"{OUT}/samples", num=9)
steps = 3 if QUICK else 187  # ten rounds are two epochs; 8
train(dcgan, adam, epochs=10, steps_per_epoch=steps, callbacks=[grids])

# %% [markdown]
# Its samples of the same latents after each tenth of the training:

# %%
frames = [f"{OUT}/samples/epoch-{n + 1:04d}.png" for n in dcgan.history.epoch]
kgen.pictures.animation(frames, f"{OUT}/training.gif", seconds=0.5)
Image(f"{OUT}/training.gif")

# %% [markdown]
# ## 3. Another loss: LSGAN (Mao et al. 2016)
#
# Where the discriminator is right by far, the cross-entropy is flat, and says little of *how* far.
# A regression on the labels 0 and 1 pulls at what is beyond them, too:
#
# $$\tfrac12 \mathbb{E}[(D(x) - 1)^2] + \tfrac12 \mathbb{E}[D(G(z))^2], \qquad
# \tfrac12 \mathbb{E}[(D(G(z)) - 1)^2].$$

# %%
from kgen.models.games import LeastSquares

show_source(LeastSquares.adversary_loss, LeastSquares.generator_loss)
lsgan = kgen.LSGAN(data.image_shape, width=WIDTH, ema_decay=0.99, seed=0)
train(lsgan, adam, epochs=2)  # 4

# %% [markdown]
# ## 4. A distance: WGAN (Arjovsky et al. 2017)
#
# A discriminator can be right about all images and tell the generator nothing. A *critic* $f$ gives
# numbers, not probabilities, and among all functions of slope at most 1 the largest difference
#
# $$\max_f \; \mathbb{E}[f(x)] - \mathbb{E}[f(G(z))]$$
#
# is the Wasserstein distance: how much probability has to be carried how far to make one
# distribution of the other. It has a useful slope however far they are apart. The critic makes five
# steps for one of the generator, and its weights are clipped to $[-0.01, 0.01]$ to keep the slope
# down:

# %%
show_source(kgen.WGAN.training_step, kgen.WGAN.clip_weights)
wgan = kgen.WGAN(data.image_shape, width=WIDTH, ema_decay=0.99, seed=0)
train(wgan, lambda player: keras.optimizers.RMSprop(4e-4), epochs=3, batch_size=5 * 32)  # 8

# %% [markdown]
# ## 5. A penalty: WGAN-GP (Gulrajani et al. 2017)
#
# Of the five it is the slowest here: strokes, and few digits yet. Clipping keeps the slope down by
# keeping the critic simple. The optimal critic has a gradient of norm 1 between real and generated
# images, and so a term that asks for this takes the place of clipping:
#
# $$\mathbb{E}[D(G(z))] - \mathbb{E}[D(x)]
# + \lambda \, \mathbb{E}[(\lVert \nabla D(\hat x) \rVert_2 - 1)^2], \qquad
# \hat x = \epsilon x + (1 - \epsilon) G(z).$$

# %%
from kgen.losses import gradient_penalty

show_source(gradient_penalty)

# %% [markdown]
# A critic that is a weighted sum $w \cdot x$ has the gradient $w$ everywhere. For $w$ of norm 3 the
# penalty is $(3 - 1)^2 = 4$:

# %%
w = ops.ones((9,))  # of norm 3


def critic(x):
    return ops.sum(ops.reshape(x, (-1, 9)) * w, axis=-1, keepdims=True)


x, x_fake = ops.ones((2, 3, 3, 1)), ops.zeros((2, 3, 3, 1))
print(ops.convert_to_numpy(gradient_penalty(critic, x, x_fake, eps=ops.ones((2,)) * 0.3)))

# %% [markdown]
# The gradient of a gradient is differentiated here, on each of the three backends, and the critic
# must judge each image by itself: there is no batch normalization in it.

# %%
wgan_gp = kgen.WGANGP(data.image_shape, width=WIDTH, ema_decay=0.99, seed=0)
train(
    wgan_gp,
    lambda player: keras.optimizers.Adam(8e-4, beta_1=0.5, beta_2=0.9),
    epochs=12,
    steps_per_epoch=2 if QUICK else 94,  # twelve rounds are three epochs; 6
    batch_size=5 * 32,  # 5 * 50
)

# %% [markdown]
# ## What the logs say
#
# A GAN's losses say little: both players get better together. The critic's estimate of the distance
# is a number to follow: over the twelve rounds it falls while the samples get better. It compares
# rounds of one training, not two critics. So do not compare the five rows above too closely either:
# each model had a minute or two, and the full trainings are in the header of `examples/gan.py`.

# %%
kgen.pictures.losses(wgan_gp)

# %% [markdown]
# Are samples copies? Right of each of these are the training images that are nearest to it:

# %%
kgen.pictures.nearest(dcgan.sample(6, seed=1), images, neighbours=5)

# %% [markdown]
# ## Mode collapse, measured
#
# On images it takes a classifier to see what a generator leaves out. On points in the plane it is
# plain: 25 modes, each a narrow normal distribution. How many are found, and how many of the
# samples lie within three standard deviations of one (Lin et al. 2017)? An image of one pixel with
# two channels is a point, so kgen's GANs take them as they are, with networks of our own.
#
# The second GAN has R1 (Mescheder et al. 2018), $\frac{\gamma}{2} \mathbb{E}[\lVert \nabla D(x)
# \rVert^2]$ at real images, as WGAN-GP's an argument of every GAN: `r1_weight`.

# %%
MODES, STD, HALF = 2.0 * np.indices((5, 5)).reshape(2, 25).T - 4.0, 0.05, 6.0
ROUNDS = 1 if QUICK else 24
STEPS = 20 if QUICK else 500


def perceptron(inputs, outputs, activation):
    x = keras.layers.Flatten()(inputs)
    for _ in range(4):
        x = keras.layers.Dense(128, activation, kernel_initializer="he_normal")(x)
    return keras.layers.Dense(outputs)(x)


def sample_of_mixture(r1_weight):
    """2,500 points of a GAN that is trained on the mixture."""
    keras.utils.set_random_seed(0)
    z, x = keras.Input((2,)), keras.Input((1, 1, 2))
    gan = kgen.GAN(
        (1, 1, 2),
        latent_dim=2,
        generator=keras.Model(z, keras.layers.Reshape((1, 1, 2))(perceptron(z, 2, "relu"))),
        discriminator=keras.Model(x, perceptron(x, 1, "leaky_relu")),
        r1_weight=r1_weight,
        ema_decay=0.999,
        seed=0,
    )
    rate = keras.optimizers.schedules.PolynomialDecay(1e-3, ROUNDS * STEPS, 0.0)
    gan.compile({p: keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.99) for p in gan.players()})
    num = STEPS * 128
    points = MODES[np.random.randint(25, size=num)] + STD * np.random.randn(num, 2)
    points = (0.5 + 0.5 * points / HALF).astype("float32").reshape(-1, 1, 1, 2)
    gan.fit(points, batch_size=128, epochs=ROUNDS, verbose=0)
    return (2.0 * gan.sample(2500, seed=0).reshape(-1, 2) - 1.0) * HALF


def density(points):
    """Points as an image: the darker, the more."""
    edges = np.linspace(-HALF, HALF, 97)
    return 1.0 - np.minimum(1.0, np.histogram2d(*points.T, bins=(edges, edges))[0] / 4.0)[..., None]


pictures = []
for name, r1_weight in (("GAN", 0.0), ("GAN with R1", 0.02)):
    points = sample_of_mixture(r1_weight)
    distances = np.linalg.norm(points[:, None] - MODES, axis=-1)
    good = distances.min(axis=1) < 3 * STD
    found = len(np.unique(distances[good].argmin(axis=1)))
    print(f"{name:<12} {found:2} of 25 modes, {100 * good.mean():.0f}% of the samples near one")
    pictures.append(density(points))
kgen.pictures.grid(np.stack(pictures), columns=2, scale=3)

# %% [markdown]
# The plain GAN leaves out whole modes, the second none, at about the same quality.
# `benchmarks/results/mixtures.md` has seven models, two mixtures and three seeds of each: the plain
# GAN finds 18.0 of these 25 modes on average, and DCGAN and LSGAN with R1, and WGAN-GP, all. WGAN,
# at the paper's rate, is far from done after the same number of steps.

# %% [markdown]
# ## What to try next
#
# - `kgen.DCGAN(..., r1_weight=1.0)`: does the table of digits become more even?
# - `loss="hinge"` with `spectral_normalization=True`, `loss="relativistic_average"`, or a pair of
#   functions of your own: see the notebook `your_own_model`.
# - `num_classes=10` asks for a digit: see the notebook `conditional`.
# - Two T4 on Kaggle: make and compile the model inside `with
#   tf.distribute.MirroredStrategy().scope():`. A TPU, or two GPUs on JAX:
#   `keras.distribution.set_distribution(keras.distribution.DataParallel())` before the model is
#   made. `batch_size` is that of all devices together, and `BatchNorm` has the moments of all.
