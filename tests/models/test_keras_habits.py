"""What a Keras user does to a model: it works as Keras' do, or is refused with what to do."""

import copy
import pickle

import keras
import numpy as np
import pytest

import kgen
from tests.contract import EAGER, arrays, assert_same
from tests.tiers import in_tiers
from tests.zoo import SHAPE, ZOO, dcgan, dense_vae

IMAGES = np.random.default_rng(0).random((8, *SHAPE), dtype="float32")


@pytest.fixture(scope="module")
def vae():
    model = dense_vae(seed=0)
    model.compile(run_eagerly=EAGER)
    return model


@pytest.fixture(scope="module")
def gan():
    return dcgan(seed=0)


SERVED = [name for name, case in ZOO.items() if case.served]
OF_A_FAMILY = [name for name in SERVED if ZOO[name].family]


@pytest.mark.parametrize("name", in_tiers(SERVED, quick=OF_A_FAMILY))
def test_a_config_makes_another_model(name):
    """With networks of its own, as they were made."""
    case = ZOO[name]
    model = case.make(seed=3)
    other = type(model).from_config(model.get_config())
    assert other.get_config().keys() == model.get_config().keys()
    shapes = [[v.shape for v in each.variables] for each in (model, other)]
    assert shapes[0] == shapes[1]
    assert not {id(v) for v in model.variables} & {id(v) for v in other.variables}


@pytest.mark.parametrize(
    "make",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        keras.models.clone_model,
        lambda model: keras.models.model_from_json(model.to_json()),
    ],
    ids=["deepcopy", "pickle", "clone_model", "to_json"],
)
def test_copies(vae, make, request):
    other = make(vae)
    if request.node.callspec.id in ("deepcopy", "pickle"):
        assert_same(arrays(other.variables), arrays(vae.variables), atol=0.0)
    assert other.sample(2, seed=0).shape == (2, *SHAPE)
    other.compile(run_eagerly=EAGER)
    other.fit(IMAGES, verbose=0)


def test_a_file_that_could_not_be_read_is_not_written(vae, tmp_path):
    path = tmp_path / "model.h5"
    for refused in (path, str(path), tmp_path / "model.hdf5"):
        with pytest.raises(ValueError, match=r"ends in .keras.*save_weights.*Received: .*model.h"):
            vae.save(refused)
    checkpoint = keras.callbacks.ModelCheckpoint(str(path))
    before = arrays(vae.trainable_variables)
    with pytest.raises(ValueError, match="ends in .keras"):
        vae.fit(IMAGES, verbose=0, callbacks=[checkpoint])  # before the first step
    assert_same(arrays(vae.trainable_variables), before, atol=0.0)
    assert not list(tmp_path.iterdir())
    weights = keras.callbacks.ModelCheckpoint(tmp_path / "a.weights.h5", save_weights_only=True)
    vae.fit(IMAGES, verbose=0, callbacks=[weights])
    assert [each.name for each in tmp_path.iterdir()] == ["a.weights.h5"]


def test_a_model_is_saved_whole_or_not_at_all(vae, tmp_path, monkeypatch):
    path = tmp_path / "new" / "model.keras"
    vae.save(path)
    whole = path.read_bytes()

    def broken(model, filepath, *args, **kwargs):
        with open(filepath, "wb") as file:
            file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", broken)
    with pytest.raises(OSError, match="No space left"):
        vae.save(path)
    assert path.read_bytes() == whole and [each.name for each in path.parent.iterdir()] == [
        "model.keras"
    ]


def test_a_file_is_not_replaced_unless_asked(vae, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_bytes(b"mine")
    monkeypatch.setattr("builtins.input", lambda *args: "n")
    vae.save(path, overwrite=False)
    assert path.read_bytes() == b"mine"
    vae.save(path)
    assert path.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("call", "received"),
    [
        (lambda m: m.compile(loss="mse"), "loss='mse'"),
        (lambda m: m.compile("adam", metrics=["mae"]), r"metrics=\['mae'\]"),
        (lambda m: m.compile("adam", "mse"), "'mse'"),
        (lambda m: m.compile(d_optimizer="adam", g_optimizer="sgd"), "d_optimizer='adam', g_opt"),
        (lambda m: m.compile(loss_fn=None), "loss_fn=None"),
    ],
)
def test_what_compile_does_not_take(gan, call, received):
    message = r"its own losses.*\{'discriminator': ..., 'generator': ...\}.*Received: "
    with pytest.raises(ValueError, match=message + received):
        call(gan)


@pytest.mark.each_backend
def test_a_gan_is_not_called(gan):
    for call in (lambda: gan(IMAGES), lambda: gan.predict(np.zeros((2, 3)), verbose=0)):
        with pytest.raises(ValueError, match=r"^Expected sample\(...\), decode\(...\): DCGAN"):
            call()


