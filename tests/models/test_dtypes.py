"""Settings of Keras and the backends that concern numbers: a model works, or says what to set."""

import keras
import numpy as np
import pytest

import kgen
from tests.contract import EAGER
from tests.tiers import in_tiers
from tests.zoo import SHAPE, ZOO

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.each_backend


@pytest.fixture
def settings():
    """What is set for a test is as before after it."""
    names = ("floatx", "image_data_format", "epsilon")
    before = {name: getattr(keras.config, name)() for name in names}
    yield
    for name, value in before.items():
        getattr(keras.config, f"set_{name}")(value)
    keras.config.set_dtype_policy("float32")


def set_floatx(dtype):
    """As where nobody has set a policy, which follows it."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def every_option(seed=0):
    """A GAN with what computes beside the losses."""
    return kgen.DCGAN(
        (16, 16, 1),
        3,
        width=2,
        num_classes=3,
        projection=True,
        spectral_normalization=True,
        ema_decay=0.9,
        log_gradient_norms=True,
        r1_weight=0.1,
        label_smoothing=0.1,
        seed=seed,
    )


def live(make, image_shape, given, y):
    """Trains, evaluates, samples, saves and loads a model; what its variables are of."""
    model = make(seed=0)
    model.compile(run_eagerly=EAGER)
    images = np.random.default_rng(0).random((4, *image_shape))
    history = model.fit(images, given, batch_size=4, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    model.evaluate(images, given, verbose=0)
    samples = model.sample(2, None if y is None else y[:2], seed=0)
    assert samples.dtype == np.float32
    return model, samples


MODELS = {
    name: (case.make, case.image_shape, case.given_to_fit(4), case.y(4))
    for name, case in ZOO.items()
    if case.samples
}
MODELS["every_option"] = (every_option, (16, 16, 1), np.arange(4) % 3, np.arange(4) % 3)
QUICK = ("pixel_cnn", "every_option") if BACKEND == "torch" else ("pixel_cnn",)
# One of each family, and of each kind of loop and of integers in a step.
COMPILED = [name for name in MODELS if name in ZOO and ZOO[name].family]
COMPILED += ["every_option", "pixel_rnn", "made", "vq_vae", "ladder_vae"]
ON_EACH = {"jax": QUICK, "tensorflow": COMPILED}


@pytest.mark.filterwarnings("ignore:.*judges a batch together", "ignore:Explicitly requested dtype")
@pytest.mark.parametrize("name", in_tiers(list(MODELS), quick=QUICK, on_each=ON_EACH.get(BACKEND)))
def test_double_precision(settings, name, tmp_path):
    set_floatx("float64")
    model, samples = live(*MODELS[name])
    if BACKEND != "jax":  # whose float64 is float32 unless JAX_ENABLE_X64 says otherwise
        assert "float64" in {str(variable.dtype) for variable in model.trainable_variables}
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    labels = MODELS[name][3]
    again = loaded.sample(2, None if labels is None else labels[:2], seed=0)
    np.testing.assert_allclose(again, samples, atol=1e-6)


@pytest.mark.skipif(BACKEND != "jax", reason="of JAX")
@pytest.mark.filterwarnings("ignore:.*judges a batch together")
@pytest.mark.parametrize("name", in_tiers(COMPILED, quick=("dcgan",)))
def test_jax_with_64_bits(name):
    import jax

    jax.config.update("jax_enable_x64", True)
    try:
        live(*MODELS[name])
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_of_half_precision_are_not_trained(settings, dtype):
    set_floatx(dtype)
    model = kgen.VAE(SHAPE, latent_dim=2, width=4, depth=1)
    with pytest.raises(ValueError, match=f"dtype='mixed_{dtype}'.*Received: .*kernel of {dtype}"):
        model.compile()
    set_floatx("float32")
    with pytest.raises(ValueError, match=f"mixed_{dtype}"):
        kgen.VAE(SHAPE, latent_dim=2, width=4, depth=1, dtype=dtype).compile()
    kgen.VAE(SHAPE, latent_dim=2, width=4, depth=1, dtype=f"mixed_{dtype}").compile()


def test_means_are_of_float32_whatever_keras_is_set_to(settings):
    """A sum of losses of some batches is more than float16 holds."""
    set_floatx("float16")
    model = kgen.VAE(SHAPE, latent_dim=2, width=4, depth=1, dtype="float32")
    assert {metric.dtype for metric in model.metrics} == {"float32"}
    assert {str(v.dtype) for metric in model.metrics for v in metric.variables} == {"float32"}


@pytest.mark.parametrize("name", in_tiers(list(MODELS), quick=("dcgan",), on_each=()))
@pytest.mark.filterwarnings("ignore:.*judges a batch together")
def test_images_are_channels_last_whatever_keras_is_set_to(settings, name):
    keras.config.set_image_data_format("channels_first")
    live(*MODELS[name])
