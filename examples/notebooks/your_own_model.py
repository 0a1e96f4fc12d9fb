# %% [markdown]
# # Your own model
#
# A new idea is a loss, or a network, or a step. In kgen that is all there is to write: the base
# classes make a Keras model of it that trains on TensorFlow, JAX and PyTorch, goes on where it
# stopped, draws the same image of the same seed everywhere, and can be served.
#
# This notebook builds three: a GAN with another loss in a few lines, an adversarial autoencoder
# with three players, and a diffusion model. `docs/your_own_model.md` says more of each.

# %% first_cell.py

# %% [markdown]
# ## The data
#
# The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn: nothing to download, and a
# model trains in less than a minute. For `open_data("mnist")` widen the networks.

# %%
import numpy as np
from keras import ops

from kgen.models.adversary import Adversary
from kgen.models.average import Average
from kgen.models.image_model import Samples
from kgen.models.latent_model import SamplesPrior

data = open_data("digits", batch_size=100)
images, labels = data.test.take()
kgen.pictures.grid(images[:32], columns=16)

# %% [markdown]
# Classes of one's own are registered, so that a `.keras` file finds them again. A class that is to
# be exported must be in a module, as the export runs in a process of its own: there move the cells
# of this notebook to `my_models.py`.
#
# ## A GAN with another loss
#
# Every GAN takes a pair of functions of the logits of real and of generated images, a value an
# image. The hinge loss (Lim & Ye 2017) counts no more what is right by more than 1:
#
# $$L_D = \max(0, 1 - D(x)) + \max(0, 1 + D(G(z))), \qquad L_G = -D(G(z)).$$


# %%
@keras.saving.register_keras_serializable("mine")
def judge_by_hinge(real_logits, fake_logits):
    return ops.mean(ops.relu(1.0 - real_logits) + ops.relu(1.0 + fake_logits), axis=1)


@keras.saving.register_keras_serializable("mine")
def please_the_judge(real_logits, fake_logits):
    return -ops.mean(fake_logits, axis=1)


gan = kgen.DCGAN(
    data.image_shape, loss=(judge_by_hinge, please_the_judge), width=24, ema_decay=0.99, seed=0
)
rates = {"discriminator": 1e-3, "generator": 3e-4}
gan.compile({player: keras.optimizers.Adam(rates[player], beta_1=0.5) for player in rates})
gan.fit(data.train, epochs=1 if QUICK else 60, verbose=0)
kgen.pictures.samples(gan, 40, seed=0)

# %% [markdown]
# By hand, of logits of 2.5 and -0.5 for real images and of -3 and 1 for generated ones: the first
# pair costs nothing, the second 1.5 + 2.

# %%
pairs = [ops.convert_to_tensor(each) for each in ([[2.5], [-0.5]], [[-3.0], [1.0]])]
print(ops.convert_to_numpy(judge_by_hinge(*pairs)))

# %% [markdown]
# kgen has this loss as `loss="hinge"`; what a GAN needs beside it (conditions, averaged weights,
# R1, spectral normalization) is an argument of any of them.
#
# ## Three players: an adversarial autoencoder
#
# Makhzani et al. (2015) make an autoencoder sample without a likelihood. A discriminator tells
# codes from draws of a prior, and the encoder learns to fool it; then the decoder makes images of
# draws. A step is what the paper's section 2 says, in two phases:
#
# 1. reconstruction: $\min_{E, R} \lVert x - R(E(x)) \rVert^2$; 2. regularization: the discriminator
# of codes, then the encoder as its generator.
#
# A player is a name with networks, and `minimize(loss, player)` moves these and no others. The
# encoder belongs to two.


# %%
@keras.saving.register_keras_serializable("mine")
class AdversarialAutoencoder(SamplesPrior, kgen.Autoencoder):
    """Adversarial autoencoder: the codes of an autoencoder follow a prior."""

    log_names = ("loss", "reconstruction_loss", "generator_loss")

    def __init__(self, image_shape, latent_dim=8, units=200, **kwargs):
        super().__init__(image_shape, latent_dim, prior=kgen.priors.Normal(latent_dim), **kwargs)
        self.units = units
        self.discriminator = keras.Sequential(
            [
                keras.Input((latent_dim,)),
                keras.layers.Dense(units, "relu"),
                keras.layers.Dense(units, "relu"),
                keras.layers.Dense(1, dtype="float32"),
            ]
        )
        self.adversary = Adversary(self.discriminator)
        self.add_logs(*self.adversary.log_names())

    def players(self):
        return {
            "discriminator": [self.discriminator],
            "generator": [self.encoder],
            "autoencoder": [self.encoder, self.decoder],
        }

    def default_optimizers(self):
        return {
            "discriminator": keras.optimizers.Adam(1e-3, beta_1=0.5),
            "generator": keras.optimizers.Adam(1e-3, beta_1=0.5),
            "autoencoder": keras.optimizers.Adam(1e-3),
        }

    def training_step(self, x, y, noise):
        self.minimize(self.squared_error, "autoencoder", x, y)
        z = self.prior.draw(noise, ops.shape(x)[0])
        code = self._encode(x, y, training=True)
        self.minimize(self.discriminator_loss, "discriminator", z, code, noise)
        self.minimize(self.generator_loss, "generator", x, y)

    def discriminator_loss(self, z, code, noise, training=True):
        loss, logs, _ = self.adversary.loss(z, code, None, noise, self.steps, training)
        self.log(**logs)
        return ops.mean(loss)

    def generator_loss(self, x, y, training=True):
        loss, _ = self.adversary.generator_loss(self._encode(x, y, training), training=training)
        self.log(generator_loss=loss)
        return ops.mean(loss)

    def evaluation_step(self, x, y, noise):
        self.squared_error(x, y, training=False)
        z, code = self.prior.draw(noise, ops.shape(x)[0]), self._encode(x, y)
        self.discriminator_loss(z, code, noise, training=False)
        self.generator_loss(x, y, training=False)

    def get_config(self):
        return super().get_config() | {"units": self.units}


