"""The price of the seam: kgen's compiled VAE step against a Keras step written by hand.

    KERAS_BACKEND=jax python benchmarks/train_step.py [--jit_compile]

Both train the same networks on the same batch with the same noise, optimizer and logs, through
Keras' own compiled train function; they are alternated in one run, and what counts is the ratio.
A second line times `fit`, from its start to its end, over two epochs of 600 batches in memory, as
many images as MNIST has, against as many bare steps.
"""

import os
import statistics
import sys
import time

import keras
import numpy as np
from absl import app, flags
from keras import ops

import kgen

ROUNDS = flags.DEFINE_integer("rounds", 15, "Alternations of the two steps.")
STEPS = flags.DEFINE_integer("steps", 100, "Steps of each in a round.")
FIT_ROUNDS = flags.DEFINE_integer("fit_rounds", 7, "Alternations of fit and the bare step.")
FIT_STEPS = flags.DEFINE_integer("fit_steps", 600, "Batches in an epoch of fit.")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 100, "Images in a step.")
JIT = flags.DEFINE_boolean("jit_compile", False, "Ask for compilation where it is not the default.")
IMAGE_SHAPE = (28, 28, 1)
EPOCHS = 2


class ByHand(keras.Model):
    """What one would write for one backend, from Keras' guides, with nothing of kgen's steps."""

    def __init__(self):
        super().__init__()
        self.encoder = kgen.networks.dense_encoder(IMAGE_SHAPE, 100)
        self.decoder = kgen.networks.dense_decoder(50, IMAGE_SHAPE)
        self.seed_generator = keras.random.SeedGenerator(0)
        self.trackers = [
            keras.metrics.Mean(name=n) for n in ("loss", "reconstruction_loss", "kl_loss")
        ]
        self.built = True

    @property
    def metrics(self):
        return self.trackers

    def losses_of(self, x):
        x = ops.cast(x, "float32") / 255.0
        noise = keras.random.uniform(ops.shape(x), seed=self.seed_generator)
        x = ops.cast(noise < x, "float32")
        mean, log_var = ops.split(self.encoder(x, training=True), 2, axis=-1)
        eps = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        logits = self.decoder(mean + ops.exp(0.5 * log_var) * eps, training=True)
        nll = ops.sum(ops.softplus(logits) - x * logits, axis=(1, 2, 3))
        kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - 1.0 - log_var, axis=-1)
        return nll + kl, nll, kl

    def logs(self, losses):
        for tracker, loss in zip(self.trackers, losses, strict=True):
            tracker.update_state(loss)
        return {tracker.name: tracker.result() for tracker in self.trackers}


class TensorFlowByHand(ByHand):
    """`GradientTape`."""

    def train_step(self, data):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            losses = self.losses_of(data[0])
            loss = tf.reduce_mean(losses[0])
        variables = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return self.logs(losses)


class TorchByHand(ByHand):
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


class JAXByHand(ByHand):
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


BY_HAND = {"tensorflow": TensorFlowByHand, "jax": JAXByHand, "torch": TorchByHand}


def adam():
    """The same optimizer for both."""
    return keras.optimizers.Adam(1e-3, epsilon=1e-4)


def stepper(model, batch):
    """A function that runs Keras' compiled train function, as `fit` does, some number of times."""
    model.make_train_function()
    backend = keras.backend.backend()
    if backend == "tensorflow":  # which `fit` gives an iterator that is part of the graph
        import tensorflow as tf

        endless = iter(tf.data.Dataset.from_tensors((batch,)).repeat())

    def run_jax(steps):
        state = model._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
            purge_model_variables=True,
        )
        for _ in range(steps):
            logs, state = model.train_function(state, iter([(batch,)]))
        float(logs["loss"])
        names = ("trainable", "non_trainable", "optimizer", "metrics")
        model._jax_state = {
            f"{name}_variables": values for name, values in zip(names, state, strict=True)
        }
        model._jax_state_synced = False
        model.jax_state_sync()

    def run(steps):
        for _ in range(steps):
            data = endless if backend == "tensorflow" else [(batch,)]
            logs = model.train_function(data)
        float(logs["loss"])

    return run_jax if backend == "jax" else run


def seconds(function, *args):
    """Wall-clock time of one call."""
    started = time.perf_counter()
    function(*args)
    return time.perf_counter() - started


def report(name, ratios, milliseconds):
    """Prints one line: the median of the ratios, their quartiles, the median time of a step."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{name:<34} {middle:.3f} ({low:.3f} .. {high:.3f}), {milliseconds:.2f} ms a step")


def main(_):
    """Measures and prints the two ratios."""
    rng = np.random.default_rng(0)
    num = BATCH_SIZE.value * FIT_STEPS.value
    images = rng.integers(0, 256, (num * 10 // 9 + 1, *IMAGE_SHAPE), dtype="uint8")
    batch = ops.convert_to_tensor(images[: BATCH_SIZE.value])
    jit_compile = True if JIT.value else "auto"

    vae = kgen.VAE(IMAGE_SHAPE, latent_dim=50, seed=0)
    vae.compile(adam(), jit_compile=jit_compile)
    by_hand = BY_HAND[keras.backend.backend()]()
    by_hand.compile(adam(), jit_compile=jit_compile)
    by_hand.optimizer.build(by_hand.trainable_variables)
    steps = [stepper(model, batch) for model in (vae, by_hand)]
    data = kgen.data.load(images, batch_size=BATCH_SIZE.value).train  # without its tenth for tests

    def fit():
        vae.fit(data, epochs=EPOCHS, verbose=0)

    for run in (*steps, steps[0]):
        run(20)
    fit()
    times = [[seconds(run, STEPS.value) for run in steps] for _ in range(ROUNDS.value)]
    print(f"{keras.backend.backend()}, jit_compile={vae.jit_compile}, batch {BATCH_SIZE.value}")
    per_step = statistics.median(ours for ours, _ in times) / STEPS.value * 1e3
    report("kgen's step / by hand", [ours / theirs for ours, theirs in times], per_step)

    num_steps = EPOCHS * len(data)
    times = [(seconds(steps[0], num_steps), seconds(fit)) for _ in range(FIT_ROUNDS.value)]
    per_step = statistics.median(fitted for _, fitted in times) / num_steps * 1e3
    report("throughput of fit / of the step", [bare / fitted for bare, fitted in times], per_step)


# Whether glibc gives freed memory back to the system, and takes it again a page at a time, is luck
# that differs between the two steps: none or several hundred page faults in each.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}

if __name__ == "__main__":
    if not KEEP_MEMORY.keys() <= os.environ.keys():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)
    app.run(main)
