# %% [markdown]
# # The variational autoencoder
#
# An autoencoder squeezes an image through a few numbers and draws it again from these. A
# *variational* autoencoder (Kingma & Welling 2013) makes a probability model of it: the numbers $z$
# come from a normal distribution, so that new images can be drawn, and the likelihood of an image
# has a bound that can be computed.
#
# This notebook trains one on handwritten digits, reads its equation in the code, measures the
# likelihood, and uses the latent space: a plane, ways from one digit to another, arithmetic, and
# digits on demand.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# MNIST has 60,000 digits of 28x28 pixels for training and 10,000 for tests. `data.train` and
# `data.test` go to `fit` as they are.

# %%
import inspect

import numpy as np
from IPython.display import Image, display
from keras import ops

data = open_data("digits" if QUICK else "mnist", batch_size=100)
images, labels = data.test.take(1000)
print(data.num_train, "images for training,", data.num_test, "for tests:", data.image_shape)
kgen.pictures.grid(images[:32], columns=16)

# %% [markdown]
# ## The equation, and the code that is it
#
# The decoder gives $p(x|z)$, a black or white pixel each, the prior is $p(z) = N(0, I)$, and $\log
# p(x) = \log \int p(x|z) p(z) dz$ is what we would like to maximise. The integral is out of reach.
# With an encoder that proposes for each image the $z$ it may come from, $q(z|x) = N(\mu(x),
# \sigma^2(x))$, Jensen's inequality gives a bound, the *evidence lower bound*:
#
# $$\log p(x) \ge \mathbb{E}_{q(z|x)}[\log p(x|z)] - \mathrm{KL}(q(z|x) \,\|\, p(z)).$$
#
# The first term asks for a good copy of the image, the second for codes that look like the prior.
# The gradient passes through the sample since $z = \mu + \sigma \epsilon$ with $\epsilon \sim N(0,
# I)$. These are the lines of kgen that compute it:

# %%
from kgen.losses import bernoulli_nll, gaussian_kl
from kgen.posteriors.normal import NormalCodes


def show_source(*functions):
    print("\n".join(inspect.getsource(each) for each in functions))


show_source(kgen.VAE.negative_elbo, NormalCodes.__init__, gaussian_kl, bernoulli_nll)

# %% [markdown]
# And here it is again with nothing but the two networks, for a model that is not trained yet. The
# encoder's output is $\mu$ and $\log \sigma^2$ side by side; the divergence of two normal
# distributions has the closed form $\frac12 \sum (\mu^2 + \sigma^2 - 1 - \log \sigma^2)$.

# %%
vae = kgen.VAE(data.image_shape, latent_dim=20, seed=0)
x = ops.cast(images[:100] > 127, "float32")

mean, log_var = ops.split(vae.encoder(x), 2, axis=-1)
kl = 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1.0 - log_var, axis=-1)
of_samples = []
for _ in range(64):
    z = mean + ops.exp(0.5 * log_var) * keras.random.normal(mean.shape)
    p = ops.sigmoid(vae.decoder(z))
    log_p = x * ops.log(p) + (1.0 - x) * ops.log(1.0 - p)
    of_samples.append(ops.sum(log_p, axis=(1, 2, 3)) - kl)
by_hand = float(ops.mean(ops.stack(of_samples)))
by_kgen = vae.elbo(ops.convert_to_numpy(x), num_samples=64, seed=0).mean()
print(f"ELBO by hand {by_hand:.2f} nats, by kgen {by_kgen:.2f}")
assert abs(by_hand - by_kgen) < 1.0  # each has samples of its own

# %% [markdown]
# ## Training
#
# `adapt` starts the decoder at the mean image; `compile()` without an optimizer has the paper's,
# here the rate falls to 0 over the epochs. After each, `SampleGrid` draws from the same $z$. With
# `latent_dim=50` and 80 epochs, which `examples/vae_mnist.py` makes in 279 seconds on two shared
# CPU cores, the bound on the test images comes to -94.4 nats.

# %%
EPOCHS = 1 if QUICK else 10  # 80


def train(model, **kwargs):
    model.adapt(data.train)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(data.train))
    model.compile(keras.optimizers.Adam(rate))
    return model.fit(data.train, epochs=EPOCHS, shuffle=False, verbose=0, **kwargs)


grids = kgen.callbacks.SampleGrid(f"{OUT}/samples", num=12)
history = train(vae, validation_data=data.test, callbacks=[grids])
kgen.pictures.losses(history)

# %% [markdown]
# The loss is minus the bound; the panels beside it are its two terms. Training (blue) and test
# images (orange) stay together: the model does not learn images by heart. The samples of each
# epoch, one after another:

# %%
frames = [f"{OUT}/samples/epoch-{epoch + 1:04d}.png" for epoch in range(EPOCHS)]
kgen.pictures.animation(frames, f"{OUT}/training.gif", seconds=0.4)
Image(f"{OUT}/training.gif")

# %% [markdown]
# The copies (each second row) lose little of an image, though 784 pixels passed through 20 numbers:

# %%
kgen.pictures.reconstructions(vae, images[:16], columns=16)