autoencoder = AdversarialAutoencoder(data.image_shape, seed=0)
autoencoder.compile()
autoencoder.fit(data.train, epochs=1 if QUICK else 100, verbose=0)
kgen.pictures.samples(autoencoder, 40, seed=0)

# %% [markdown]
# What was inherited works: codes, copies, ways between images. Do the codes follow the prior, with
# mean 0 and deviation 1 in each of the eight directions?

# %%
codes = autoencoder.encode(images)
print("means     ", codes.mean(axis=0).round(2))
print("deviations", codes.std(axis=0).round(2))
kgen.pictures.interpolation(autoencoder, images[:4], images[4:8])

# %% [markdown]
# Nearly: they lie where the prior does, a little narrower and off its centre, and draws of it
# decode to digits above. A file works as well: it has the weights, the three optimizers and the
# random state.

# %%
autoencoder.save(f"{OUT}/autoencoder.keras")
again = keras.saving.load_model(f"{OUT}/autoencoder.keras")
assert np.array_equal(again.sample(4, seed=0), autoencoder.sample(4, seed=0))

# %% [markdown]
# ## A diffusion model
#
# Ho et al. (2020) add noise to an image in $T$ steps until nothing is left of it, which has a
# closed form for any step,
#
# $$x_t = \sqrt{\bar\alpha_t} \, x_0 + \sqrt{1 - \bar\alpha_t} \, \epsilon, \qquad
# \epsilon \sim N(0, I),$$
#
# and train a network $\epsilon_\theta$ to find the noise in $x_t$ by the squared error. Sampling
# goes back from noise, step by step, by the mean of $q(x_{t-1} | x_t, x_0)$ at the $x_0$ that the
# network believes in. For images of 8x8 a perceptron will do as the network:


