# %% [markdown]
# # PixelCNN: one pixel after another
#
# Every distribution of images is a product of small ones: the first pixel, the second given the
# first, and so on. A PixelCNN (van den Oord et al. 2016) is a convolutional network that computes
# all the factors of an image at once. So the likelihood is exact, with neither a bound nor an
# adversary, training is that of a classifier, and an image with a hole can be completed.
#
# What it costs is sampling: pixels have to be drawn in turn. This notebook shows the masks that
# make it work, and why in kgen the 784 pixels of an image do not cost 784 passes of the network.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST's grey values, drawn black or white anew each time they are seen (`levels=2`).

# %%
import inspect
import time

import numpy as np
from IPython.display import Image
from keras import ops

data = open_data("digits" if QUICK else "mnist", batch_size=32)
images, labels = data.test.take(1000)
height, width, _ = data.image_shape
kgen.pictures.grid(images[:32], columns=16)

# %% [markdown]
# ## The equation, and the code that is it
#
# $$\log p(x) = \sum_{i=1}^{n} \log p(x_i \,|\, x_1, \dots, x_{i-1}),$$
#
# pixels row by row. A network gives a logit for each pixel; the loss is the cross-entropy of the
# pixels themselves, summed:

# %%
from kgen.models.autoregressive.autoregressive_model import AutoregressiveModel


def show_source(*functions):
    print("\n".join(inspect.getsource(each) for each in functions))


show_source(AutoregressiveModel.negative_log_likelihood, AutoregressiveModel._nll)

# %% [markdown]
# It is a likelihood only if no logit sees its own pixel or a later one. Convolutions are masked for
# this; the gated PixelCNN has a *vertical* stack, which sees the rows above, and a *horizontal*
# one, which sees its row so far, and gates $y = \tanh(W_f * x) \odot \sigma(W_g * x)$. Here it is
# told the digit, too: $p(x_i \,|\, x_1, \dots, x_{i-1}, y)$.

# %%
model = kgen.GatedPixelCNN(
    data.image_shape,
    levels=2,
    width=4 if QUICK else 12,  # 16
    depth=2 if QUICK else 6,  # 7
    condition=data.condition,
    seed=0,
)
print(f"{model.network.count_params():,} parameters")

# %% [markdown]
# Does it keep to the order? Change one pixel in the middle, and see which logits change: none
# before it, nor its own. What is white in the picture changed.

