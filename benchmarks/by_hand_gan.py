"""Training steps as one would write them for one backend, with nothing of kgen's but its networks.

Each function takes a `kgen.DCGAN` or `kgen.WGANGP`, makes networks and optimizers like its own, and
returns the compiled step: a function of a batch of uint8 images.
"""

import keras


def parts_of(gan):
    """New networks like a GAN's, built optimizers like its own, and what tells the two GANs apart.

    Returns:
        discriminator, generator, their optimizers, the critic's steps, the weights of the gradient
        penalty, None without one, and of R1.
    """
    discriminator, generator = (
        keras.Model.from_config(network.get_config())
        for network in (gan.adversary.network, gan.generator)
    )
    optimizers = list(gan.default_optimizers().values())
    for optimizer, network in zip(optimizers, (discriminator, generator), strict=True):
        optimizer.build(network.trainable_variables)
    return (
        discriminator,
        generator,
        *optimizers,
        gan.adversary_steps,
        getattr(gan, "gp_weight", None),
        gan.r1_weight,
    )


def tensorflow_step(gan, jit_compile):
    """`tf.function` and `tf.GradientTape`."""
    import tensorflow as tf

    d, g, d_optimizer, g_optimizer, n_critic, gp_weight, r1_weight = parts_of(gan)

    def noise(x):
        shape = (tf.shape(x)[0], gan.latent_dim)
        return tf.random.uniform(shape, -1.0, 1.0) if gp_weight is None else tf.random.normal(shape)

    def squared_norm(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            logits = d(x, training=True)
        return tf.reduce_sum(tf.square(tape.gradient(logits, x)), axis=(1, 2, 3))

    def penalty(x, x_fake):
        eps = tf.random.uniform((tf.shape(x)[0], 1, 1, 1))
        squares = squared_norm(eps * x + (1.0 - eps) * x_fake)
        return tf.reduce_mean(tf.square(tf.sqrt(squares + 1e-12) - 1.0))

    @tf.function(jit_compile=jit_compile)
    def step(x):
        x = tf.cast(x, tf.float32) / 127.5 - 1.0
        for part in tf.split(x, n_critic):
            x_fake = g(noise(part), training=True)
            with tf.GradientTape() as tape:
                real, fake = d(part, training=True), d(x_fake, training=True)
                if gp_weight is None:
                    loss = tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))
                else:
                    loss = tf.reduce_mean(fake - real) + gp_weight * penalty(part, x_fake)
                if r1_weight:
                    loss += 0.5 * r1_weight * tf.reduce_mean(squared_norm(part))
            d_optimizer.apply(tape.gradient(loss, d.trainable_variables), d.trainable_variables)
        with tf.GradientTape() as tape:
            fake = d(g(noise(part), training=True), training=True)
            loss = -tf.reduce_mean(tf.math.log_sigmoid(fake) if gp_weight is None else fake)
        g_optimizer.apply(tape.gradient(loss, g.trainable_variables), g.trainable_variables)
        return loss

    return step


def torch_step(gan, jit_compile):
    """`loss.backward()`."""
    import torch

    del jit_compile
    d, g, d_optimizer, g_optimizer, n_critic, gp_weight, r1_weight = parts_of(gan)

    def noise(x):
        z = torch.randn(len(x), gan.latent_dim)
        return z if gp_weight is not None else torch.rand(z.shape) * 2.0 - 1.0

    def squared_norm(x):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(d(x, training=True).sum(), x, create_graph=True)
        return (slope**2).sum((1, 2, 3))

    def penalty(x, x_fake):
        eps = torch.rand(len(x), 1, 1, 1)
        squares = squared_norm(eps * x + (1.0 - eps) * x_fake)
        return ((squares + 1e-12).sqrt() - 1.0).square().mean()

    def update(loss, network, optimizer):
        network.zero_grad()
        loss.backward()
        variables = network.trainable_variables
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in variables], variables)

    def step(x):
        x = x.float() / 127.5 - 1.0
        for part in x.chunk(n_critic):
            with torch.no_grad():
                x_fake = g(noise(part), training=True)
            real, fake = d(part, training=True), d(x_fake, training=True)
            if gp_weight is None:
                loss = torch.nn.functional.softplus(torch.cat([-real, fake])).mean() * 2.0
            else:
                loss = (fake - real).mean() + gp_weight * penalty(part, x_fake)
            if r1_weight:
                loss = loss + 0.5 * r1_weight * squared_norm(part).mean()
            update(loss, d, d_optimizer)
        fake = d(g(noise(part), training=True), training=True)
        loss = -(torch.nn.functional.logsigmoid(fake) if gp_weight is None else fake).mean()
        update(loss, g, g_optimizer)
        return loss

    return step


