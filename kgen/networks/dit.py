"""The diffusion transformer of Peebles & Xie 2022, https://arxiv.org/abs/2212.09748, figure 3."""

import keras

from kgen.layers import DepthToSpace, PositionEmbedding, SelfAttention, SpaceToDepth
from kgen.layers.precision import full_precision
from kgen.layers.seeded_dropout import seeded_dropout
from kgen.networks.conditioning import join
from kgen.networks.timed import activated, check_patch, dense, time_inputs


def dit(
    image_shape,
    width=384,
    depth=12,
    heads=6,
    patch=2,
    dropout=0.0,
    channels=None,
    condition=None,
    name="dit",
):
    """A transformer of an image's patches, from images and times to images.

    Each block is scaled, shifted and let in by what the time and the condition say (adaLN-Zero), so
    that it is the identity at first. With its defaults it is the paper's DiT-S/2 but for the
    condition's embedding.

    Args:
        image_shape: tuple (height, width, channels), any height and width that `patch` divides.
        width: int. Numbers of each patch; `4 * heads` divides it.
        depth: int. Blocks of attention and of a perceptron.
        heads: int. Of the attention.
        patch: int. Pixels a side of a patch.
        dropout: float in [0, 1). Behind each perceptron; the paper has none.
        channels: int. Of what it gives. Defaults to the image's.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, t, condition, given]`: where `given`, (batch,), is 0, the condition does not
            count.
        name: str. Name of the model.

    Returns:
        keras.Model from [image (batch, height, width, channels), t (batch,)], which may be of any
        scale, to (batch, height, width, channels), 0 at first.
    """
    check_patch(image_shape, patch)
    if width % (4 * heads):
        raise ValueError(f"Expected width as a multiple of 4 * heads. Received: {width=}, {heads=}")
    image = keras.Input(image_shape, name="image")
    inputs, code, of_image = time_inputs(256, width, condition)
    code = activated(code)

    def parts(num):
        """So many vectors that the code says, 0 at first, to be applied to every patch."""
        every = keras.layers.Reshape((1, 1, num * width))(dense(num * width, "zeros")(code))
        return keras.ops.split(every, num, axis=-1)

    def modulated(x, shift, scale):
        x = keras.layers.LayerNormalization(epsilon=1e-6, center=False, scale=False)(x)
        return x * (scale + 1.0) + shift

    x = SpaceToDepth(patch)(join(image, of_image)) if patch > 1 else join(image, of_image)
    x = PositionEmbedding()(dense(width)(x))
    for _ in range(depth):
        shift, scale, gate, later_shift, later_scale, later_gate = parts(6)
        attention = SelfAttention(heads, "glorot_uniform")
        x = x + gate * attention(modulated(x, shift, scale))
        y = dense(4 * width)(modulated(x, later_shift, later_scale))
        y = dense(width)(keras.layers.Activation(keras.activations.gelu)(y))
        x = x + later_gate * (seeded_dropout(dropout)(y) if dropout else y)
    x = modulated(x, *parts(2))
    x = dense(patch**2 * (channels or image_shape[-1]), "zeros", dtype=full_precision())(x)
    x = DepthToSpace(patch, dtype=full_precision())(x) if patch > 1 else x
    return keras.Model([image, *inputs], x, name=name)
