# %% [markdown]
# # Asking for an image: conditional GAN and InfoGAN
#
# A GAN draws what it likes. Two papers put a handle on it. A *conditional* GAN (Mirza & Osindero
# 2014) tells both players the label, and then draws the digit that it is asked for. An *InfoGAN*
# (Chen et al. 2016) gets no labels: it is told to use a code of ten categories and two numbers so
# that the code can be read off the image, and finds by itself what to use them for.
#
# This notebook trains both, and measures how well they obey.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST, with its labels, which InfoGAN will not see. Networks have a quarter of the papers'
# channels; `python examples/gan.py --model cgan` and `infogan` train them whole: 96.5% of the
# samples of the one are of the digit that was asked for, after 24 minutes of one core, and 5.1% of
# the test images get another digit from the other, after 34.

# %%
import inspect

import numpy as np
from IPython.display import Image
from keras import ops

data = open_data("digits" if QUICK else "mnist", batch_size=64)
test_images, test_labels = data.test.take()
WIDTH = 8 if QUICK else 16  # 64


def show_source(*functions):
    print("\n".join(inspect.getsource(each) for each in functions))


kgen.pictures.grid(test_images[:32], columns=16)

# %% [markdown]
# ## The conditional GAN
#
# Every distribution gets a condition $y$, and nothing else changes:
#
# $$-\mathbb{E}[\log D(x|y)] - \mathbb{E}[\log(1 - D(G(z|y)|y))].$$
#
# A sharp picture of a 3 is a fake if a 7 was asked for, since the discriminator knows what was
# asked for. The step is DCGAN's: `y` goes where `x` and `z` go.

# %%
show_source(kgen.GAN.training_step)

# %% [markdown]
# How does a label enter a network? As ten more channels, of which that of the label is 1 at every
# pixel, beside the channels of every layer. The shapes that layers take show it: 10 more than the
# layer before gave.

# %%
cgan = kgen.ConditionalGAN(data.image_shape, condition=data.condition, width=WIDTH, seed=0)
for layer in cgan.discriminator.layers:
    if "onv2" in type(layer).__name__ or "Dense" in type(layer).__name__:
        print(f"{type(layer).__name__:<8} {layer.input.shape} -> {layer.output.shape}")

# %% [markdown]
# `condition=data.condition` is ten classes with their names; `num_classes=10` is the same without
# names. `condition=` may also be attributes, vectors, tokens or images (`kgen.fields`).


# %%
def train(gan, rates, epochs, **kwargs):
    gan.compile({p: keras.optimizers.Adam(rate, beta_1=0.5) for p, rate in rates.items()})
    gan.fit(data.train, epochs=1 if QUICK else epochs, shuffle=False, verbose=0, **kwargs)


train(cgan, {"discriminator": 4e-4, "generator": 4e-4}, epochs=2)  # 5, at 2e-4
kgen.pictures.samples(cgan, 100, seed=0)

# %% [markdown]
# A row a digit, each sample of noise of its own. With the *same* noise for all ten labels (a row a
# noise vector), what stays along a row is what noise stands for beside the digit, such as weight
# and slant:

# %%
z = np.repeat(cgan.draw_latents(6, seed=1), 10, axis=0)
kgen.pictures.grid(cgan.decode(z, np.tile(np.arange(10), 6)), columns=10)

# %% [markdown]
# How often is a sample the digit that was asked for? A classifier, trained on real images, decides:

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
images, labels = data.train.take()
classifier.fit(images / 255.0, labels, batch_size=128, epochs=1 if QUICK else 2, verbose=0)
accuracy = classifier.evaluate(test_images / 255.0, test_labels, verbose=0)[1]
wanted = np.arange(2000) % 10
found = classifier.predict(cgan.sample(2000, wanted, seed=2), verbose=0).argmax(axis=1)
print(f"test images:  {100 * accuracy:.1f}% right")
print(f"samples:      {100 * np.mean(found == wanted):.1f}% of the digit that was asked for")
for digit in range(10):
    of_digit = found[wanted == digit]
    print(f"  {digit}: {100 * np.mean(of_digit == digit):3.0f}%")

# %% [markdown]
# ## InfoGAN: codes without labels
#
# The generator gets noise $z$ and a code $c$: one of ten categories and two numbers in $[-1, 1]$.
# It could ignore the code. So a third network $Q$, on top of the discriminator's features, guesses
# the code from the image, and both players are rewarded for a good guess,
#
# $$L_I(G, Q) = \mathbb{E}[\log Q(c \,|\, G(z, c))] + H(c) \le I(c;\, G(z, c)),$$
#
# a lower bound on the information that the image has on the code. With $\lambda L_I$ subtracted
# from both losses the generator has to make the code visible, and the easiest way to make ten
# categories visible among digits is ten digits.

