"""The training step of a model with one loss as one would write it for one backend.

From Keras' guides, with nothing of kgen's but networks, of which the PixelCNN's and MADE's are by
hand too.
"""

import keras
import numpy as np
from keras import ops

import kgen

IMAGE_SHAPE = (28, 28, 1)


class ByHand(keras.Model):
    """A subclass gives `losses_of`: tuple of what is logged of each image, the loss first."""

    def __init__(self, *names):
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator(0)
        self.trackers = [keras.metrics.Mean(name=name) for name in names]
        self.built = True

    @property
    def metrics(self):
        return self.trackers

    def logs(self, losses):
        for tracker, loss in zip(self.trackers, losses, strict=True):
            tracker.update_state(loss)
        return {tracker.name: tracker.result() for tracker in self.trackers}


class VAE(ByHand):
    """784-200-200-50."""

    def __init__(self):
        super().__init__("loss", "reconstruction_loss", "kl_loss")
        self.encoder = kgen.networks.dense_encoder(IMAGE_SHAPE, 100)
        self.decoder = kgen.networks.dense_decoder(50, IMAGE_SHAPE)

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        mean, log_var = ops.split(self.encoder(x, training=True), 2, axis=-1)
        eps = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        logits = self.decoder(mean + ops.exp(0.5 * log_var) * eps, training=True)
        nll = bernoulli_nll(x, logits)
        kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - 1.0 - log_var, axis=-1)
        return nll + kl, nll, kl


class PixelCNN(ByHand):
    """7 residual blocks of 16 channels, kernels times masks."""

    def __init__(self):
        super().__init__("loss")
        image = keras.Input(IMAGE_SHAPE)
        x = MaskedKernel(32, 7, "A")(image)
        for _ in range(7):
            y = MaskedKernel(16, 1, "B")(keras.layers.ReLU()(x))
            y = MaskedKernel(16, 3, "B")(keras.layers.ReLU()(y))
            x = keras.layers.Add()([x, MaskedKernel(32, 1, "B")(keras.layers.ReLU()(y))])
        x = MaskedKernel(32, 1, "B", activation="relu")(keras.layers.ReLU()(x))
        self.network = keras.Model(image, MaskedKernel(1, 1, "B")(x))

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        return (bernoulli_nll(x, self.network(2.0 * x - 1.0, training=True)),)


class MADE(ByHand):
    """784-500-784, kernels times masks."""

    def __init__(self):
        super().__init__("loss")
        pixels, units = np.arange(784), np.arange(500) % 783
        image = keras.Input(IMAGE_SHAPE)
        x = keras.layers.Flatten()(image)
        h = MaskedDense(pixels[:, None] <= units, activation="relu")(x)
        direct = MaskedDense(pixels[:, None] < pixels, use_bias=False)(x)
        logits = keras.layers.Add()([MaskedDense(units[:, None] < pixels)(h), direct])
        self.network = keras.Model(image, keras.layers.Reshape(IMAGE_SHAPE)(logits))

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        return (bernoulli_nll(x, self.network(x, training=True)),)


class OfNetwork(ByHand):
    """The likelihood of black and white pixels by a network of kgen's."""

    def __init__(self, network):
        super().__init__("loss")
        self.network = network

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        return (bernoulli_nll(x, self.network(2.0 * x - 1.0, training=True)),)


class Glow(ByHand):
    """Of 256 levels, each spread evenly over its bin."""

    def __init__(self, network):
        super().__init__("loss", "bits_per_dim")
        self.network = network

    def losses_of(self, x):
        u = keras.random.uniform(ops.shape(x), seed=self.seed_generator)
        z, log_det = self.network((ops.cast(x, "float32") + u) / 256.0 - 0.5, training=True)
        log_normal = -0.5 * ops.sum(ops.square(z) + np.log(2.0 * np.pi), axis=1)
        nll = 784 * np.log(256.0) - log_normal - log_det
        return nll, nll / (784 * np.log(2.0))