def test_an_autoencoder_predicts_reconstructions(vae):
    expected = vae.reconstruct(IMAGES)
    np.testing.assert_allclose(
        vae.predict(IMAGES, batch_size=3, verbose=0), expected, rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(keras.ops.convert_to_numpy(vae(IMAGES)), expected, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="images / 255"):
        vae.predict(255 * IMAGES, verbose=0)
    conditional = dense_vae(num_classes=3)
    with pytest.raises(ValueError, match="Expected labels"):
        conditional.predict(IMAGES, verbose=0)
    y = np.arange(8) % 3
    np.testing.assert_array_equal(
        conditional.predict([IMAGES, y], verbose=0), conditional.reconstruct(IMAGES, y)
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([2 * IMAGES - 1], r"Rescale them, for example \(images \+ 1\) / 2"),
        ([[IMAGES]], r"Expected model\(images, training=...\).*Received: \['list'\]"),
        ([IMAGES, IMAGES], r"reconstruct.*Received: \['ndarray', 'ndarray'\]"),
    ],
)
def test_what_an_autoencoder_is_not_called_with(vae, given, message):
    with pytest.raises(ValueError, match=message):
        vae(*given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([IMAGES], r"Expected model\(\[images, labels\], training=...\)"),
        ([IMAGES, np.zeros(8, int)], r"Received: \['ndarray', 'ndarray'\]"),
        ([[IMAGES, np.full(8, 3)]], r"Expected labels in 0\.\.2. Received: labels in 3\.\.3"),
        ([[IMAGES, np.zeros(8, int), None]], "Expected model"),
    ],
)
def test_what_a_conditional_autoencoder_is_not_called_with(given, message):
    with pytest.raises(ValueError, match=message):
        dense_vae(num_classes=3)(*given)


def test_inside_another_model(vae):
    """With tensors of Keras', which have no values yet."""
    inputs = keras.Input(SHAPE)
    doubled = keras.Model(inputs, 2.0 * vae(inputs, training=False))
    expected = 2.0 * vae.reconstruct(IMAGES)
    np.testing.assert_allclose(doubled.predict(IMAGES, verbose=0), expected, rtol=0, atol=1e-6)


@pytest.mark.each_backend
def test_what_has_not_been_compiled_is_not_evaluated():
    for call in (lambda m: m.evaluate(IMAGES), lambda m: m.fit(IMAGES)):
        with pytest.raises(ValueError, match="compile"):
            call(dense_vae())


@pytest.mark.parametrize("verb", ["encode", "elbo", "predict", "log_likelihood", "reconstruct"])
def test_verbs_take_no_batches(vae, verb):
    data = kgen.data.load("digits")
    for batches in (data.train, data.test, data, iter([IMAGES]), (IMAGES, IMAGES)):
        with pytest.raises(ValueError, match=r"one array or tensor, as take\(\) gives.*Received"):
            getattr(vae, verb)(batches)


@pytest.mark.each_backend
def test_verbs_are_not_compiled(vae):
    compiled = {
        "tensorflow": lambda verb: __import__("tensorflow").function(verb),
        "jax": lambda verb: __import__("jax").jit(verb),
        "torch": lambda verb: lambda x: verb(keras.KerasTensor(x.shape)),
    }[keras.backend.backend()]
    with pytest.raises(ValueError, match="Expected images as rows.*outside of tf.function and jax"):
        compiled(vae.encode)(keras.ops.convert_to_tensor(IMAGES))


def test_a_batch_at_a_time(vae):
    """`train_on_batch`, as tutorials on GANs write it."""
    steps = int(keras.ops.convert_to_numpy(vae.steps))
    logs = vae.train_on_batch(IMAGES, return_dict=True)
    assert logs.keys() == {"loss", "reconstruction_loss", "kl_loss"}
    assert int(keras.ops.convert_to_numpy(vae.steps)) == steps + 1
    assert vae.test_on_batch(IMAGES, return_dict=True).keys() == logs.keys()
    for call in (vae.train_on_batch, vae.test_on_batch):
        with pytest.raises(ValueError, match="images / 255"):
            call(255 * IMAGES)
        with pytest.raises(ValueError, match="no sample_weight"):
            call(IMAGES, sample_weight=np.ones(8))


@pytest.mark.each_backend
@pytest.mark.parametrize("first", ["train_on_batch", "test_on_batch", "evaluate"])
def test_a_batch_comes_before_any_fit(first):
    model = dense_vae(seed=0)
    model.compile(keras.optimizers.SGD(0.01))
    getattr(model, first)(IMAGES)
    model.train_on_batch(IMAGES)
    model.fit(IMAGES, verbose=0)
    model.compile(keras.optimizers.SGD(0.01))
    before = model.get_weights()
    model.train_on_batch(IMAGES)
    assert int(model.optimizer.iterations) == 1
    assert any(np.any(a != b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_paper_of_another_field_is_a_config(gan):
    """Conditions and penalties in a config are copied too."""
    model = kgen.WGANGP(SHAPE, 3, width=2, penalties=[kgen.models.adversary.R1(2.0)], seed=0)
    other = kgen.WGANGP.from_config(model.get_config())
    assert [each.weight for each in other.penalties] == [each.weight for each in model.penalties]
    assert not {id(p) for p in other.penalties} & {id(p) for p in model.penalties}
