# %% [markdown]
# # From belief nets to PixelCNN++
#
# For thirty years one equation has made exact models of images:
#
# $$\log p(x) = \sum_{i} \log p(x_i \,|\, x_1, \dots, x_{i-1}).$$
#
# The pixels come in an order, each has its distribution given those before it, and the sum is the
# likelihood: no bound, no adversary. What changed from 1995 to 2017 is how a network shares its
# work among the 784 factors. This notebook trains six of these models on the same images for some
# minutes at most, asks each how likely the test images are, and shows what each of them sees.
#
# | year | model | how a factor is made |
# |---|---|---|
# | 1995 | FVSBN | a logistic regression of its own |
# | 2011 | NADE | a hidden layer whose sums are those of the pixel before, and one term more |
# | 2015 | MADE | one pass through a network whose masks leave out what comes later |
# | 2016 | PixelCNN | the same, with convolutions: all pixels share their weights |
# | 2016 | PixelRNN | an LSTM over the rows: no limit to what lies above |
# | 2017 | PixelCNN++ | two streams, several scales, and a better likelihood for many levels |

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST's grey values, drawn black or white anew each time they are seen. So figures are comparable
# among themselves, and not with those of the fixed binarization of many papers.

# %%
import itertools
import time

import numpy as np
from IPython.display import display
from keras import ops

from kgen.backend import input_gradient

data = open_data("digits" if QUICK else "mnist", batch_size=32)
hundreds = open_data("digits" if QUICK else "mnist", batch_size=100).train
shape = height, width, _ = data.image_shape
images, labels = data.test.take(100 if QUICK else 1000)
found, seconds = {}, {}


def train(name, model, batches, rate, epochs=1, steps=None):
    """Passes over the data, or so many steps, at a rate that falls to 0; then test images."""
    epochs, steps = (1, 4) if QUICK else (epochs, steps or len(batches))
    decay = keras.optimizers.schedules.CosineDecay(rate, epochs * steps)
    model.compile(keras.optimizers.Adam(decay))
    started = time.time()
    model.fit(batches, epochs=epochs, steps_per_epoch=steps, verbose=0)
    seconds[name] = time.time() - started
    found[name] = -model.log_likelihood(images, seed=0).mean()
    print(f"{name}: {found[name]:.2f} nats after {epochs * steps:,} steps, {seconds[name]:.0f} s")


# %% [markdown]
# ## 1995: a logistic regression a pixel
#
# The fully visible sigmoid belief net: $p(x_i = 1 \,|\, x_1, \dots, x_{i-1}) = \sigma(b_i +
# \sum_{j<i} W_{ij} x_j)$, a strictly triangular matrix and a bias. `adapt` begins at the mean
# image, which for a model of no weights would be the best there is.

# %%
fvsbn = kgen.FVSBN(shape, seed=0)
fvsbn.adapt(data.train)
start = -fvsbn.log_likelihood(images, seed=0).mean()
print(f"independent pixels of the mean image: {start:.2f} nats")
train("FVSBN", fvsbn, hundreds, rate=1e-2, epochs=10)
kgen.pictures.samples(fvsbn, 20, seed=0)

# %% [markdown]
# What a pixel in the middle looks at: the weights from those before it. Nothing of what comes
# later, most of it near by, and along the border, whose pixels are hardly ever white, so that
# nothing holds their weights.

# %%


def influence(model, row, column):
    """How far the logit of a pixel moves with each other pixel, by its derivatives."""
    x = ops.convert_to_tensor((images[:16] / 255.0).astype("float32"))

    def logit(x):
        return model.network(2.0 * x - 1.0)[:, row, column, 0]

    gradient = input_gradient(logit, x)
    return np.abs(ops.convert_to_numpy(gradient))[..., 0].mean(axis=0)


