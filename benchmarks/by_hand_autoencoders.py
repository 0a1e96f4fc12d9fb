"""Training steps of the autoencoders' relatives as one would write them for one backend.

With nothing of kgen's but networks and optimizers like a model's. Models of one loss are as those
of `by_hand_likelihood`; of several players each has a loss and networks of its own, and `stepper`
runs the compiled step.
"""

import itertools
import math

import keras
from by_hand_likelihood import ByHand, bernoulli_nll, binarize
from keras import ops


def copied(network):
    """A network like another, with its weights."""
    copy = type(network).from_config(network.get_config())
    copy.set_weights(network.get_weights())
    return copy


class IWAE(ByHand):
    """k samples z ~ q(z|x) an image."""

    def __init__(self, vae):
        super().__init__("loss", "reconstruction_loss", "kl_loss")
        self.encoder, self.decoder = copied(vae.encoder), copied(vae.decoder)
        self.k = vae.num_samples

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        outputs = self.encoder(x, training=True)[:, None]
        mean, log_var = ops.split(outputs, 2, axis=-1)
        shape = (ops.shape(x)[0], self.k, mean.shape[-1])
        eps = keras.random.normal(shape, seed=self.seed_generator)
        z = mean + ops.exp(0.5 * log_var) * eps
        logits = self.decoder(ops.reshape(z, (-1, shape[-1])), training=True)
        nll = bernoulli_nll(ops.repeat(x, self.k, axis=0), logits)
        nll = ops.reshape(nll, (-1, self.k))
        kl = 0.5 * ops.sum(ops.square(z) - ops.square(eps) - log_var, axis=-1)
        loss = math.log(self.k) - ops.logsumexp(-nll - kl, axis=1)
        return loss, ops.mean(nll, axis=1), ops.mean(kl, axis=1)


class IAF(ByHand):
    """A normal code that a flow moves."""

    def __init__(self, vae):
        super().__init__("loss", "reconstruction_loss", "kl_loss")
        self.encoder, self.decoder = copied(vae.encoder), copied(vae.decoder)
        self.flow = copied(vae.posterior_network)
        self.size = vae.latent_dim

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        outputs = self.encoder(x, training=True)
        mean, log_var, context = ops.split(outputs, [self.size, 2 * self.size], axis=-1)
        eps = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        z = mean + ops.exp(0.5 * log_var) * eps
        z, log_scale = self.flow([z, context], training=True)
        nll = bernoulli_nll(x, self.decoder(z, training=True))
        squares = ops.square(z) - ops.square(eps)
        kl = ops.sum(0.5 * (squares - log_var) - log_scale, axis=-1)
        return nll + kl, nll, kl


class LadderVAE(ByHand):
    """Levels of latents, from the top down."""

    def __init__(self, vae):
        of_levels = [f"level_{i}_kl_loss" for i, _ in enumerate(vae.latent_dims, 1)]
        super().__init__("loss", "reconstruction_loss", "kl_loss", *of_levels)
        self.ends = [*itertools.accumulate(2 * size for size in vae.latent_dims)]
        self.encoder, self.decoder = copied(vae.encoder), copied(vae.decoder)
        self.steps_down = [copied(step) for step in vae.steps_down]

    def losses_of(self, x):
        x = binarize(x, self.seed_generator)
        said = ops.split(self.encoder(x, training=True), self.ends[:-1], axis=-1)
        z, kls = None, []
        for i, outputs in reversed([*enumerate(said)]):
            mean, log_var = ops.split(outputs, 2, axis=-1)
            if z is None:
                kl = ops.square(mean) + ops.exp(log_var) - 1.0 - log_var
            else:
                outputs = self.steps_down[i](z, training=True)
                prior_mean, prior_log_var = ops.split(outputs, 2, axis=-1)
                precision, prior_precision = ops.exp(-log_var), ops.exp(-prior_log_var)
                var = 1.0 / (precision + prior_precision)
                mean = var * (mean * precision + prior_mean * prior_precision)
                log_var = ops.log(var)
                away = ops.square(mean - prior_mean) + var
                kl = away * prior_precision - 1.0 - log_var + prior_log_var
            kls.insert(0, 0.5 * ops.sum(kl, axis=-1))
            eps = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
            z = mean + ops.exp(0.5 * log_var) * eps
        nll = bernoulli_nll(x, self.decoder(z, training=True))
        return nll + sum(kls), nll, sum(kls), *kls