def jax_step(gan, jit_compile):
    """`jax.value_and_grad` of `stateless_call`."""
    import jax
    from jax import numpy as jnp

    del jit_compile
    d, g, d_optimizer, g_optimizer, n_critic, gp_weight, r1_weight = parts_of(gan)

    def noise(key, x):
        shape = (len(x), gan.latent_dim)
        if gp_weight is None:
            return jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
        return jax.random.normal(key, shape)

    def squared_norm(weights, state, x):
        def judge(x):
            return d.stateless_call(weights, state, x, training=True)[0].sum()

        return jnp.sum(jax.grad(judge)(x) ** 2, axis=(1, 2, 3))

    def penalty(weights, state, key, x, x_fake):
        eps = jax.random.uniform(key, (len(x), 1, 1, 1))
        squares = squared_norm(weights, state, eps * x + (1.0 - eps) * x_fake)
        return jnp.mean((jnp.sqrt(squares + 1e-12) - 1.0) ** 2)

    def d_loss(weights, state, key, x, x_fake):
        r1 = 0.0
        if r1_weight:
            r1 = 0.5 * r1_weight * jnp.mean(squared_norm(weights, state, x))
        real, state = d.stateless_call(weights, state, x, training=True)
        fake, state = d.stateless_call(weights, state, x_fake, training=True)
        if gp_weight is None:
            return jnp.mean(jax.nn.softplus(-real) + jax.nn.softplus(fake)) + r1, state
        gradient_penalty = penalty(weights, state, key, x, x_fake)
        return jnp.mean(fake - real) + gp_weight * gradient_penalty + r1, state

    def g_loss(weights, state, d_weights, d_state, z):
        x_fake, state = g.stateless_call(weights, state, z, training=True)
        fake, d_state = d.stateless_call(d_weights, d_state, x_fake, training=True)
        return -jnp.mean(jax.nn.log_sigmoid(fake) if gp_weight is None else fake), (state, d_state)

    def values(variables):
        return [variable.value for variable in variables]

    def pure(everything, x):
        key, d_weights, d_state, d_moments, g_weights, g_state, g_moments = everything
        x = x.astype("float32") / 127.5 - 1.0
        for part in jnp.split(x, n_critic):
            key, z_key, eps_key = jax.random.split(key, 3)
            x_fake, g_state = g.stateless_call(
                g_weights, g_state, noise(z_key, part), training=True
            )
            (_, d_state), gradients = jax.value_and_grad(d_loss, has_aux=True)(
                d_weights, d_state, eps_key, part, x_fake
            )
            d_weights, d_moments = d_optimizer.stateless_apply(d_moments, gradients, d_weights)
        key, z_key = jax.random.split(key)
        (loss, (g_state, d_state)), gradients = jax.value_and_grad(g_loss, has_aux=True)(
            g_weights, g_state, d_weights, d_state, noise(z_key, part)
        )
        g_weights, g_moments = g_optimizer.stateless_apply(g_moments, gradients, g_weights)
        return loss, (key, d_weights, d_state, d_moments, g_weights, g_state, g_moments)

    compiled = jax.jit(pure, donate_argnums=0)
    everything = (
        jax.random.key(0),
        values(d.trainable_variables),
        values(d.non_trainable_variables),
        values(d_optimizer.variables),
        values(g.trainable_variables),
        values(g.non_trainable_variables),
        values(g_optimizer.variables),
    )

    def step(x):
        nonlocal everything
        loss, everything = compiled(everything, x)
        return loss

    return step


STEPS = {"tensorflow": tensorflow_step, "torch": torch_step, "jax": jax_step}