# %%
x = np.zeros((1, *data.image_shape), "float32")
changed = x.copy()
changed[0, height // 2, width // 2] = 1.0
label = np.array([7], "int32")
before, after = (ops.convert_to_numpy(model.network([each, label])) for each in (x, changed))
moved = before != after
assert not moved.reshape(-1)[: height // 2 * width + width // 2 + 1].any()
kgen.pictures.grid(moved, scale=8)

# %% [markdown]
# And that the sum is the likelihood: by hand, from the logits of the bare network, against
# `log_likelihood`, of images that are black and white already.

# %%
binary = (images[:100] > 127).astype("float32")
logits = ops.convert_to_numpy(model.network([2.0 * binary - 1.0, labels[:100]])).astype("float64")
p = 1.0 / (1.0 + np.exp(-logits))
by_hand = (binary * np.log(p) + (1.0 - binary) * np.log(1.0 - p)).sum(axis=(1, 2, 3))
by_kgen = model.log_likelihood(binary, labels[:100], seed=0)
print(f"by hand {by_hand.mean():.3f} nats, by kgen {by_kgen.mean():.3f}")
assert np.allclose(by_hand, by_kgen, rtol=1e-4)

# %% [markdown]
# ## Training
#
# One pass over the 60,000 images, with a rate that falls to 0. `examples/pixel_cnn_mnist.py` makes
# two passes with seven blocks: 90.3 nats without labels in 8 minutes of one core, 88.4 with labels
# after one pass at a rate that had fallen to half. Ten passes of 16 channels come to 86.07 in an
# hour.

# %%
ROUNDS, STEPS = (2, 4) if QUICK else (8, 234)  # eight rounds are a pass; 80
rate = keras.optimizers.schedules.CosineDecay(3e-3, ROUNDS * STEPS)
model.compile(keras.optimizers.Adam(rate))
grids = kgen.callbacks.SampleGrid(f"{OUT}/samples", num=10)
fitting = {"epochs": ROUNDS, "steps_per_epoch": STEPS, "shuffle": False, "verbose": 0}
started = time.time()
model.fit(data.train, callbacks=[grids], **fitting)
print(f"{time.time() - started:.0f} s")
nats = model.log_likelihood(images, labels, seed=0)
print(f"log p(x|y) of 1,000 test images: {nats.mean():.2f} nats, exact")

# %% [markdown]
# A sample of each digit after each eighth of the pass, always of the same seeds:

# %%
frames = [f"{OUT}/samples/epoch-{n + 1:04d}.png" for n in model.history.epoch]
kgen.pictures.animation(frames, f"{OUT}/training.gif", seconds=0.6)
Image(f"{OUT}/training.gif")

# %% [markdown]
# Which images does it find likely? The eight of the highest and the eight of the lowest likelihood:

# %%
order = np.argsort(-nats)
kgen.pictures.grid(images[np.concatenate([order[:8], order[-8:]])], columns=8)

# %% [markdown]
# Since $p(y|x) \propto p(x|y)$ where all digits are as frequent, the model is a classifier that
# nobody trained as one:

# %%
some = images[:200]
per_digit = [model.log_likelihood(some, digit, seed=0) for digit in range(10)]
right = np.mean(np.argmax(per_digit, axis=0) == labels[:200])
print(f"right about {100 * right:.0f}% of 200 test images")

# %% [markdown]
# ## Sampling at the price of a few passes
#
# A row a digit. Pixels are drawn one after another; a lower `temperature` prefers likelier ones.
# After one pass over the data strokes are clean, and many of them digits, but by far not all.

# %%
kgen.pictures.samples(model, 100, seed=0, temperature=0.9)

# %% [markdown]
# The plain way makes a pass of the network over the whole image for each pixel, of which all is
# thrown away but one logit. kgen keeps what each layer computed of the pixels before, and computes
# each layer at one pixel only, in a loop that the backend compiles. Both for 64 images, in seconds:

# %%
y = np.arange(64, dtype="int32") % 10


def seconds(function):
    function()  # compiles
    started = time.time()
    function()
    return time.time() - started


one_pass = seconds(lambda: model.log_likelihood(np.zeros((64, *data.image_shape)), y, seed=0))
ours = seconds(lambda: model.sample(64, y, seed=0))
print(f"one pass {one_pass:.3f} s, {height * width} passes {height * width * one_pass:.0f} s")
print(f"sample(64) {ours:.2f} s: {ours / one_pass:.1f} passes")

# %% [markdown]
# `benchmarks/results/autoregressive_sampling.md` has a wider network: 0.8 to 4.2 passes for 64
# images on the three backends.
#
# ## Completions
#
# What comes first is given, what comes after is drawn: each row shows what the model is given, five
# completions and the image itself. It knows the digit and sees the upper half.

# %%
kgen.pictures.completions(
    model, images[:8], model.lower_half(), labels[:8], copies=5, seed=0, temperature=0.9
)

# %% [markdown]
# Told another digit, it goes on another way, as far as the upper half allows:

# %%
upper = np.repeat(images[:1], 10, axis=0)
kgen.pictures.completions(
    model, upper, model.lower_half(), np.arange(10), copies=5, seed=0, temperature=0.9
)

# %% [markdown]
# ## What to try next
#
# - `kgen.PixelCNN`, the earlier one, which has a blind spot: pixels to the right above that no
#   layer sees. Repeat the experiment with the changed pixel.
# - More levels: `levels=16` of grey, 256 for 8-bit colour, and then `bits_per_dim`:
#   `examples/pixel_cnn_cifar10.py` comes to 4.07 in 20 minutes of one core.
# - A hole in the middle: any mask (height, width) will do, but what is shown *after* a hidden pixel
#   has no influence on it.
# - Two T4 on Kaggle: make and compile the model inside `with
#   tf.distribute.MirroredStrategy().scope():`. A TPU, or two GPUs on JAX:
#   `keras.distribution.set_distribution(keras.distribution.DataParallel())` before the model is
#   made. The batch of 32 is that of all devices together.
