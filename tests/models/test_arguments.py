"""Arguments of another type or range: each call works, or says in words what it expected."""

import contextlib
import re

import keras
import numpy as np
import pytest

import kgen
from kgen.distributions import FixedNormal
from kgen.models.adversary import R1, Adversary, GradientPenalty
from tests.tiers import in_tiers

SHAPE = (8, 8, 1)
IMAGES = np.tile([0.0, 1.0], 128).reshape(4, *SHAPE).astype("float32")
TRAIN = kgen.data.load(IMAGES.repeat(5, axis=0), batch_size=4).train
Z = np.zeros((2, 2), "float32")
HIDDEN = np.ones(SHAPE[:2], bool)


def vae(image_shape=SHAPE, latent_dim=2, width=4, depth=1, **arguments):
    return kgen.VAE(image_shape, latent_dim, width=width, depth=depth, **arguments)


def autoencoder(image_shape=SHAPE, latent_dim=2, width=4, **arguments):
    return kgen.Autoencoder(image_shape, latent_dim, width=width, **arguments)


def gan(model_class=kgen.GAN, image_shape=SHAPE, latent_dim=2, width=5, **arguments):
    return model_class(image_shape, latent_dim, width=width, **arguments)


def info_gan(**arguments):
    return gan(kgen.InfoGAN, width=1, **arguments)


def pixel_cnn(image_shape=SHAPE, levels=2, width=2, depth=1, **arguments):
    return kgen.GatedPixelCNN(image_shape, levels, width=width, depth=depth, **arguments)


@pytest.fixture(scope="module")
def models():
    """A model of each family by its name, the VAE compiled."""
    made = {"vae": vae(), "gan": gan(), "info_gan": info_gan(), "pixel_cnn": pixel_cnn()}
    made["vae"].compile()
    return made


def whole(name, least=1):
    return f"Expected {name} as a whole number of at least {least}"


@contextlib.contextmanager
def refused(message):
    """Inside, a ValueError is raised that says what was expected, and what came."""
    with pytest.raises(ValueError, match=message) as error:
        yield
    assert re.match(r"(?s)Expected .*Received: .", str(error.value))


EACH = [vae, autoencoder, gan, pixel_cnn]
WITH_LATENTS = [vae, autoencoder, gan, info_gan]
STEPS = {kgen.GAN: "discriminator_steps", kgen.WGAN: "n_critic", kgen.WGANGP: "n_critic"}


@pytest.mark.parametrize("make", EACH)
@pytest.mark.parametrize(
    "arguments",
    [
        *({"image_shape": shape} for shape in (8, None, "8x8", (8, 8), (8, 0, 1), (8, 8, 1.5))),
        *({"width": size} for size in (0, -1, 2.5, "8", True)),
        *({"num_classes": num} for num in (0, 2.5, "ten", True)),
        *({"condition": each} for each in (10, "label", kgen.fields.Label)),
        *({"seed": seed} for seed in ("x", 1.5, -1, 2**31, True)),
    ],
    ids=repr,
)
def test_what_each_model_takes(make, arguments):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"^Expected {name} as .*Received: {name}="):
        make(**arguments)


@pytest.mark.parametrize("make", WITH_LATENTS)
@pytest.mark.parametrize("latent_dim", ["4", 4.0, None, 0, True])
def test_lengths_of_latents(make, latent_dim):
    with pytest.raises(ValueError, match=f"{whole('latent_dim')}. Received: latent_dim="):
        make(latent_dim=latent_dim)


