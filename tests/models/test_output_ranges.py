"""Networks of the user's own whose outputs have another range than what is asked for."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import kgen
from kgen.distributions import Bernoulli, FixedNormal
from tests.zoo import SHAPE

IMAGES = np.random.default_rng(0).random((4, *SHAPE), dtype="float32")


def generator(activation=None, *more):
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(64, activation), *more, layers.Reshape(SHAPE)], name="mine"
    )


def judge(activation=None, units=1):
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Flatten(), layers.Dense(units, activation)], name="mine"
    )


def by_operations():
    z = keras.Input((3,))
    return keras.Model(z, ops.reshape(ops.sigmoid(layers.Dense(64)(z)), (-1, *SHAPE)), name="mine")


def nested(scaled):
    z = keras.Input((3,))
    images = generator("sigmoid")(z)
    return keras.Model(z, 2.0 * images - 1.0 if scaled else images, name="mine")


def vae(**kwargs):
    return kgen.VAE(SHAPE, 3, **kwargs)


def vq_vae(activation, likelihood):
    images = layers.Conv2DTranspose(1, 4, strides=4, activation=activation)
    decoder = keras.Sequential([keras.Input((2, 2, 3)), images], name="mine")
    return kgen.VQVAE(SHAPE, 4, 3, decoder=decoder, likelihood=likelihood, prior_width=2)


def dcgan(network):
    return kgen.DCGAN(SHAPE, 3, width=2, generator=network)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dcgan(generator("sigmoid")), "generator .*tanh, which sigmoid.*generator=mine"),
        (lambda: dcgan(generator(keras.activations.relu)), "generator .*which relu"),
        (lambda: dcgan(generator(None, layers.Activation("softplus"))), "which softplus"),
        (lambda: dcgan(generator(None, layers.Softmax())), "which softmax"),
        (lambda: dcgan(by_operations()), "which sigmoid"),
        (lambda: dcgan(nested(scaled=False)), "which sigmoid"),
        (lambda: kgen.DCGAN(SHAPE, 3, discriminator=judge("sigmoid")), "discriminator .*sigmoid"),
        (lambda: kgen.LSGAN(SHAPE, 3, discriminator=judge("sigmoid")), "discriminator .*sigmoid"),
        (lambda: kgen.WGAN(SHAPE, 3, critic=judge("tanh")), "critic .*any size, which tanh"),
        (
            lambda: kgen.WGAN(
                SHAPE, 3, critic=spectral("hard_sigmoid"), clip=None, spectral_normalization=True
            ),
            "which hardsigmoid",
        ),
        (lambda: vae(decoder=generator("sigmoid")), "decoder .*which sigmoid"),
        (lambda: vae(decoder=generator("sigmoid"), likelihood=Bernoulli()), "which sigmoid"),
        (lambda: kgen.VAE(SHAPE, 3, encoder=judge("relu", 6)), "encoder .*which relu"),
        (lambda: vq_vae("sigmoid", "bernoulli"), "decoder .*which sigmoid"),
        (lambda: kgen.Autoencoder(SHAPE, 3, decoder=generator("sigmoid")), "decoder .*sigmoid"),
        (lambda: kgen.InfoGAN(SHAPE, 3, recognition=recognition("softmax")), "recogn.*softmax"),
        (lambda: kgen.VAE(SHAPE, 3, encoder=two_outputs()), r"\(None, 3\) and .*3\). Concatenate"),
        (
            lambda: kgen.VAE(SHAPE, 3, encoder=judge(None, 3)),
            r"6\), means and then log-var.*None, 3",
        ),
        (
            lambda: kgen.DCGAN(SHAPE, 3, discriminator=of_colours((8, 8, 3))),
            r"takes \(None, 8, 8, 3",
        ),
        (
            lambda: kgen.DCGAN(SHAPE, 3, discriminator=of_colours((None, None, 3))),
            "takes .*None, 3",
        ),
    ],
)
def test_what_can_be_seen_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("likelihood", ["fixed_normal", FixedNormal(0.2)])
def test_means_of_pixels_may_be_bounded(likelihood):
    model = vae(decoder=generator("sigmoid"), likelihood=likelihood, seed=0)
    z = np.zeros((1, 3), "float32")
    np.testing.assert_array_equal(model.decode(z), np.full((1, *SHAPE), 0.5))
    vq_vae("sigmoid", likelihood)


def test_what_was_saved_before_it_was_refused_is_loaded():
    config = vae(seed=0).get_config() | {"decoder": generator("sigmoid")}
    assert kgen.VAE.from_config(config).decoder.name == "mine"


def of_colours(shape):
    pool = layers.GlobalAveragePooling2D()
    return keras.Sequential([keras.Input(shape), layers.Conv2D(2, 3), pool, layers.Dense(1)])


def spectral(activation):
    dense = kgen.layers.SpectralNormalization(layers.Dense(1, activation))
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), dense])


def recognition(activation):
    return keras.Sequential([keras.Input((1024,)), layers.Dense(12, activation)])


def two_outputs():
    x = keras.Input(SHAPE)
    return keras.Model(x, [layers.Dense(3)(layers.Flatten()(x)) for _ in range(2)])


def test_what_fits_is_taken(recwarn):
    dcgan(generator("tanh"))
    dcgan(nested(scaled=True))
    kgen.DCGAN(SHAPE, 3, discriminator=judge("leaky_relu"))
    kgen.DCGAN(SHAPE, 3, discriminator=of_colours((None, None, 1)))
    kgen.Autoencoder(SHAPE, 3, encoder=judge("sigmoid", 3))  # a code may be in any range
    losses = (lambda real, fake: fake - real), (lambda real, fake: -fake)
    kgen.DCGAN(SHAPE, 3, discriminator=judge("sigmoid"), loss=losses)
    assert not [each for each in recwarn if each.category is UserWarning]


@pytest.mark.each_backend
@pytest.mark.parametrize(
    ("network", "is_right"),
    [
        (lambda: generator(None, layers.Rescaling(50.0)), False),
        (lambda: generator(None, layers.Lambda(ops.sigmoid)), False),
        (lambda: nested(scaled=True), True),
        (lambda: generator(), True),
        (lambda: generator(None, layers.Rescaling(0.0, 1e-4)), True),
    ],
    ids=["large", "unseen sigmoid", "scaled sigmoid", "linear", "small"],
)
def test_what_cannot_be_seen_is_told_of_by_its_first_images(network, is_right, recwarn):
    gan = dcgan(network())
    gan.compile(run_eagerly=True)
    gan.fit(IMAGES, verbose=0)
    told = [str(each.message) for each in recwarn if "generator of images" in str(each.message)]
    assert len(told) == (not is_right)
    assert all("generator=mine, whose first are in [" in message for message in told)


@pytest.mark.each_backend
def test_images_are_in_their_range_whatever_makes_them():
    gan = dcgan(generator(None, layers.Rescaling(50.0)))
    images = gan.sample(4, seed=0)
    assert images.min() == 0.0 and images.max() == 1.0
