"""The Inception networks by path: each with its own protocol, and never called another's name."""

import hashlib

import h5py
import keras
import numpy as np
import pytest

from kgen.metrics import figures_of
from kgen.metrics.features import FIDInception, KerasInception
from kgen.metrics.features.resizing import resized_as_tensorflow_1
from kgen.networks.inception import inception
from kgen.runs.quality import features_of

RNG = np.random.default_rng(0)


def random_tensors():
    """Weights of the Inception network as PyTorch names them, always the same."""
    rng, found = np.random.default_rng(7), {}
    for layer in sorted(inception().layers, key=lambda layer: layer.name):
        name = layer.name.replace("-", ".")
        if isinstance(layer, keras.layers.BatchNormalization):
            num = layer.weights[0].shape
            found[f"{name}.weight"] = rng.uniform(0.8, 1.2, num)
            found[f"{name}.bias"] = rng.normal(0.0, 0.1, num)
            found[f"{name}.running_mean"] = rng.normal(0.0, 0.1, num)
            found[f"{name}.running_var"] = rng.uniform(0.5, 1.5, num)
        elif layer.weights:
            shape = layer.weights[0].shape
            shape = (*shape[:-3:-1], *shape[:-2])  # (outputs, inputs, height, width)
            found[f"{name}.weight"] = rng.normal(0.0, (1.8 / np.prod(shape[1:])) ** 0.5, shape)
    found["fc.bias"] = rng.normal(0.0, 1.0, 1008)
    return {name: array.astype("float32") for name, array in found.items()}


def write_torch_file(path, tensors):
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(array.copy()) for name, array in tensors.items()}, path)


@pytest.fixture(scope="module")
def fid_file(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("weights") / "inception.pth")
    write_torch_file(path, random_tensors())
    return path


@pytest.fixture(scope="module")
def fid(fid_file):
    return FIDInception(fid_file)


IMAGES = np.random.default_rng(3).integers(0, 256, (3, 20, 32, 3), dtype="uint8")

FEATURES = [  # torch-fidelity 0.4.0's of the same weights and images, every 500th
    [1.019931, 0.2758904, 1.4638002, 0.81211317, 0.9155807],
    [1.0485297, 0.28491682, 1.4977026, 0.83982843, 0.97773176],
    [1.0499552, 0.29928657, 1.4789667, 0.8252945, 0.943155],
]
LOGITS = [  # without bias, of classes 0, 300 and 900
    [0.48580176, -0.5470969, -1.1315963],
    [0.5015722, -0.54720706, -1.1704031],
    [0.49576902, -0.5399053, -1.141332],
]


@pytest.mark.full
def test_features_are_those_of_torch_fidelity(fid):
    found = fid.extract(IMAGES, batch_size=3)
    assert found.features.shape == (3, 2048) and found.logits.shape == (3, 1008)
    np.testing.assert_allclose(found.features[:, ::500], FEATURES, rtol=2e-5)
    np.testing.assert_allclose(found.logits[:, [0, 300, 900]], LOGITS, rtol=1e-4)
    # Floats are rounded to the bytes that the protocol is of.
    floats = np.clip(IMAGES / 255.0 + RNG.uniform(-0.4, 0.4, IMAGES.shape) / 255.0, 0.0, 1.0)
    again = fid.extract(floats, batch_size=3)
    np.testing.assert_allclose(again.features, found.features, rtol=1e-6)


@pytest.mark.full
@pytest.mark.anywhere
def test_clean_resizing_is_another_protocol(fid, fid_file):
    clean = FIDInception(fid_file, resizing="clean")
    images = RNG.random((4, 33, 40, 1))
    parts = [each.extract(images, batch_size=4) for each in (fid, clean)]
    assert np.abs(parts[0].features - parts[1].features).max() > 1e-3
    assert fid.resizing != clean.resizing and "bicubic" in clean.resizing
    edge = np.repeat([0.0, 1.0], 16)[None, None, :, None] * np.ones((1, 32, 1, 3))
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        asked = "kgen.metrics.features.inception.of_network"
        patch.setattr(asked, lambda network, x, batch_size: seen.append(x))
        clean.extract_batch(edge.astype("float32"), 1)
    assert np.ptp(seen[0]) == 255.0 / 128.0  # no less dark than black, as clean-fid clips them
    found = figures_of(parts[0], parts[0], fid, ["class_score"])
    assert found.protocol["resizing"] == fid.resizing
    with pytest.raises(ValueError, match="'legacy' or 'clean'.*Received: 'bilinear'"):
        FIDInception(fid_file, resizing="bilinear")


@pytest.mark.full
@pytest.mark.anywhere
def test_only_the_published_weights_are_called_fids(fid, fid_file, monkeypatch):
    with open(fid_file, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    assert (
        fid.notes == {"sha256": digest} and fid.name == "an Inception of other weights than FID's"
    )
    published = "6726825d" + 56 * "0"
    monkeypatch.setattr("kgen.metrics.features.inception._digest", lambda *args: published)
    assert features_of(None, fid_file).name == "FID's Inception of 2015-12-05"


@pytest.mark.anywhere
def test_resizing_as_tensorflow_1():
    """By hand: the corners come first, so that the last pixels repeat."""
    line = np.array([0.0, 1.0], "float32")[None, None, :, None]
    np.testing.assert_array_equal(
        resized_as_tensorflow_1(line, (1, 4)).ravel(), [0.0, 0.5, 1.0, 1.0]
    )
    tf = pytest.importorskip("tensorflow")
    for size in ((299, 299), (7, 5)):
        expected = tf.compat.v1.image.resize_bilinear(IMAGES.astype("float32"), size).numpy()
        found = resized_as_tensorflow_1(IMAGES.astype("float32"), size)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.full_on_one
@pytest.mark.parametrize("lacking", ["fc.weight", "Mixed_6b.branch_pool.bn.running_var"])
def test_another_network_is_refused(tmp_path, lacking):
    tensors = random_tensors()
    del tensors[lacking]
    path = str(tmp_path / "other.pth")
    write_torch_file(path, tensors)
    with pytest.raises(ValueError, match=f"weights of FID's Inception.*{lacking}"):
        FIDInception(path)
    with pytest.raises(ValueError, match="weights of Keras' InceptionV3. Received: .*other.pth"):
        KerasInception(path)
    for kind in (FIDInception, KerasInception):
        with pytest.raises(FileNotFoundError):
            kind(str(tmp_path / "none"))


def write_keras_file(path, network):
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, network)
        # As the files of the time when it was published have it.
        file.attrs["layer_names"] = np.array([n.encode() for n in file.attrs["layer_names"]])


@pytest.mark.full
@pytest.mark.anywhere
@pytest.mark.parametrize("has_top", [True, False])
def test_keras_weights(tmp_path, has_top):
    path = str(tmp_path / "inception_v3.h5")
    keras.utils.set_random_seed(0)
    network = keras.applications.InceptionV3(include_top=has_top, weights=None, pooling="avg")
    write_keras_file(path, network)
    features = KerasInception(path)
    images = RNG.random((2, 299, 299, 3)).astype("float32")
    found = features.extract(images, batch_size=2)
    assert features.has_classes == has_top and "other weights" in features.name
    expected = network.predict_on_batch(
        keras.applications.inception_v3.preprocess_input(images * 255)
    )
    if has_top:
        np.testing.assert_allclose(keras.ops.softmax(found.logits), expected, rtol=1e-4)
        assert found.features.shape == (2, 2048)
    else:
        assert found.logits is None
        np.testing.assert_allclose(found.features, expected, rtol=1e-4, atol=1e-6)