@pytest.mark.parametrize(("model_class", "name"), STEPS.items())
@pytest.mark.parametrize("steps", [0, 2.5, "2", None, True])
def test_steps_of_an_adversary(model_class, name, steps):
    with pytest.raises(ValueError, match=f"{whole(name)}. Received: {name}="):
        gan(model_class, **{name: steps})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vae(depth="x"), whole("depth")),
        (lambda: vae(likelihood=["normal"]), "Expected likelihood in "),
        (lambda: vae(likelihood=FixedNormal), "Expected likelihood in .*or an object"),
        (lambda: FixedNormal("x"), "Expected std as a finite number above 0"),
        (lambda: gan(prior=["normal"]), "Expected prior in .*or a Prior"),
        (lambda: gan(penalties=["r1"]), r"Expected penalties as a sequence .*\['r1'\]"),
        (lambda: gan(penalties=[R1]), "Expected penalties as a sequence of kgen.models.adversary"),
        (lambda: gan(penalties=R1(1.0)), r"Expected penalties as a sequence .*<R1"),
        (lambda: gan(kgen.WGANGP, penalties=R1(1.0)), "Expected penalties as a sequence"),
        (lambda: Adversary(keras.Sequential(), penalties="r1"), "Expected penalties as a seq"),
        (lambda: GradientPenalty(center="x"), "Expected center as a finite number"),
        (lambda: gan(spectral_normalization="yes"), "spectral_normalization as True or False"),
        (lambda: gan(projection=1), "projection as True or False"),
        (lambda: gan(log_gradient_norms=3), "log_gradient_norms as True or False"),
        (lambda: gan(kgen.LSGAN, a="x"), "Expected a as a finite number"),
        (lambda: gan(kgen.LSGAN, c=np.nan), "Expected c as a finite number"),
        (lambda: gan(kgen.WGANGP, decay_steps=2.5), whole("decay_steps")),
        (lambda: gan(kgen.WGANGP, decay_steps="x"), whole("decay_steps")),
        (lambda: kgen.ConditionalGAN(SHAPE, "ten"), whole("num_classes")),
        (lambda: info_gan(categorical=10), "categorical as a tuple .* at least 2 each.*=10"),
        (lambda: info_gan(categorical=(2.5,)), r"categorical as a tuple .*\(2.5,\)"),
        (lambda: info_gan(categorical=(1,)), r"categorical as .* at least 2 each.*\(1,\)"),
        (lambda: info_gan(categorical=("a",)), "categorical as a tuple of whole numbers"),
        (lambda: info_gan(continuous=1.5), whole("continuous", 0)),
        (lambda: info_gan(continuous=-1), whole("continuous", 0)),
        (lambda: pixel_cnn(levels=2.5), r"levels as a whole number in 2\.\.65536.*=2.5"),
        (lambda: pixel_cnn(levels="2"), r"levels as a whole number in 2\.\.65536"),
        (lambda: pixel_cnn(levels=1), r"levels as a whole number in 2\.\.65536"),
        (lambda: pixel_cnn(levels=65537), r"levels as a whole number in 2\.\.65536"),
        (lambda: kgen.networks.dense_encoder(SHAPE, 2, condition="label"), whole("condition")),
        (lambda: kgen.callbacks.SampleGrid("samples", every=0), whole("every")),
        (lambda: kgen.callbacks.Backup("backups", every_steps=2.5), whole("every_steps")),
        (lambda: kgen.callbacks.Backup("backups", every_seconds="x"), "every_seconds as a finite"),
        (lambda: kgen.serving.Client("localhost:1", "m", version="x"), whole("version", 0)),
        (lambda: kgen.serving.Client("localhost:1", "m", retries=1.5), whole("retries", 0)),
        (lambda: kgen.serving.Client("localhost:1", "m", timeout=None), "timeout as a finite"),
    ],
)
def test_what_cannot_be_made(call, message):
    with refused(message):
        call()