class DDPM(ByHand):
    """28x28 in squares of 2x2, 32 channels, a cosine schedule."""

    def __init__(self):
        super().__init__("loss")
        sizes = {"width": 32, "multipliers": (1, 2), "attention_at": (7,), "dropout": 0.0}
        self.network = kgen.networks.unet(IMAGE_SHAPE, patch=2, **sizes)
        u = (np.arange(1001) / 1000 + 0.008) / 1.008
        bar = np.square(np.cos(0.5 * np.pi * u))
        bar = np.cumprod(np.maximum(bar[1:] / bar[:-1], 0.001))
        self.signal, self.noise = np.sqrt(bar).astype("float32"), np.sqrt(1 - bar).astype("float32")

    def losses_of(self, x):
        x = ops.cast(x, "float32") / 127.5 - 1.0
        t = keras.random.randint((ops.shape(x)[0],), 0, 1000, seed=self.seed_generator)
        eps = keras.random.normal(ops.shape(x), seed=self.seed_generator)
        signal, noise = (
            ops.reshape(ops.take(ops.convert_to_tensor(table), t), (-1, 1, 1, 1))
            for table in (self.signal, self.noise)
        )
        found = self.network([signal * x + noise * eps, ops.cast(t, "float32")], training=True)
        return (ops.mean(ops.square(found - eps), axis=(1, 2, 3)),)


class MaskedKernel(keras.layers.Conv2D):
    """A convolution whose kernel is multiplied by a mask."""

    def __init__(self, filters, kernel_size, mask, **kwargs):
        super().__init__(filters, kernel_size, padding="same", **kwargs)
        height, width = self.kernel_size
        self.seen = np.zeros((height, width, 1, 1), "float32")
        self.seen[: height // 2] = 1.0
        self.seen[height // 2, : width // 2 + (mask == "B")] = 1.0

    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel * self.seen)


class MaskedDense(keras.layers.Dense):
    """A dense layer whose kernel is multiplied by a mask."""

    def __init__(self, mask, **kwargs):
        super().__init__(mask.shape[1], **kwargs)
        self.mask = mask.astype("float32")

    def call(self, inputs):
        x = ops.matmul(inputs, self.kernel * self.mask)
        return self.activation(x + self.bias if self.use_bias else x)


def binarize(x, seed):
    """Bytes as zeros and ones, at random."""
    x = ops.cast(x, "float32") / 255.0
    return ops.cast(keras.random.uniform(ops.shape(x), seed=seed) < x, "float32")


def bernoulli_nll(x, logits):
    """In nats an image."""
    return ops.sum(ops.softplus(logits) - x * logits, axis=(1, 2, 3))


class TensorFlowStep:
    """`GradientTape`."""

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            losses = self.losses_of(data[0])
            loss = tf.reduce_mean(losses[0])
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self.logs(losses)


class TorchStep:
    """`loss.backward()`."""

    def train_step(self, data):
        import torch

        losses = self.losses_of(data[0])
        self.zero_grad()
        losses[0].mean().backward()
        variables = self.trainable_variables
        with torch.no_grad():
            self.optimizer.apply([v.value.grad for v in variables], variables)
            return self.logs([loss.detach() for loss in losses])


class JAXStep:
    """`jax.value_and_grad` of a stateless function, as in Keras' guide."""

    def train_step(self, state, data):
        import jax

        trainable, non_trainable, optimizer_variables, metric_variables = state

        def stateless(trainable, non_trainable):
            mapping = [
                *zip(self.trainable_variables, trainable, strict=True),
                *zip(self.non_trainable_variables, non_trainable, strict=True),
            ]
            with keras.StatelessScope(mapping) as scope:
                losses = self.losses_of(data[0])
            after = [scope.get_current_value(v) for v in self.non_trainable_variables]
            return ops.mean(losses[0]), (losses, after)

        (_, (losses, non_trainable)), gradients = jax.value_and_grad(stateless, has_aux=True)(
            trainable, non_trainable
        )
        trainable, optimizer_variables = self.optimizer.stateless_apply(
            optimizer_variables, gradients, trainable
        )
        mapping = zip(self.metrics_variables, metric_variables, strict=True)
        with keras.StatelessScope(mapping) as scope:
            logs = self.logs(losses)
        metric_variables = [scope.get_current_value(v) for v in self.metrics_variables]
        return logs, (trainable, non_trainable, optimizer_variables, metric_variables)


STEPS = {"tensorflow": TensorFlowStep, "jax": JAXStep, "torch": TorchStep}


def make(model_class, *args):
    """The model with the step of the backend that is in use."""
    step = STEPS[keras.backend.backend()]
    return type(model_class.__name__, (step, model_class), {})(*args)