def show_influence(models, row, column):
    """A picture of each, brighter where it depends more, in powers of ten; the pixel is white."""
    pictures = []
    for model in models:
        seen = influence(model, row, column)
        assert (seen.reshape(-1)[row * width + column :] == 0).all()  # nothing from there on
        bright = 0.2 + 0.15 * np.log10(seen + 1e-5) + 0.75
        picture = np.where(seen > 0, np.clip(bright, 0.2, 0.9), 0.0)
        picture[row, column] = 1.0
        pictures.append(picture[..., None])
    return kgen.pictures.grid(np.stack(pictures), columns=len(models), scale=5)


show_influence([fvsbn], height // 2, width // 2)

# %% [markdown]
# ## 2011: NADE, and the sum that runs along
#
# One hidden layer a pixel, of weights that are shared: $h_i = \sigma(c + \sum_{j<i} W_j x_j)$. The
# sum of pixel $i$ is that of pixel $i-1$ and one term more, so that all 784 hidden layers cost as
# much as 784 additions of a vector:

# %%
nade = kgen.NADE(shape, width=16 if QUICK else 250, seed=0)
nade.adapt(data.train)
x = (images[:1] > 127).astype("float64").reshape(-1)
w, c, v, b = (
    ops.convert_to_numpy(each).astype("float64")
    for each in (nade.network.w, nade.network.c, nade.network.v, nade.network.bias)
)
running, by_hand = c.copy(), 0.0
for i, pixel in enumerate(x):
    logit = b[i, 0] + (1.0 / (1.0 + np.exp(-running))) @ v[i, :, 0]
    by_hand += pixel * logit - np.log1p(np.exp(logit))
    running += pixel * w[i]
by_kgen = nade.log_likelihood(x.reshape(1, *shape), seed=0)[0]
print(f"by hand {by_hand:.4f} nats, by kgen {by_kgen:.4f}")
assert np.isclose(by_hand, by_kgen, rtol=1e-4)

# %%
train("NADE", nade, hundreds, rate=3e-3, epochs=2)
kgen.pictures.samples(nade, 20, seed=0)

# %% [markdown]
# ## 2015: MADE, one pass and an order of one's own
#
# An autoencoder, whose hidden units each have a number: a unit of number $m$ sees the first $m$
# pixels, and an output sees units of numbers below its own. One pass gives all 784 factors. A mask
# can be made for any order of the pixels. With several, the honest model is their mixture, $\frac1K
# \sum_k p_k(x)$: the probabilities are averaged, never the logits, which would not sum to 1.
#
# A network small enough to try it: all 512 binary images of 3x3, three orders.

# %%
small = kgen.MADE((3, 3, 1), width=20, orders=3, seed=0)
everything = np.array(list(itertools.product((0.0, 1.0), repeat=9))).reshape(-1, 3, 3, 1)
p = np.exp(small.log_likelihood(everything, seed=0).astype("float64"))
print(f"the probabilities of all {len(p)} images sum to {p.sum():.6f}")
assert np.isclose(p.sum(), 1.0, atol=1e-5)

# %%
made = kgen.MADE(shape, width=32 if QUICK else 500, seed=0)
made.adapt(data.train)
train("MADE", made, hundreds, rate=1e-3, epochs=10)
kgen.pictures.samples(made, 20, seed=0)

# %% [markdown]
# ## 2016: convolutions, and recurrence
#
# A stroke looks the same wherever it is, and the dense models must learn it anew at each place. A
# PixelCNN slides one masked network over the image: a fiftieth of MADE's weights, and after a
# twentieth of its images nearly the same likelihood. It sees as far as its layers reach. A Row LSTM
# hands a state from row to row, so that it sees a triangle up to the upper edge:

# %%
cnn = kgen.PixelCNN(shape, levels=2, width=4 if QUICK else 16, depth=2 if QUICK else 7, seed=0)
train("PixelCNN", cnn, data.train, rate=3e-3, steps=900)
rnn = kgen.PixelRNN(shape, levels=2, cell="row", width=4 if QUICK else 16, depth=2, seed=0)
train("Row LSTM", rnn, data.train, rate=3e-3, steps=900)
for model in (fvsbn, nade, made, cnn, rnn):
    print(f"{type(model).__name__:>8} {model.network.count_params():>9,} parameters")

# %% [markdown]
# What a pixel in the lower half depends on: FVSBN, NADE, MADE, PixelCNN, Row LSTM. Black has no
# influence at all. Stacked masked convolutions have a *blind spot* to the right above, which
# the later gated PixelCNN and PixelCNN++ mend with a second stack; a Row LSTM has its triangle, a
# Diagonal BiLSTM (`cell="diagonal"`) would see everything.

# %%
show_influence([fvsbn, nade, made, cnn, rnn], height * 2 // 3, width // 2)

# %%
kgen.pictures.samples(cnn, 20, seed=0)

# %%
kgen.pictures.samples(rnn, 20, seed=0)

# %% [markdown]
# ## 2017: PixelCNN++
#
# Two streams of shifted convolutions, short-cuts across scales, an average of the weights. On black
# and white images its likelihood is the Bernoulli of the others:

# %%
plus = kgen.PixelCNNPlusPlus(
    shape, levels=2, width=4 if QUICK else 16, depth=1, dropout=0.0, ema_decay=0.99, seed=0
)
train("PixelCNN++", plus, data.train, rate=2e-3, steps=700)
kgen.pictures.samples(plus, 20, seed=0)

# %% [markdown]
# For 256 levels a softmax has 256 logits a pixel, and does not know that 127 is next to 128. A
# mixture of logistic distributions, cut into bins, has ten numbers a component:
#
# $$p(x) = \sum_k \pi_k \left[\sigma\!\left(\tfrac{x + 1/2 - \mu_k}{s_k}\right) -
# \sigma\!\left(\tfrac{x - 1/2 - \mu_k}{s_k}\right)\right],$$
#
# and the first and the last bin reach to infinity, so that nothing is lost beyond the edges. Three
# components, over all 256 levels from black to white:

# %%
mixture = kgen.distributions.LogisticMixture(3, levels=256)
parameters = np.array([1.0, 1.0, 0.3, -1.1, -0.2, 0.7, -1.0, -3.5, -2.0], "float32")
grid = ops.reshape(ops.arange(256, dtype="float32") / 255.0, (-1, 1, 1, 1))
outputs = ops.tile(ops.reshape(ops.convert_to_tensor(parameters), (1, 1, 1, -1)), (256, 1, 1, 1))
p = np.exp(-ops.convert_to_numpy(mixture.nll(grid, outputs)).astype("float64"))
print(f"the 256 levels sum to {p.sum():.6f}; black has {p[0]:.4f}, its neighbour {p[1]:.4f}")
assert np.isclose(p.sum(), 1.0, atol=1e-4)
bars = np.linspace(0.03, 0.0, 60)[:, None] < p  # cut off at 0.03
kgen.pictures.grid(bars[None, ..., None].astype("float32"), columns=1, scale=2)

# %% [markdown]
# ## What they know
#
# Nats an image, of the same 1,000 test images: lower is better. Seconds are of this machine.

# %%
for name, nats in found.items():
    print(f"{name:>12} {nats:8.2f} nats {seconds[name]:6.0f} s")

# %% [markdown]
# All of them complete images, from what comes before in their order. The same upper halves, by a
# model of 1995 and by two of later years:

# %%
hidden = np.arange(height)[:, None].repeat(width, axis=1) >= height // 2
for model in (fvsbn, made, plus):
    display(kgen.pictures.completions(model, images[:4], hidden, copies=6, seed=0))

# %% [markdown]
# ## What to try next
#
# - Longer: `examples/belief_nets_mnist.py` and `examples/pixel_cnn_mnist.py` train each of them for
#   longer, and `docs/models` has their figures.
# - `kgen.MADE(orders=8)`, and completions of another part than the lower half: an image is
#   completed in the order that is drawn for it.
# - `kgen.PixelRNN(subsampling=4)`: a small image first, then all that lies between its pixels.
# - Labels: `num_classes=10` for each of them but `kgen.PixelCNN`.