class OfPlayers(ByHand):
    """Players, each of a loss, networks and an optimizer of its own.

    A subclass gives `rounds`, one after the other: of each the players that move, and a function of
    images in [0, 1] that logs and returns their losses, of one pass.
    """

    def __init__(self, model, **networks):
        super().__init__(*(metric.name for metric in model.metrics))
        self.networks = networks
        self.optimizers = model.default_optimizers()
        for player, optimizer in self.optimizers.items():
            optimizer.build(self.variables_of(player))

    def variables_of(self, player):
        return [v for network in self.networks[player] for v in network.trainable_variables]

    def log(self, **values):
        for tracker in self.trackers:
            if tracker.name in values:
                tracker.update_state(ops.stop_gradient(values[tracker.name]))

    def results(self):
        return {tracker.name: tracker.result() for tracker in self.trackers}


class AAE(OfPlayers):
    """A normal prior of the codes."""

    def __init__(self, model):
        encoder, decoder, judge = map(copied, (model.encoder, model.decoder, model.discriminator))
        super().__init__(
            model, autoencoder=[encoder, decoder], discriminator=[judge], generator=[encoder]
        )
        self.encoder, self.decoder, self.judge = encoder, decoder, judge

    def rounds(self):
        return {
            ("autoencoder",): self.reconstruct,
            ("discriminator",): self.tell_apart,
            ("generator",): self.fool,
        }

    def reconstruct(self, x):
        copy = ops.sigmoid(self.decoder(self.encoder(x, training=True), training=True))
        error = 0.5 * ops.sum(ops.square(x - copy), axis=(1, 2, 3))
        self.log(loss=error, reconstruction_loss=error)
        return [ops.mean(error)]

    def tell_apart(self, x):
        code = ops.stop_gradient(self.encoder(x, training=True))
        z = keras.random.normal(ops.shape(code), seed=self.seed_generator)
        real, fake = self.judge(z, training=True), self.judge(code, training=True)
        loss = ops.mean(ops.softplus(-real) + ops.softplus(fake))
        self.log(discriminator_loss=loss, real_accuracy=real > 0.0, fake_accuracy=fake < 0.0)
        return [loss]

    def fool(self, x):
        fake = self.judge(self.encoder(x, training=True), training=True)
        loss = ops.mean(ops.softplus(-fake))
        self.log(generator_loss=loss)
        return [loss]


class VAEGAN(OfPlayers):
    """Three losses of one pass."""

    def __init__(self, model):
        encoder, decoder, judge = map(copied, (model.encoder, model.decoder, model.discriminator))
        super().__init__(model, encoder=[encoder], decoder=[decoder], discriminator=[judge])
        self.encoder, self.decoder, self.judge = encoder, decoder, judge

    def rounds(self):
        return {("encoder", "decoder", "discriminator"): self.losses_of}

    def losses_of(self, x):
        mean, log_var = ops.split(self.encoder(x, training=True), 2, axis=-1)
        eps, z = (keras.random.normal(ops.shape(mean), seed=self.seed_generator) for _ in range(2))
        x_copy = self.decoder(mean + ops.exp(0.5 * log_var) * eps, training=True)
        x_fake = self.decoder(z, training=True)
        (real, features), (copied, of_copy), (fake, _) = (
            self.judge(each, training=True) for each in (2.0 * x - 1.0, x_copy, x_fake)
        )
        error = 0.5 * ops.sum(ops.square(features - of_copy), axis=-1)
        kl = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_var) - 1.0 - log_var, axis=-1)
        fooling = (ops.softplus(-copied) + ops.softplus(-fake))[:, 0]
        told = ops.softplus(-real) + ops.softplus(copied) + ops.softplus(fake)
        losses = kl + error, 0.01 * error + fooling, told[:, 0]
        self.log(
            encoder_loss=losses[0],
            decoder_loss=losses[1],
            discriminator_loss=losses[2],
            feature_error=error,
            kl_loss=kl,
            real_accuracy=real > 0.0,
            fake_accuracy=ops.concatenate([copied, fake], axis=1) < 0.0,
        )
        return [ops.mean(loss) for loss in losses]


