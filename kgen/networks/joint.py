"""A network that judges images and their codes together."""

import keras

from kgen.layers.leaky_relu import LeakyReLU
from kgen.networks.conditioning import build
from kgen.networks.normalization import normalize


def joint_discriminator(
    features,
    latent_dim,
    units=(1024,),
    negative_slope=0.2,
    batch_normalization=False,
    name="discriminator",
):
    """Logits of pairs of an image and a code, each read by itself before they are joined.

    Args:
        features: keras.Model from images, or `[image, condition]`, to (batch, n), linear.
        latent_dim: int. Length of the code.
        units: tuple of int, the layers of both together; the first is that of the code alone too.
        negative_slope: float. Of the leaky ReLU.
        batch_normalization: bool. Of the layers of both together. Defaults to False.
        name: str. Name of the model.

    Returns:
        keras.Model from `[image, code]`, or `[image, code, condition]`, to logits (batch, 1).
    """
    image, *conditions = (keras.Input(each.shape[1:], dtype=each.dtype) for each in features.inputs)
    z = keras.Input((latent_dim,), name="z")
    seen = features([image, *conditions] if conditions else image)
    parts = seen, keras.layers.Dense(units[0])(z)
    x = keras.layers.Concatenate()([LeakyReLU(negative_slope)(each) for each in parts])
    for width in units:
        x = keras.layers.Dense(width, use_bias=not batch_normalization)(x)
        x = LeakyReLU(negative_slope)(normalize(x, batch_normalization))
    logits = keras.layers.Dense(1, dtype="float32")(x)
    return build([image, z, *conditions], logits, name)