# %%
show_source(kgen.InfoGAN.common_loss, kgen.InfoGAN.information)

# %% [markdown]
# By hand, for one image: category 3, for which $Q$ gives the logit 2 and 0 for the others, and the
# numbers 0.5 and -0.5, for which it gives means of 0. A number has $H = \log 2$, and $Q$'s normal
# distribution a standard deviation of 1.

# %%
infogan = kgen.InfoGAN(data.image_shape, width=WIDTH, info_weight=0.1, ema_decay=0.99, seed=0)
codes = np.array([[*np.eye(10)[3], 0.5, -0.5]], "float32")
outputs = np.array([[*2.0 * np.eye(10)[3], 0.0, 0.0]], "float32")
log_category = 2.0 - np.log(np.exp(2.0) + 9.0)
log_numbers = 2 * (-0.5 * 0.5**2 - 0.5 * np.log(2.0 * np.pi))
by_hand = log_category + np.log(10.0) + log_numbers + 2 * np.log(2.0)
by_kgen = infogan.information(*map(ops.convert_to_tensor, (codes, outputs)))
print(f"{by_hand:.5f} by hand, {float(ops.convert_to_numpy(by_kgen)[0]):.5f} by kgen")

# %%
grids = kgen.callbacks.SampleGrid(f"{OUT}/samples", num=9)
steps = 3 if QUICK else 281  # ten rounds are three epochs; 6
train(
    infogan,
    {"discriminator": 2e-4, "generator": 1e-3},
    epochs=10,
    steps_per_epoch=steps,
    callbacks=[grids],
)
frames = [f"{OUT}/samples/epoch-{n + 1:04d}.png" for n in infogan.history.epoch]
kgen.pictures.animation(frames, f"{OUT}/training.gif", seconds=0.5)
Image(f"{OUT}/training.gif")

# %% [markdown]
# Three blocks. In the first, each column is a category, each row has noise of its own. In the
# second and third one number goes from -1 to 1 along each row, while all else stays.

# %%
kgen.pictures.codes(infogan, rows=5, seed=0)

# %% [markdown]
# The ten categories are the ten digits, and nobody said so. Both numbers went for slant, and a
# little for weight; the paper's, trained longer, are rotation and width.
#
# Which digit did each category become, and how good is $Q$ as a classifier that has not seen a
# label? A category stands for the digit that it has most often among training images:

# %%
inferred = infogan.infer_codes(images[:5000])[:, 0].astype(int)
counts = np.zeros((10, 10), int)
np.add.at(counts, (inferred, labels[:5000]), 1)
digit_of = counts.argmax(axis=1)
for category in range(10):
    share = counts[category].max() / max(1, counts[category].sum())
    print(f"category {category} is mostly {digit_of[category]}, {100 * share:3.0f}% of its images")
inferred = infogan.infer_codes(test_images)[:, 0].astype(int)
print(f"another digit: {100 * np.mean(digit_of[inferred] != test_labels):.1f}% of the test images")

# %% [markdown]
# Both handles are verbs of the model: `infogan.sample(16, codes=[7, 0.0, 0.5])` draws with a code,
# `infogan.infer_codes(images)` reads it off. An image's own code, then, with its numbers changed:

# %%
code = infogan.infer_codes(test_images[:5])
rows = np.repeat(code, 9, axis=0)
rows[:, 1] = np.tile(np.linspace(-1.0, 1.0, 9), 5)
drawn = infogan.sample(45, codes=rows, seed=3).reshape(5, 9, *data.image_shape)
pairs = np.concatenate([test_images[:5, None] / 255.0, drawn], axis=1)
kgen.pictures.grid(pairs.reshape(-1, *data.image_shape), columns=10)

# %% [markdown]
# The first column is the image, of whose code the category is kept in its row.
#
# ## What to try next
#
# - `projection=True`: the label enters the discriminator as an inner product (Miyato & Koyama
#   2018).
# - `info_weight=1.0`, as in the paper: after 10 epochs of the whole networks two categories mix 7
#   and 9, and 10.7% of the test images get another digit. `categorical=(10, 2)` has a second code.
# - A VAE can be asked, too: `kgen.VAE(..., condition=data.condition)`, see the notebook `vae`.
# - Two T4 on Kaggle: make and compile the model inside `with
#   tf.distribute.MirroredStrategy().scope():`. A TPU, or two GPUs on JAX:
#   `keras.distribution.set_distribution(keras.distribution.DataParallel())` before the model is
#   made. `batch_size` is that of all devices together.
