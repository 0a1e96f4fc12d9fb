"""The convolutional networks of Radford et al. 2015, https://arxiv.org/abs/1511.06434.

Strided 5x5 convolutions, batch normalization everywhere but next to the images, and no pooling;
weights start as N(0, 0.02), which needs a normalization: without one as He's, averaged over both
directions. A condition is concatenated at every layer, as in the authors' code.
"""

import math

import keras

from kgen.layers import Conv2D, Conv2DTranspose, LeakyReLU
from kgen.networks.conditioning import (
    build,
    condition_input,
    join,
    logits_of,
    spectral_wrapper,
)
from kgen.networks.convolutional import crop, halvings
from kgen.networks.normalization import normalize


def _normal():
    return keras.initializers.RandomNormal(stddev=0.02)


def _he_average():
    return keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform")


def _convolution(layer, filters, kernel_size, initializer, use_bias=True):
    return layer(
        filters,
        kernel_size,
        strides=2,
        padding="same",
        data_format="channels_last",
        use_bias=use_bias,
        kernel_initializer=initializer(),
    )


def _default_filters(image_shape):
    """The paper's 128 for its 64x64 images, half as many below, as the authors' on MNIST."""
    return 128 if min(image_shape[:2]) >= 64 else 64


def dcgan_generator(
    latent_dim,
    image_shape,
    filters=None,
    kernel_size=5,
    units=(),
    coarsest=7,
    batch_normalization=True,
    condition=None,
    name="generator",
):
    """Transposed convolutions from vectors to images, doubling the size in each.

    Args:
        latent_dim: int. Length of the input vector.
        image_shape: tuple (height, width, channels), height and width of at least 8. Where a size
            is not twice the one before, the last row or column is cropped.
        filters: int. Channels before the last layer; they double in each layer before, up to
            eightfold. Defaults to 128 from 64x64 on, 64 below.
        kernel_size: int.
        units: tuple of int. Dense layers before the first that has pixels.
        coarsest: int. The convolutions begin at the first halving of the image's size whose shorter
            side is at most this.
        batch_normalization: bool.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[z, condition]`.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, latent_dim) to (batch, height, width, channels) in [-1, 1].
    """
    _check_size(image_shape)
    filters = filters or _default_filters(image_shape)
    sizes = halvings(*image_shape[:2], coarsest)
    channels = [filters * 2 ** min(stage, 3) for stage in range(len(sizes) - 1)]
    bias = not batch_normalization
    initializer = _normal if batch_normalization else _he_average
    z = keras.Input((latent_dim,), name="z")
    conditions, code = condition_input(condition)
    x = z
    for width in units:
        x = join(x, code)
        x = keras.layers.Dense(width, use_bias=bias, kernel_initializer=initializer())(x)
        x = keras.layers.ReLU()(normalize(x, batch_normalization))
    smallest = (*sizes[-1], channels[-1])
    x = join(x, code)
    x = keras.layers.Dense(math.prod(smallest), use_bias=bias, kernel_initializer=initializer())(x)
    x = keras.layers.Reshape(smallest)(x)
    x = keras.layers.ReLU()(normalize(x, batch_normalization))
    for size, width in zip(sizes[-2:0:-1], channels[-2::-1], strict=True):
        x = join(x, code)
        x = _convolution(Conv2DTranspose, width, kernel_size, initializer, bias)(x)
        x = crop(x, *size)
        x = keras.layers.ReLU()(normalize(x, batch_normalization))
    x = join(x, code)
    x = _convolution(Conv2DTranspose, image_shape[-1], kernel_size, initializer)(x)
    x = crop(x, *image_shape[:2])
    x = keras.layers.Activation("tanh", dtype="float32")(x)
    return build([z, *conditions], x, name)


def dcgan_discriminator(
    image_shape,
    filters=None,
    kernel_size=5,
    units=(),
    coarsest=7,
    batch_normalization=True,
    negative_slope=0.2,
    condition=None,
    projection=False,
    spectral_normalization=False,
    with_features=False,
    name="discriminator",
):
    """Strided convolutions from images to logits, halving the size in each.

    Args:
        image_shape: tuple (height, width, channels), height and width of at least 8.
        filters: int. Channels of the first layer; they double in each layer, up to eightfold.
            Defaults to 128 from 64x64 on, 64 below.
        kernel_size: int.
        units: tuple of int. Dense layers after the convolutions.
        coarsest: int. The convolutions end at the first size whose shorter side is at most this.
        batch_normalization: bool.
        negative_slope: float. Of the leaky ReLU.
        condition: `kgen.fields.Field`, int for as many classes, or None. With it the network takes
            `[image, condition]`.
        projection: bool. The condition enters as the inner product of its embedding with the last
            features (Miyato & Koyama 2018, https://arxiv.org/abs/1802.05637).
        spectral_normalization: bool. Divide every kernel by its largest singular value, in place of
            batch normalization (Miyato et al. 2018, https://arxiv.org/abs/1802.05957).
        with_features: bool. Give the last features besides the logits.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, height, width, channels) in [-1, 1] to logits (batch, 1), or to the
        list of these and features (batch, n).
    """
    _check_size(image_shape)
    filters = filters or _default_filters(image_shape)
    initializer = _normal if batch_normalization or spectral_normalization else _he_average
    batch_normalization = batch_normalization and not spectral_normalization
    spectral = spectral_wrapper(spectral_normalization)
    image = keras.Input(image_shape, name="image")
    conditions, code = condition_input(condition)
    joined = None if projection else code
    x = image
    for stage, _ in enumerate(halvings(*image_shape[:2], coarsest)[1:]):
        normalized = batch_normalization and stage > 0
        width = filters * 2 ** min(stage, 3)
        convolution = _convolution(Conv2D, width, kernel_size, initializer, not normalized)
        x = spectral(convolution)(join(x, joined))
        x = LeakyReLU(negative_slope)(normalize(x, normalized))
    x = keras.layers.Flatten()(x)
    for width in units:
        dense = keras.layers.Dense(
            width, use_bias=not batch_normalization, kernel_initializer=initializer()
        )
        x = spectral(dense)(join(x, joined))
        x = LeakyReLU(negative_slope)(normalize(x, batch_normalization))
    logits = logits_of(join(x, joined), code if projection else None, spectral, initializer)
    return build([image, *conditions], [logits, x] if with_features else logits, name)


def recognition_head(num_features, outputs, units=128, negative_slope=0.1, name="recognition"):
    """InfoGAN's Q on top of a discriminator's features (Chen et al. 2016, appendix C).

    Args:
        num_features: int. Length of the features.
        outputs: int. Length of the output vector.
        units: int. The hidden layer.
        negative_slope: float. Of the leaky ReLU.
        name: str. Name of the model.

    Returns:
        keras.Model from (batch, num_features) to (batch, outputs), linear.
    """
    features = keras.Input((num_features,), name="features")
    x = keras.layers.Dense(units, use_bias=False, kernel_initializer=_normal())(features)
    x = LeakyReLU(negative_slope)(normalize(x))
    x = keras.layers.Dense(outputs, kernel_initializer=_normal(), dtype="float32")(x)
    return keras.Model(features, x, name=name)


def _check_size(image_shape):
    if min(image_shape[:2]) < 8:
        raise ValueError(
            "Expected images of at least 8x8 pixels for DCGAN's networks; give a generator and a "
            f"discriminator for smaller ones. Received: image_shape={image_shape}"
        )