@pytest.mark.parametrize(
    ("name", "call", "message"),
    [
        *(
            (name, lambda model, num=num: model.sample(num), f"{whole('num')}. Received: num=")
            for name in ("vae", "gan", "info_gan", "pixel_cnn")
            for num in ("x", None, 2.5, 0, True, "3")
        ),
        *(
            (name, lambda model, size=size: model.sample(2, batch_size=size), whole("batch_size"))
            for name in ("gan", "pixel_cnn")
            for size in ("x", None, 2.5, 0, True)
        ),
        *(
            ("pixel_cnn", lambda model, t=t: model.sample(1, temperature=t), "temperature as a fin")
            for t in ("x", None, 0.0, -1.0, np.nan)
        ),
        ("gan", lambda model: model.sample(2, seed="x"), "seed as a whole number"),
        ("gan", lambda model: model.draw_latents(2.5), whole("num")),
        ("gan", lambda model: model.interpolate(Z, Z, steps=2.5), whole("steps", 2)),
        ("gan", lambda model: model.interpolate(Z, Z, steps=1), whole("steps", 2)),
        ("gan", lambda model: model.interpolate(Z, Z, spherical="no"), "spherical as True or Fal"),
        ("gan", lambda model: model.interpolate(Z, Z[:1]), "latent vectors.*end of shape"),
        ("gan", lambda model: model.interpolate(IMAGES, IMAGES), r"latent vectors, .*\(num, 2\)"),
        ("gan", lambda model: model.interpolate(None, None), "latent vectors"),
        ("vae", lambda model: model.interpolate(IMAGES, IMAGES[:1]), "latent vectors.*end of sha"),
        ("vae", lambda model: model.interpolate(IMAGES[:, :4], IMAGES), "images of shape"),
        ("vae", lambda model: model.elbo(IMAGES, num_samples=0), whole("num_samples")),
        ("vae", lambda model: model.log_likelihood(IMAGES, num_samples=1.5), whole("num_samples")),
        ("vae", lambda model: model.log_likelihood(IMAGES, num_samples="x"), whole("num_samples")),
        ("info_gan", lambda model: model.set_code(model.draw_latents(2), 0.5, 1), "code as a whol"),
        ("pixel_cnn", lambda model: model.complete(IMAGES, HIDDEN, copies=1.5), whole("copies")),
        ("pixel_cnn", lambda model: model.complete(IMAGES, HIDDEN, copies=0), whole("copies")),
        ("pixel_cnn", lambda model: model.complete(IMAGES, "x"), "mask of shape"),
        ("vae", lambda model: model.export("digits", version="x"), whole("version")),
        ("vae", lambda model: kgen.pictures.samples(model, 2.5), whole("num")),
        ("vae", lambda model: kgen.pictures.manifold(model, size=2.5), whole("size")),
        ("vae", lambda model: kgen.pictures.manifold(model, dims=3), "dims as a pair"),
        ("vae", lambda model: kgen.pictures.traversal(model, Z[0], steps="x"), whole("steps")),
        ("vae", lambda model: kgen.pictures.traversal(model, Z[0], limit="x"), "limit as a finite"),
        ("info_gan", lambda model: kgen.pictures.codes(model, rows=0), whole("rows")),
        ("vae", lambda model: kgen.pictures.grid(IMAGES, columns=1.5), whole("columns")),
        ("vae", lambda model: kgen.pictures.nearest(IMAGES, IMAGES, 2.5), whole("neighbours")),
    ],
)
def test_what_a_verb_does_not_take(models, name, call, message):
    with refused(message):
        call(models[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(({"epochs": epochs}, whole("epochs")) for epochs in ("x", 1.5, 0, None)),
        *(({"batch_size": size}, whole("batch_size")) for size in ("x", 2.5, 0, True)),
        *(({"steps_per_epoch": num}, whole("steps_per_epoch")) for num in (0, 1.5, "x")),
        ({"initial_epoch": -1}, whole("initial_epoch", 0)),
        ({"validation_steps": 0}, whole("validation_steps")),
        ({"validation_batch_size": 0}, whole("validation_batch_size")),
        ({"validation_split": "x"}, "validation_split as a finite number"),
        ({"validation_split": 2.0}, r"validation_split in \[0, 1\)"),
        ({"validation_split": 1}, r"validation_split in \[0, 1\)"),
        ({"validation_split": 0.9}, "Expected images to train on"),
        ({"x": TRAIN, "batch_size": 10}, "no batch_size with batches.*Received: batch_size=10"),
        ({"x": TRAIN, "validation_split": 0.1}, "no validation_split with.*validation_data=data"),
        ({"validation_data": (IMAGES,) * 4}, "validation_data as .*Received: a tuple of 4"),
        ({"validation_data": ()}, r"validation_data as .*Received: a tuple of 0"),
        ({"validation_data": IMAGES}, "validation_data as .*Received: an array of shape"),
        ({"validation_freq": 0, "validation_data": (IMAGES,)}, whole("validation_freq")),
        ({"callbacks": "x"}, "callbacks as objects of keras.callbacks.Callback. .*'x'"),
        ({"callbacks": [print]}, "callbacks as objects of keras.callbacks.Callback"),
        ({"callbacks": keras.callbacks.EarlyStopping}, "callbacks as objects .*EarlyStopping"),
    ],
)
def test_what_fit_does_not_take(models, arguments, message):
    model = models["vae"]
    before = model.get_weights()
    with refused(message):
        model.fit(**{"x": IMAGES, "verbose": 0} | arguments)
    for value, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize(
    ("model_class", "name", "expected"),
    [(kgen.WGAN, "discriminator", "critic"), (kgen.DCGAN, "critic", "discriminator")],
)
def test_the_network_that_judges_has_its_papers_name(model_class, name, expected):
    with refused(f"Expected {expected}=.*paper calls.*Received: {name}=None"):
        gan(model_class, **{name: None})


