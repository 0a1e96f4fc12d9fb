# %% [markdown]
# # Diffusion: from noise to images
#
# Add a little noise to an image, a thousand times, and nothing is left of it. A diffusion model (Ho
# et al. 2020) learns one thing: to tell the noise in an image from the image, at any of these
# times. Asked again and again it goes all the way back, and an image is there that nobody has
# drawn.
#
# This notebook trains one on handwritten digits, reads its equation in the code, goes from noise to
# digits by four samplers in 5 to 50 steps, asks for digits with more and less emphasis, completes
# halves, goes from one digit to another, and measures the likelihood. At the end the noise is taken
# out along straight lines: flow matching.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST's digits, here at 16x16 pixels.

# %%
import inspect
import time

import numpy as np
from IPython.display import Image

SIZE = None if QUICK else 16  # 28
data = open_data("digits" if QUICK else "mnist", batch_size=64, image_size=SIZE)
images, labels = data.test.take(1000)
kgen.pictures.grid(images[:32], columns=16)

# %% [markdown]
# ## To noise
#
# At time $t$ there is
#
# $$x_t = \sqrt{\bar\alpha_t} \, x_0 + \sqrt{1 - \bar\alpha_t} \, \varepsilon, \quad \varepsilon
# \sim N(0, I)$$
#
# of an image $x_0$, whose pixels are in $[-1, 1]$. With the cosine schedule $\bar\alpha_t$ falls
# from 1 to nearly 0, and is one half in the middle. `noisy` does it to images; a row is one image,
# at ten times:

# %%
model = kgen.DDPM(
    data.image_shape,
    width=8 if QUICK else 32,
    patch=2,  # squares of 2x2 pixels are one, for two CPU cores; 1
    dropout=0.0,
    schedule="cosine",
    ema_decay=0.99 if QUICK else 0.999,
    condition=data.condition,
    seed=0,
)
times = np.linspace(0, 999, 10).astype("int32")
way = [model.noisy(images[:4], t, seed=0) for t in times]
kgen.pictures.grid(np.clip(np.stack(way, axis=1), 0, 1).reshape(-1, *data.image_shape), columns=10)

# %% [markdown]
# ## The equation, and the code that is it
#
# $$L = \mathbb{E}_{t, x_0, \varepsilon} \, \Vert \varepsilon - \varepsilon_\theta(x_t, t) \Vert^2$$
#
# The network $\varepsilon_\theta$, a U-Net, is told $t$ and the digit, and finds the noise. That is
# all of the training:

# %%


def show_source(*functions):
    print("\n".join(inspect.getsource(each) for each in functions))


show_source(kgen.DDPM.loss_of_each)
print(f"{model.network.count_params():,} parameters")

# %% [markdown]
# ## Training
#
# `SampleGrid` draws from the same noise after each half of a pass. The seconds are of one core that
# had other work. With twelve passes at 28x28, which `examples/ddpm_mnist.py` makes in 72 minutes of
# one core, nearly all samples are digits.

# %%
ROUNDS, STEPS = (2, 4) if QUICK else (8, 469)  # eight rounds are four passes


def train(model):
    rate = keras.optimizers.schedules.CosineDecay(1e-3, ROUNDS * STEPS)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0))
    grids = kgen.callbacks.SampleGrid(f"{OUT}/{model.name}", num=10)
    started = time.time()
    model.fit(
        data.train,
        epochs=ROUNDS,
        steps_per_epoch=STEPS,
        shuffle=False,
        verbose=0,
        callbacks=[grids],
    )
    print(f"{time.time() - started:.0f} s, loss {model.history.history['loss'][-1]:.4f}")


train(model)

# %% [markdown]
# The loss is 1 for a network that finds nothing, and falls fast; what it still falls by afterwards
# is what one sees:

# %%
frames = [f"{OUT}/{model.name}/epoch-{n + 1:04d}.png" for n in model.history.epoch]
kgen.pictures.animation(frames, f"{OUT}/training.gif", seconds=0.6)
Image(f"{OUT}/training.gif")

# %% [markdown]
# And the equation with nothing but the network, of 1,000 test images:

