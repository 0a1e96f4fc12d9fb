"""The network of inverse autoregressive flow."""

import keras
import numpy as np
from keras import ops

from kgen.fields import Vector
from kgen.layers.precision import full_precision
from kgen.networks.made import MaskedNetwork


def iaf(latent_dim, context, steps=2, units=(320,), name="iaf"):
    """Steps of inverse autoregressive flow (Kingma et al. 2016, https://arxiv.org/abs/1606.04934).

    Each is a masked network of the latents, in turns in their order and the other way round, whose
    s moves a latent towards its m by sigmoid(s + 1.5): little, in the beginning.

    Args:
        latent_dim: int.
        context: int. Length of the context.
        steps: int.
        units: tuple of int. Of the hidden layers.
        name: str. Name of the model.

    Returns:
        keras.Model from `[z, context]`, (batch, latent_dim) and (batch, context), to the moved z
        and the logarithm of what each latent was multiplied by.
    """
    # Spread evenly: a file holds no masks, which are the same whenever it is loaded.
    degrees = [np.arange(num) % max(latent_dim - 1, 1) for num in units]
    start = z = keras.Input((latent_dim,), name="z")
    h = keras.Input((context,), name="context")
    log_scale = 0.0
    for step in range(steps):
        order = list(range(latent_dim))[:: -1 if step % 2 else 1]
        masked = MaskedNetwork(
            (1, 1, latent_dim),
            2,
            units,
            degrees=degrees,
            orders=[order],
            condition=Vector(context),
            name=f"step_{step}",
        )
        as_image = keras.layers.Reshape((1, 1, latent_dim), dtype=full_precision())(z)
        outputs = keras.layers.Flatten(dtype=full_precision())(masked([as_image, h]))
        m, s = outputs[:, :latent_dim], outputs[:, latent_dim:]
        kept = ops.sigmoid(s + 1.5)
        z = kept * z + (1.0 - kept) * m
        log_scale = log_scale - ops.softplus(-s - 1.5)
    return keras.Model([start, h], [z, log_scale], name=name)