def test_batches_have_their_size_in_evaluate_too(models):
    with refused("no batch_size with batches"):
        models["vae"].evaluate(TRAIN, batch_size=4, verbose=0)


@pytest.mark.parametrize("name", ["batch_size", "steps"])
def test_what_evaluate_does_not_take(models, name):
    with refused(f"{whole(name)} or None. Received: {name}=0"):
        models["vae"].evaluate(IMAGES, verbose=0, **{name: 0})


OF_INTEGERS = {
    "vae": lambda one: vae((8 * one, 8 * one, one), 2 * one, 4 * one, one),
    "info_gan": lambda one: info_gan(latent_dim=2 * one, categorical=(2 * one,), continuous=one),
    "wgan_gp": lambda one: gan(kgen.WGANGP, width=one, n_critic=2 * one, decay_steps=9 * one),
    "pixel_cnn": lambda one: pixel_cnn(
        levels=2 * one, width=2 * one, depth=one, num_classes=3 * one
    ),
    "pixel_rnn": lambda one: kgen.PixelRNN(
        SHAPE, 3 * one, width=2 * one, depth=one, subsampling=2 * one
    ),
    "pixel_cnn_plus_plus": lambda one: kgen.PixelCNNPlusPlus(
        SHAPE, 4 * one, width=2 * one, depth=one, scales=one
    ),
    "made": lambda one: kgen.MADE(SHAPE, 2 * one, width=2 * one, depth=one, orders=2 * one),
    "fvsbn": lambda one: kgen.FVSBN(SHAPE, order=one * np.arange(np.prod(SHAPE))),
    "glow": lambda one: kgen.Glow(SHAPE, width=2 * one, depth=one, squeezes=one, levels=4 * one),
}


@pytest.mark.anywhere
@pytest.mark.parametrize("name", in_tiers(OF_INTEGERS, quick=["vae", "wgan_gp", "pixel_cnn"]))
def test_numpy_integers_are_as_good(name, tmp_path):
    one = np.int64(1)
    model = OF_INTEGERS[name](one)
    model.compile()
    labels = None if model.condition is None else np.array([0, 1, 2, 0])
    model.fit(IMAGES, labels, batch_size=4 * one, epochs=one, verbose=0)
    labels = None if labels is None else labels[:2]
    images = model.sample(2 * one, labels, batch_size=one, seed=one)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.sample(2, labels, seed=1), images, atol=1e-6)


@pytest.mark.parametrize("num_classes", [None, 3])
def test_an_autoencoder_encodes_the_ends_of_a_way(num_classes):
    model = autoencoder(num_classes=num_classes)
    images = np.random.default_rng(0).random((4, *SHAPE), "float32")
    labels = None if num_classes is None else [0, 2]
    start, end = images[:2], images[2:, ..., 0]
    codes = model.encode(start, labels), model.encode(end, labels)
    expected = model.interpolate(*codes, labels, steps=3)
    found = model.interpolate(start, end, labels, steps=3, batch_size=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], model.reconstruct(start, labels), atol=1e-5)