# %%
rng = np.random.default_rng(0)
t = rng.integers(0, 1000, len(images))
of_start, of_t = (np.cos((s / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 for s in (0, t + 1))
bar = (of_t / of_start)[:, None, None, None]  # the cosine schedule
x_0 = 2.0 * images / 255.0 - 1.0
eps = rng.standard_normal(x_0.shape)
x_t = np.sqrt(bar) * x_0 + np.sqrt(1.0 - bar) * eps
found = model.averaged.predict([x_t, t, labels, np.ones(len(t))], verbose=0)
by_hand = np.mean((eps - found) ** 2)
by_kgen = model.evaluate(images, labels, verbose=0, return_dict=True)["loss"]
print(f"by hand {by_hand:.4f}, by kgen {by_kgen:.4f}")
assert abs(by_hand / by_kgen - 1.0) < 0.2  # each has noise of its own

# %% [markdown]
# ## From noise
#
# A row is one sample on its way, the noise to the left:

# %%
kgen.pictures.chain(model, 10, seed=0, frames=12)

# %% [markdown]
# This is what `denoise` gives of the images from above, at the same ten times,
# $\mathbb{E}[x_0|x_t]$: of much noise a mean of the digit, of little the image itself. At the very
# last time $x_0$ is a difference of two noises, some 20,000 times enlarged, and says nothing.

# %%
guesses = [model.denoise(x, t, labels[:4]) for x, t in zip(way, times, strict=True)]
kgen.pictures.grid(np.stack(guesses, axis=1).reshape(-1, *data.image_shape), columns=10)

# %% [markdown]
# ## Four samplers
#
# The paper's sampler asks the network a thousand times. Which times, and what is done with the
# answers, can be chosen on a trained model. Each sampler is a few lines; DDIM (Song et al. 2020)
# mixes the image and the noise that were found anew, with less noise:

# %%
show_source(kgen.samplers.DDIM.rows, kgen.samplers.Sampler.step)

# %% [markdown]
# The same noise with 50, 20, 10 and 5 steps of DDIM, a row each:

# %%
digits = np.arange(10)
rows = [model.sample(10, digits, sampler="ddim", steps=s, seed=1) for s in (50, 20, 10, 5)]
kgen.pictures.grid(np.concatenate(rows), columns=10)

# %% [markdown]
# How good are they? A small classifier of the data says how many are the digit that was asked for,
# and its last layer has the features of a kernel distance (KID; lower is better, real images have
# about 0). Heun's method asks twice a step.

# %%
classifier = kgen.metrics.features.Classifier.train(data, steps=20 if QUICK else 600)
print(f"the classifier is right about {100 * classifier.accuracy:.1f}% of the test images")
asked = np.tile(digits, 2 if QUICK else 50)
real = classifier.extract(images).features


def judge(model, **kwargs):
    started = time.time()
    made = model.sample(len(asked), asked, seed=2, **kwargs)
    seconds = time.time() - started
    found = classifier.extract(made)
    right = np.mean(found.logits.argmax(axis=1) == asked)
    kid, _ = kgen.metrics.kernel_distance(found.features, real, subset_size=500)
    print(f"{kwargs}: {100 * right:.0f}% right, KID {kid:.1f}, {seconds:.0f} s")


ways_back = {"ddim": (50, 10), "dpm_solver": (10,), "heun": (10, 5), "ancestral": (50,)}
for sampler, numbers in ways_back.items():
    for steps in numbers:
        judge(model, sampler=sampler, steps=steps)

# %% [markdown]
# `benchmarks/results/diffusion_samplers.md` is the same for a model that was trained longer, at
# more numbers of steps.
#
# ## With emphasis
#
# A tenth of the images was shown without its digit, so the network knows both. *Guidance* goes from
# what it finds without the digit through what it finds with it, and beyond (Ho & Salimans 2022):
# $\varepsilon = \varepsilon_\theta(x_t) + s \, (\varepsilon_\theta(x_t, y) -
# \varepsilon_\theta(x_t))$. Rows of $s = 0$, where the digit does not count, 1, 2 and 4:

# %%
strengths = (0.0, 1.0, 2.0, 4.0)
rows = [model.sample(10, digits, guidance=s, steps=20, seed=1) for s in strengths]
display(kgen.pictures.grid(np.concatenate(rows), columns=10))
for guidance in (1.0, 2.0, 4.0):
    judge(model, sampler="ddim", steps=20, guidance=guidance)

# %% [markdown]
# Of a guidance of 2 all digits are right, and the distance is that of real images. With 4 they are
# plainer than those that people write, and more alike: the distance grows.
#
# ## Completions
#
# Where pixels are known they take the place of what was drawn, at each time. With `resamplings`
# each step is taken several times, so that the rest agrees with them (RePaint). Each row is what
# is shown, six completions, and the image itself:

# %%
kgen.pictures.completions(
    model, images[:6], model.lower_half(), labels[:6], copies=6, seed=0, steps=50, resamplings=4
)

# %% [markdown]
# ## There and back
#
# Without noise on the way a sampler can be run backwards: `encode` finds the noise of an image,
# `decode` its image. Between the noises of two images of a class there are images of it:

# %%
noise = model.encode(images[:8], labels[:8], steps=100)
back = model.decode(noise, labels[:8], steps=100)
error = np.abs(back - images[:8] / 255.0).mean()
print(f"there and back: a mean error of {error:.4f}; the noises' deviation is {noise.std():.2f}")
pairs = [np.flatnonzero(labels == digit)[:2] for digit in (2, 4, 7, 8)]
first, last = np.transpose(pairs)
ways = model.interpolate(images[first], images[last], labels[first], steps=11)
kgen.pictures.grid(ways.reshape(-1, *data.image_shape), columns=11)

# %% [markdown]
# ## The likelihood
#
# The thousand steps back, each a normal distribution, are a latent variable model with a bound on
# $\log p(x)$, a term for each time. In bits a pixel:

# %%
terms = model.bound(images[:20], labels[:20], seed=0).mean(axis=0)
terms = kgen.losses.bits_per_dim(terms, data.image_shape)
print(f"at most {terms.sum():.3f} bits a pixel, of these")
for start, stop in ((0, 10), (10, 100), (100, 500), (500, 1000)):
    print(f"{terms[start:stop].sum():.3f} at t = {start} ... {stop - 1}")

# %% [markdown]
# Most of it is in the first ten times, where no eye sees a difference: a model of high likelihood
# and one of good samples are not the same.
#
# ## Along straight lines
#
# Flow matching (Lipman et al. 2022) leaves out all that is of probability: between noise and image
# there is the straight line $x_t = t \, x + (1 - t) \, \varepsilon$, and the network learns the
# velocity along it, $x - \varepsilon$. The same U-Net, the same verbs, and ten steps do:

# %%
show_source(kgen.FlowMatching.loss_of_each)
flow = kgen.FlowMatching(
    data.image_shape,
    width=8 if QUICK else 32,
    patch=2,
    dropout=0.0,
    ema_decay=0.99 if QUICK else 0.999,
    condition=data.condition,
    seed=0,
)
train(flow)
display(kgen.pictures.samples(flow, 100, seed=0))
for sampler, steps in (("euler", 50), ("euler", 10), ("midpoint", 5)):
    judge(flow, sampler=sampler, steps=steps)

# %% [markdown]
# ## What to try next
#
# - `kgen.EDM`, where the noise is counted by its deviation, with Heun's method: the same verbs.
# - `prediction="v"`, `variance="learned"`, `weighting="min_snr"` or `"bound"`, `schedule="linear"`:
#   the parts of a DDPM. `architecture="dit"` is a transformer in place of the U-Net.
# - `coupling="optimal_transport"` pairs noise and images so that ways do not cross:
#   `examples/flow_matching_points.py`.
# - `kgen.LatentDiffusion(vae, kgen.FlowMatching((1, 1, 16)))`: the same among the codes of a VAE.
# - `model.export("saved_models/ddpm")` is for TensorFlow Serving, with the number of steps of
#   `model.sampler`: see the notebook `serving`.
# - Two T4 on Kaggle: make and compile the model inside `with
#   tf.distribute.MirroredStrategy().scope():`. A TPU, or two GPUs on JAX:
#   `keras.distribution.set_distribution(keras.distribution.DataParallel())` before the model is
#   made. The batch of 64 is that of all devices together.
