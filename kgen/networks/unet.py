"""The U-Net of Ho et al. 2020, https://arxiv.org/abs/2006.11239, appendix B.

Residual blocks at the size of the image and at each of its halvings, attention where pixels are
few, and back, each block on the way up with what one on the way down gave. The last convolution of
each block, of each attention and of the network is 0 at first, so that the network is.
"""

import keras

from kgen.layers import Conv2D, DepthToSpace, GroupNorm, SelfAttention, SpaceToDepth
from kgen.layers.precision import full_precision
from kgen.layers.seeded_dropout import seeded_dropout
from kgen.networks.conditioning import join
from kgen.networks.convolutional import crop
from kgen.networks.timed import activated, check_patch, dense, scaled, time_inputs


def unet(
    image_shape,
    width=128,
    multipliers=(1, 2, 2, 2),
    depth=2,
    attention_at=(16,),
    heads=1,
    dropout=0.1,
    patch=1,
    channels=None,
    condition=None,
    name="unet",
):
    """Residual blocks down and up, from images and times to images.

    With its defaults, of 32x32x3, it is the paper's of CIFAR-10, of 35,746,307 parameters.

    Args:
        image_shape: tuple (height, width, channels), any height and width that `patch` divides;
            where a size is odd, the last row or column of what is twice its half is cropped.
        width: int. Channels of the first blocks; an embedding of the time has four times as many.
        multipliers: tuple of int. Channels at each size, as multiples of `width`; from one to the
            next the size is halved.
        depth: int. Blocks at each size on the way down; one more on the way up.
        attention_at: tuple of int. The sizes, of the longer side, behind whose blocks pixels attend
            to each other; at the last they do between two more blocks.
        heads: int. Of the attention.
        dropout: float in [0, 1). Of each block.
        patch: int. Each square of so many pixels a side is one, of as many times the channels, for
            machines that are small: 2 takes a fourth of the time.
        channels: int. Of what it gives. Defaults to the image's.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, t, condition, given]`: where `given`, (batch,), is 0, the condition does not
            count. An image joins the image, of another size its halving that fits; all else joins
            the embedding of the time.
        name: str. Name of the model.

    Returns:
        keras.Model from [image (batch, height, width, channels), t (batch,)], which may be of any
        scale, to (batch, height, width, channels), 0 at first.
    """
    check_patch(image_shape, patch)
    if width % 2 or width < 4:
        raise ValueError(f"Expected width as an even number of at least 4. Received: {width=}")
    channels = channels or image_shape[-1]
    image = keras.Input(image_shape, name="image")
    inputs, embedding, code = time_inputs(width, 4 * width, condition)
    embedding = activated(embedding)

    def block(x, filters):
        y = _convolution(filters)(activated(_normalized(x)))
        shift = keras.layers.Reshape((1, 1, filters))(dense(filters)(embedding))
        y = activated(_normalized(keras.layers.Add()([y, shift])))
        if dropout:
            y = seeded_dropout(dropout)(y)
        y = _convolution(filters, initializer="zeros")(y)
        if x.shape[-1] != filters:
            x = dense(filters)(x)
        return keras.layers.Add()([x, y])

    def attend(x):
        return keras.layers.Add()([x, SelfAttention(heads)(_normalized(x))])

    def blocks(x, filters):
        x = block(x, filters)
        return attend(x) if max(x.shape[1:3]) in attention_at else x

    fits = code is not None and code.shape[1:3] == image.shape[1:3]
    x = join(image, code) if fits else image
    x = SpaceToDepth(patch)(x) if patch > 1 else x
    x = _convolution(width)(x if fits else join(x, code))
    below = [x]
    for level, multiplier in enumerate(multipliers):
        if level:
            x = _convolution(x.shape[-1], strides=2)(x)
            below.append(x)
        for _ in range(depth):
            x = blocks(x, multiplier * width)
            below.append(x)
    x = block(attend(block(x, x.shape[-1])), x.shape[-1])
    for level, multiplier in reversed([*enumerate(multipliers)]):
        for _ in range(depth + 1):
            x = keras.layers.Concatenate()([x, below.pop()])
            x = blocks(x, multiplier * width)
        if level:
            x = keras.layers.UpSampling2D(2, data_format="channels_last")(x)
            x = _convolution(x.shape[-1])(crop(x, *below[-1].shape[1:3]))
    x = activated(_normalized(x))
    x = _convolution(patch**2 * channels, initializer="zeros", dtype=full_precision())(x)
    x = DepthToSpace(patch, dtype=full_precision())(x) if patch > 1 else x
    return keras.Model([image, *inputs], x, name=name)


def _convolution(filters, strides=1, initializer=None, dtype=None):
    return Conv2D(
        filters,
        3,
        strides,
        padding="same",
        data_format="channels_last",
        kernel_initializer=initializer or scaled(),
        dtype=dtype,
    )


def _normalized(x):
    """32 groups, or where each would have fewer than 4 channels so many as have them."""
    most = max(1, min(32, x.shape[-1] // 4))
    groups = max(g for g in range(1, most + 1) if x.shape[-1] % g == 0)
    return GroupNorm(groups)(x)