# %%
@keras.saving.register_keras_serializable("mine")
class TimeCode(keras.layers.Layer):
    """Sines and cosines of a time in 0..1, from slow to fast."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, time):
        frequencies = np.geomspace(1.0, 100.0, self.size // 2, dtype="float32")
        angles = ops.multiply(time[:, None], frequencies)
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)

    def get_config(self):
        return super().get_config() | {"size": self.size}


def denoiser(image_shape, units, condition):
    """A perceptron from images with noise, times and conditions to the noise."""
    x, time = keras.Input(image_shape), keras.Input(())
    y = keras.Input(condition.shape, dtype=condition.dtype)
    codes = [TimeCode(64)(time), kgen.layers.ConditionCode(condition)(y)]
    h = keras.layers.Dense(units)(keras.layers.Flatten()(x))
    for _ in range(3):
        block = keras.layers.Concatenate()([keras.layers.LayerNormalization()(h), *codes])
        block = keras.layers.Dense(units, "silu")(block)
        h = keras.layers.Add()([h, keras.layers.Dense(units)(block)])
    h = keras.layers.Dense(int(np.prod(image_shape)), dtype="float32")(h)
    return keras.Model([x, time, y], keras.layers.Reshape(image_shape, dtype="float32")(h))


# %% [markdown]
# The model has one player, and an `Average` of its weights, which samples. Random numbers come from
# `noise`, never from `keras.random`: so a step folds in the replica, and a sample is of its seed.
# In the loop each turn draws from `noise.at(i)`; from `noise` itself it would draw the same numbers
# in every turn, and that is an error.


# %%
def at(table, t):
    return ops.take(table.astype("float32"), t)[:, None, None, None]


@keras.saving.register_keras_serializable("mine")
class Diffusion(Samples, kgen.ImageModel):
    """Denoising diffusion: a network learns to take noise out of images, step by step."""

    def __init__(self, image_shape, timesteps=100, units=256, **kwargs):
        super().__init__(image_shape, **kwargs)
        self.timesteps, self.units = timesteps, units
        f = np.cos((np.arange(timesteps + 1) / timesteps + 0.008) / 1.008 * np.pi / 2)
        beta = np.minimum(1.0 - f[1:] ** 2 / f[:-1] ** 2, 0.999)  # Nichol & Dhariwal 2021, eq. 17
        self.alpha_bar = np.cumprod(1.0 - beta)
        before = np.append(1.0, self.alpha_bar[:-1])
        self.of_x_0 = np.sqrt(before) * beta / (1.0 - self.alpha_bar)  # eq. 7
        self.of_x_t = np.sqrt(1.0 - beta) * (1.0 - before) / (1.0 - self.alpha_bar)
        self.sigma = np.sqrt(beta * (1.0 - before) / (1.0 - self.alpha_bar))
        self.signal, self.spread = np.sqrt(self.alpha_bar), np.sqrt(1.0 - self.alpha_bar)
        self.network = denoiser(self.image_shape, units, self.condition)
        self.average = Average(self.network, decay=0.999)

    def players(self):
        return {"denoiser": [self.network]}

    def default_optimizers(self):
        return {"denoiser": keras.optimizers.Adam(1e-3)}

    def training_step(self, x, y, noise):
        self.minimize(self.simple_loss, "denoiser", self.network, x, y, noise)
        self.average.update(self.network, self.steps)

    def evaluation_step(self, x, y, noise):
        self.simple_loss(self.average.network, x, y, noise, training=False)

    def noisy(self, x, t, eps):  # eq. 4
        return at(self.signal, t) * (2.0 * x - 1.0) + at(self.spread, t) * eps

    def simple_loss(self, network, x, y, noise, training=True):  # eq. 14
        t = noise.integers((ops.shape(x)[0],), 0, self.timesteps)
        eps = noise.normal(ops.shape(x))
        error = ops.square(eps - self.noise_in(network, self.noisy(x, t, eps), t, y, training))
        self.log(loss=ops.mean(error, axis=(1, 2, 3)))
        return ops.mean(error)

    def noise_in(self, network, x_t, t, y, training=False):
        inputs = [x_t, ops.cast(t, "float32") / self.timesteps, y]
        return ops.cast(network(inputs, training=training), "float32")

    def _generate(self, y, noise):  # Algorithm 2
        x_T = noise.normal((noise.num, *self.image_shape))

        def turn(i, x_t):
            t = ops.full((noise.num,), self.timesteps - 1 - i, "int32")
            eps = self.noise_in(self.average.network, x_t, t, y)
            x_0 = (x_t - at(self.spread, t) * eps) / at(self.signal, t)
            mean = at(self.of_x_0, t) * ops.clip(x_0, -1.0, 1.0) + at(self.of_x_t, t) * x_t
            return mean + at(self.sigma, t) * noise.at(i).normal(ops.shape(x_t))

        return 0.5 * (ops.fori_loop(0, self.timesteps, turn, x_T) + 1.0)

    def get_config(self):
        return super().get_config() | {"timesteps": self.timesteps, "units": self.units}


diffusion = Diffusion(data.image_shape, condition=data.condition, seed=0)

# %% [markdown]
# What the network has to deal with: the same digits at every twelfth step, from left to right.

# %%
t = np.tile(np.arange(0, diffusion.timesteps, 12), 3).astype("int32")
x = np.repeat(images[:3] / 255.0, len(t) // 3, axis=0).astype("float32")
x_t = diffusion.noisy(x, ops.convert_to_tensor(t), np.random.randn(*x.shape).astype("float32"))
kgen.pictures.grid(np.clip(0.5 * ops.convert_to_numpy(x_t) + 0.5, 0.0, 1.0), len(t) // 3)

# %%
diffusion.compile()
diffusion.fit(data.train, epochs=1 if QUICK else 150, verbose=0)
kgen.pictures.samples(diffusion, 80, seed=0)

# %% [markdown]
# A row a digit. And an image is of its seed: the third of a batch is the same alone.

# %%
from kgen.seeds import seeds_of

many = diffusion.sample(8, labels=7, seed=5)
alone = diffusion.sample(1, labels=7, seed=seeds_of(5, 8)[2:3])
print(f"largest difference of a pixel: {np.abs(many[2] - alone[0]).max():.1e}")

# %% [markdown]
# ## What to try next
#
# - `loss=` as a `kgen.models.adversary.Game` that takes arguments, such as a margin.
# - A number that may change while the model trains is a `kgen.models.scalar.Scalar`: set it in a
#   callback, or give a schedule.
# - `model.compile(run_eagerly=True)` leaves the step uncompiled, for a debugger.
# - Two T4 on Kaggle or a TPU need nothing in the model: `with
#   tf.distribute.MirroredStrategy().scope():` around making and compiling it, or
#   `keras.distribution.set_distribution(keras.distribution.DataParallel())` on JAX before. Each
#   replica draws noise of its own, since it comes from `noise`.
# - kgen's `tests/zoo.py` has these models as entries, which is all it takes to try of a model what
#   the others promise, on every backend.
