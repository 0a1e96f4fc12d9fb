"""The VAE's training step as one would write it for one backend, from Keras' guides."""

import keras
from keras import ops

import kgen

IMAGE_SHAPE = (28, 28, 1)


class ByHand(keras.Model):
    """The losses and logs, with nothing of kgen's but its networks."""

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
