"""Diffusion among codes: what is measured, what stays, what is decoded."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen.seeds import seed_words, seeds_of
from tests.zoo import dense_vae, latent_diffusion

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 1)
IMAGES = RNG.random((32, *SHAPE)).astype("float32")


def numpy(x):
    return ops.convert_to_numpy(x)


def flow(**kwargs):
    return kgen.FlowMatching((1, 1, 3), width=8, seed=0, **kwargs)


def codes_with_a_category():
    sizes = {"latent_dim": 1, "categories": 2, "supervised": False, "width": 4}
    model = kgen.SemiSupervisedAAE(SHAPE, **sizes, seed=0)
    for variable in model.encoder.trainable_variables:  # or all codes are nearly the same
        variable.assign(3.0 * variable)
    return model


@pytest.mark.parametrize("make", [dense_vae, codes_with_a_category])
def test_codes_are_measured(make):
    model = kgen.LatentDiffusion(make(), flow(), seed=0)
    batches = [(IMAGES[:20], None), (IMAGES[20:], None)]
    model.adapt(batches)
    codes = model.autoencoder.encode(IMAGES)
    standard = (codes - numpy(model._mean)) / numpy(model._std)
    np.testing.assert_allclose(standard.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=0), 1.0, rtol=1e-4)


@pytest.mark.one_backend
def test_the_loss_is_that_of_the_codes():
    model = kgen.LatentDiffusion(dense_vae(), flow(dropout=0.0), seed=0)
    model.adapt(IMAGES)
    codes = (model.autoencoder.encode(IMAGES) - numpy(model._mean)) / numpy(model._std)

    def noise():
        return kgen.noise.StepNoise(keras.random.SeedGenerator(3).next())

    loss = model.denoising_loss(ops.convert_to_tensor(IMAGES), None, noise())
    z = ops.convert_to_tensor(codes.reshape(-1, 1, 1, 3))
    own = ops.mean(model.diffusion.loss_of_each(z, None, noise()))
    assert float(loss) == pytest.approx(float(own), rel=1e-5)


def test_samples_are_decoded():
    """Of a field of velocities 0 codes are the noise, at the codes' scale."""
    model = kgen.LatentDiffusion(dense_vae(), flow(ema_decay=None), seed=0)
    model.adapt(IMAGES)
    z = model.diffusion.chain(4, frames=2, steps=2, seed=5)
    assert z.shape == (4, 2, 1, 1, 3)
    images = model.sample(4, seed=5, steps=2)
    words = ops.convert_to_tensor(seed_words(seeds_of(5, 4)))
    noise = kgen.noise.SeededNoise(words)
    start = numpy(noise.normal((4, 1, 1, 3)))[:, 0, 0]
    codes = start * numpy(model._std) + numpy(model._mean)
    np.testing.assert_allclose(images, model.autoencoder.decode(codes), atol=1e-5)


@pytest.mark.one_backend
def test_what_an_autoencoder_draws_is_of_the_images_seed():
    sizes = {"levels": 2, "width": 4, "pixel_width": 4, "pixel_depth": 1}
    model = kgen.LatentDiffusion(kgen.PixelVAE(SHAPE, 3, seed=0, **sizes), flow(), seed=0)
    given = {"sampler": "ancestral", "steps": 3}
    images = model.sample(4, seed=5, **given)
    assert images.shape == (4, *SHAPE) and set(np.unique(images)) == {0.0, 1.0}
    alone = model.sample(1, seed=seeds_of(5, 4)[2:3], **given)
    np.testing.assert_array_equal(alone[0], images[2])


def test_conditions_are_asked_for_where_the_autoencoder_has_them():
    model = kgen.LatentDiffusion(dense_vae(num_classes=3), flow(num_classes=3), seed=0)
    with pytest.raises(ValueError, match="with labels for a conditional.*Received: images alone"):
        model.adapt(IMAGES)
    with pytest.raises(ValueError, match="Expected images.*Received: none"):
        model.adapt([])
    model.adapt([(IMAGES, np.arange(32) % 3)])
    codes = model.autoencoder.encode(IMAGES, np.arange(32) % 3)
    np.testing.assert_allclose(numpy(model._mean), codes.mean(axis=0), atol=1e-5)


def test_the_first_images_count():
    model = dense_vae()
    x = np.repeat(np.arange(4, dtype="float32") / 4, 10)[:, None, None, None] * np.ones(SHAPE)
    for images in (x, [x[:25], x[25:]], iter([(x[:7], None), (x[7:], None)])):
        found = model.first_batches(images, 20)
        np.testing.assert_array_equal(np.concatenate([each for each, _ in found]), x[:20])


@pytest.mark.one_backend
def test_the_autoencoder_stays():
    model = latent_diffusion(seed=0)
    before = [numpy(v) for v in model.autoencoder.variables]
    one = np.repeat(IMAGES[:1], 32, axis=0)  # whose code the network can learn
    model.compile(keras.optimizers.Adam(1e-2))
    history = model.fit(one, np.arange(32) % 3, batch_size=8, epochs=20, verbose=0).history
    assert np.mean(history["loss"][-5:]) < 0.7 * np.mean(history["loss"][:2])
    for variable, start in zip(model.autoencoder.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), start)


def test_the_given_autoencoder_stays_its_owners(tmp_path):
    """It may go on training, and its optimizer is not in the file, of which nothing is skipped."""
    vae = dense_vae()
    vae.compile()
    vae.fit(IMAGES, verbose=0)
    model = kgen.LatentDiffusion(vae, flow(), seed=0)
    codes = model.autoencoder.encode(IMAGES)
    np.testing.assert_allclose(codes, vae.encode(IMAGES), atol=1e-6)
    vae.fit(IMAGES, verbose=0)
    np.testing.assert_array_equal(model.autoencoder.encode(IMAGES), codes)
    assert np.abs(vae.encode(IMAGES) - codes).max() > 1e-6
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Skipping variable loading")
        again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.autoencoder.encode(IMAGES), codes, atol=1e-6)


def test_it_is_published_with_its_average():
    model = latent_diffusion(seed=0)
    model.adapt(IMAGES)
    model.compile()
    before = model.diffusion.average.network.get_weights()
    model.fit(IMAGES, np.arange(32) % 3, verbose=0)
    after = model.diffusion.average.network.get_weights()
    assert max(np.abs(a - b).max() for a, b in zip(after, before, strict=True)) > 0.0
    copy = model.published()
    assert copy.diffusion.average is None
    given = {"labels": [0, 1], "seed": 0, "guidance": 2.0}
    np.testing.assert_allclose(copy.sample(2, **given), model.sample(2, **given), atol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: (kgen.GAN(SHAPE, 3), flow()), "autoencoder as a kgen.VAE"),
        (lambda: (dense_vae(), dense_vae()), r"images \(1, 1, 3\)"),
        (lambda: (dense_vae(), kgen.FlowMatching((1, 1, 4), width=8)), r"of \(1, 1, 4\)"),
        (lambda: (dense_vae(num_classes=3), flow()), "without a condition, or with"),
        (lambda: (dense_vae(), kgen.DDPM((1, 1, 3), width=8)), "clip=False"),
        (lambda: (dense_vae(), kgen.EDM((1, 1, 3), width=8)), "sigma_data=1.0.*sigma_data=0.5"),
        (
            lambda: (dense_vae(), kgen.DDPM((1, 1, 3), width=8, clip=False, variance="learned")),
            "variance='learned'",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        kgen.LatentDiffusion(*make())