class BiGAN(OfPlayers):
    """Of codes without noise, and a uniform prior."""

    def __init__(self, model):
        encoder, decoder, judge = map(copied, (model.encoder, model.decoder, model.discriminator))
        super().__init__(model, discriminator=[judge], generator=[encoder, decoder])
        self.encoder, self.decoder, self.judge = encoder, decoder, judge

    def rounds(self):
        return {("discriminator", "generator"): self.losses_of}

    def losses_of(self, x):
        code = self.encoder(x, training=True)
        z = keras.random.uniform(ops.shape(code), -1.0, 1.0, seed=self.seed_generator)
        x_fake = ops.sigmoid(self.decoder(z, training=True))
        real = self.judge([x, code], training=True)
        fake = self.judge([x_fake, z], training=True)
        losses = (
            ops.mean(ops.softplus(-real) + ops.softplus(fake)),
            ops.mean(ops.softplus(-fake) + ops.softplus(real)),
        )
        self.log(
            discriminator_loss=losses[0],
            generator_loss=losses[1],
            real_accuracy=real > 0.0,
            fake_accuracy=fake < 0.0,
        )
        return losses


class VQVAE(OfPlayers):
    """Squared errors, a codebook by averages, and the prior in the same step."""

    def __init__(self, model):
        encoder, decoder, prior = map(copied, (model.encoder, model.decoder, model.prior.network))
        super().__init__(model, autoencoder=[encoder, decoder], prior=[prior])
        self.encoder, self.decoder, self.prior = encoder, decoder, prior
        self.sizes, self.sums, self.vectors = (
            keras.Variable(ops.copy(each.value), trainable=False)
            for each in (model.quantizer.sizes, model.quantizer.sums, model.quantizer.vectors)
        )

    def rounds(self):
        return {("autoencoder", "prior"): self.losses_of}

    def losses_of(self, x):
        z = self.encoder(x, training=True)
        num, size = self.vectors.shape
        rows = ops.reshape(ops.stop_gradient(z), (-1, size))
        squares = ops.sum(ops.square(self.vectors), axis=-1)
        distances = squares - 2.0 * ops.matmul(rows, ops.transpose(self.vectors))
        k = ops.argmin(distances, axis=-1)
        e = ops.reshape(ops.take(self.vectors, k, axis=0), ops.shape(z))
        means = self.decoder(z + ops.stop_gradient(e - z), training=True)
        nll = ops.sum(50.0 * ops.square(x - means) + LOG_SCALE, axis=(1, 2, 3))
        commitment = ops.sum(ops.square(z - e), axis=(1, 2, 3))
        codes = ops.reshape(k, ops.shape(z)[:-1])
        image = 2.0 * ops.cast(codes[..., None], "float32") / (num - 1.0) - 1.0
        logits = self.prior(image, training=True)
        chosen = ops.take_along_axis(logits, codes[..., None], axis=-1)[..., 0]
        prior_nll = ops.sum(ops.logsumexp(logits, axis=-1) - chosen, axis=(1, 2))
        loss = nll + 0.25 * commitment
        self.log(
            loss=loss,
            reconstruction_loss=nll,
            commitment_loss=commitment,
            prior_loss=prior_nll,
        )
        self.move_codebook(rows, ops.one_hot(k, num, dtype="float32"))
        return [ops.mean(loss), ops.mean(prior_nll)]

    def move_codebook(self, rows, one_hot):
        sizes = 0.99 * self.sizes + 0.01 * ops.sum(one_hot, axis=0)
        sums = 0.99 * self.sums + 0.01 * ops.matmul(ops.transpose(one_hot), rows)
        total = ops.sum(sizes)
        smooth = (sizes + 1e-5) / (total + 1e-5 * sizes.shape[0]) * total
        added = (smooth - sizes)[:, None] * self.vectors  # as if at the vectors themselves
        self.vectors.assign((sums + added) / smooth[:, None])
        self.sizes.assign(sizes)
        self.sums.assign(sums)