# %% [markdown]
# ## The likelihood
#
# How far is the bound from $\log p(x)$? With $K$ samples it can be tightened (Burda et al. 2015):
#
# $$\log p(x) \ge \mathbb{E} \log \frac1K \sum_{k=1}^K \frac{p(x|z_k) p(z_k)}{q(z_k|x)}.$$
#
# $K = 1$ is the bound from above; in the limit it is the likelihood itself. All are in nats an
# image, higher is better:

# %%
print(f"ELBO      {vae.elbo(images, seed=0).mean():8.2f}")
for num_samples in (1, 10, 100):
    bound = vae.log_likelihood(images, num_samples=num_samples, seed=0).mean()
    print(f"K = {num_samples:<5} {bound:8.2f}")

# %% [markdown]
# ## The latent plane
#
# With two latents all that the model can draw fits on a sheet: equal steps of the prior's
# probability down and across.

# %%
plane = kgen.VAE(data.image_shape, latent_dim=2, seed=0)
train(plane)
kgen.pictures.manifold(plane, size=12)

# %% [markdown]
# Neighbours look alike, and digits pass into each other. Two numbers are too few for all that
# varies, and cost likelihood:

# %%
for model in (vae, plane):
    print(model.latent_dim, "latents:", model.elbo(images, seed=0).mean().round(2), "nats")

# %% [markdown]
# ## From one digit to another
#
# `interpolate` encodes two images, goes from one code to the other in equal steps, and decodes. In
# pixels a cross-fade has two ghosts halfway (the last row, of the first pair); here there is one
# digit on the way.

# %%
ways = vae.interpolate(images[:5], images[5:10], steps=13)
fade = np.linspace(0.0, 1.0, 13)[:, None, None, None]
fade = (1.0 - fade) * images[0] / 255.0 + fade * images[5] / 255.0
kgen.pictures.grid(np.concatenate([ways.reshape(-1, *data.image_shape), fade]), columns=13)

# %% [markdown]
# ## Arithmetic
#
# If a property of images is a direction in the latent space, it can be added. How far a digit leans
# is the slope of its pixels' columns over their rows. The mean code of the digits that lean most,
# less that of those that lean least, ten of each kind, is the direction $\bar z_{\text{leaning}} -
# \bar z_{\text{upright}}$; the third column is the code of an image as it is, to its right is half
# and all of the direction added, to its left subtracted.


# %%
def lean(images):
    """How many columns to the right a stroke goes for each row up."""
    rows, columns = np.indices(images.shape[1:3])
    weights = images[..., 0] / images.sum(axis=(1, 2, 3), dtype="float64")[:, None, None]
    row, column = ((weights * at).sum(axis=(1, 2)) for at in (rows, columns))
    rows, columns = (at - mid[:, None, None] for at, mid in ((rows, row), (columns, column)))
    return -(weights * rows * columns).sum(axis=(1, 2)) / (weights * rows**2).sum(axis=(1, 2))


by_lean = np.argsort(lean(images))
of_digit = [by_lean[labels[by_lean] == digit] for digit in range(10)]
leaning = vae.encode(images[np.concatenate([each[-10:] for each in of_digit])])
upright = vae.encode(images[np.concatenate([each[:10] for each in of_digit])])
direction = leaning.mean(axis=0) - upright.mean(axis=0)

steps = np.linspace(-1.0, 1.0, 5)[:, None]
z = vae.encode(images[:8])[:, None] + steps * direction
kgen.pictures.grid(vae.decode(z.reshape(-1, vae.latent_dim)), columns=5)

# %% [markdown]
# ## On demand
#
# A conditional VAE (Sohn et al. 2015) tells both networks the label, and maximises $\log p(x|y)$.
# The code no longer has to say which digit it is, and keeps what is left: the hand.

# %%
conditional = kgen.VAE(data.image_shape, latent_dim=20, condition=data.condition, seed=0)
train(conditional)
kgen.pictures.samples(conditional, 120, seed=0)

# %% [markdown]
# So one can ask for the other digits in the hand of an image: encode it with its label, decode the
# code with each of the ten. The first column is the image.

# %%
codes = conditional.encode(images[:6], labels[:6])
others = conditional.decode(np.repeat(codes, 10, axis=0), np.tile(np.arange(10), 6))
rows = np.concatenate([images[:6, None] / 255.0, others.reshape(6, 10, *data.image_shape)], axis=1)
display(kgen.pictures.grid(rows.reshape(-1, *data.image_shape), columns=11))
print(f"ELBO with the label {conditional.elbo(images, labels, seed=0).mean():.2f} nats")

# %% [markdown]
# ## What to try next
#
# - `beta=4.0` (Higgins et al. 2017) weighs the divergence; `kgen.pictures.traversal(vae, z)` shows
#   one latent a row. `beta=keras.optimizers.schedules.PolynomialDecay(0.0, 5000, 1.0)` warms it up.
# - `free_bits=0.5` where some latents fall silent; `architecture="convolutional"` for larger
#   images; `likelihood="discretized_logistic"` for grey values and colour.
# - `vae.save("vae.keras")` goes on on another backend; `vae.export("saved_models/vae")` is for
#   TensorFlow Serving: see the notebook `serving`.
# - Two T4 on Kaggle: make and compile the model inside `with
#   tf.distribute.MirroredStrategy().scope():`. A TPU, or two GPUs on JAX:
#   `keras.distribution.set_distribution(keras.distribution.DataParallel())` before the model is
#   made. A VAE of this size gains nothing by either; the notebook `your_own_images` does it.