LOG_SCALE = math.log(0.1) + 0.5 * math.log(2.0 * math.pi)  # of a normal distribution


def tensorflow_step(by_hand, jit_compile):
    """`tf.function` and `tf.GradientTape`."""
    import tensorflow as tf

    @tf.function(jit_compile=jit_compile)
    def step(x):
        x = tf.cast(x, tf.float32) / 255.0
        for players, losses_of in by_hand.rounds().items():
            with tf.GradientTape(persistent=len(players) > 1) as tape:
                losses = losses_of(x)
            variables = [by_hand.variables_of(player) for player in players]
            gradients = [*map(tape.gradient, losses, variables)]
            for player, *pairs in zip(players, gradients, variables, strict=True):
                by_hand.optimizers[player].apply(*pairs)
        return by_hand.results()

    return step


def torch_step(by_hand, jit_compile):
    """`torch.autograd.grad`."""
    import torch

    del jit_compile

    def step(x):
        x = x.float() / 255.0
        for players, losses_of in by_hand.rounds().items():
            losses = losses_of(x)
            variables = [by_hand.variables_of(player) for player in players]
            gradients = [
                torch.autograd.grad(
                    loss, [v.value for v in own], retain_graph=loss is not losses[-1]
                )
                for loss, own in zip(losses, variables, strict=True)
            ]
            with torch.no_grad():
                for player, *pairs in zip(players, gradients, variables, strict=True):
                    by_hand.optimizers[player].apply(*pairs)
        return by_hand.results()

    return step


def jax_step(by_hand, jit_compile):
    """`jax.value_and_grad` of a stateless function, once for each player."""
    import jax

    del jit_compile
    variables = [*by_hand.variables, *by_hand.metrics_variables]
    place = {id(variable): i for i, variable in enumerate(variables)}

    def pure(values, moments, x):
        x = x.astype("float32") / 255.0
        for players, losses_of in by_hand.rounds().items():

            def loss_of(own, i, places, values=values, losses_of=losses_of):
                new = dict(zip(places, own, strict=True))
                mapping = [(v, new.get(j, values[j])) for j, v in enumerate(variables)]
                with keras.StatelessScope(mapping) as scope:
                    loss = losses_of(x)[i]
                return loss, [scope.get_current_value(v) for v in variables]

            gradients = {}
            for i, player in enumerate(players):
                places = [place[id(v)] for v in by_hand.variables_of(player)]
                own = [values[j] for j in places]
                compute = jax.value_and_grad(loss_of, has_aux=True)
                (_, after), gradients[player] = compute(own, i, places)
            values = after
            for player, found in gradients.items():
                places = [place[id(v)] for v in by_hand.variables_of(player)]
                own, moments[player] = by_hand.optimizers[player].stateless_apply(
                    moments[player], found, [values[j] for j in places]
                )
                for j, value in zip(places, own, strict=True):
                    values[j] = value
        with keras.StatelessScope([*zip(variables, values, strict=True)]):
            return by_hand.results(), values, moments

    compiled = jax.jit(pure, donate_argnums=(0, 1))
    state = (
        [variable.value for variable in variables],
        {name: [v.value for v in each.variables] for name, each in by_hand.optimizers.items()},
    )

    def step(x):
        nonlocal state
        logs, *state = compiled(*state, x)
        return logs

    return step


STEPS = {"tensorflow": tensorflow_step, "jax": jax_step, "torch": torch_step}


def stepper(by_hand, batch, jit_compile):
    """A function that runs the step of players some number of times, and returns the last logs."""
    step = STEPS[keras.backend.backend()](by_hand, jit_compile)

    def run(steps):
        for _ in range(steps):
            logs = step(batch)
        float(next(iter(logs.values())))
        return logs

    return run
