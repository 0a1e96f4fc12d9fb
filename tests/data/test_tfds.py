import json
import os

import keras
import numpy as np
import pytest

from kgen.data import load, splits
from kgen.data.images import resize
from kgen.fields import Attributes

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture(scope="module")
def write_set(tmp_path_factory):
    """Prepare a small TFDS set; image i has the grey level i. Gives its name and data_dir."""
    made = {}

    def write(name, shape=(4, 6, 1), num=(20, 5), labels=True, splits=("train", "test"), **more):
        if name in made:
            return name, made[name]
        features = {"image": tfds.features.Image(shape=shape), **more}
        if labels:
            features["label"] = tfds.features.ClassLabel(names=["even", "odd"])
        offset, data = 0, {}
        for split, size in zip(splits, num, strict=False):
            data[split] = []
            for i in range(offset, offset + size):
                height, width, channels = (side or 5 + i % 2 for side in shape)
                image = np.full((height, width, channels), i, "uint8")
                example = {"image": image, **{key: str(i) for key in more}}
                data[split].append((i, example | ({"label": i % 2} if labels else {})))
            offset += size
        data_dir = tmp_path_factory.mktemp(name)
        tfds.dataset_builders.store_as_tfds_dataset(
            name, "1.0.0", tfds.features.FeaturesDict(features), data, data_dir=data_dir
        )
        made[name] = data_dir
        return name, data_dir

    return write


@pytest.fixture(params=["in memory", "streamed"])
def storage(request, monkeypatch):
    if request.param == "streamed":
        monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)


def greys(batches):
    return [batch[0][:, 0, 0, 0].tolist() for batch in batches]


def test_train_and_test(storage, write_set):
    name, data_dir = write_set("kgen_plain")
    data = load(name, batch_size=4, data_dir=data_dir)
    assert (data.name, data.image_shape, data.num_classes) == (name, (4, 6, 1), 2)
    assert (data.num_train, data.num_test, data.class_names) == (20, 5, ("even", "odd"))
    images, labels = data.train[0]
    assert images.dtype == np.uint8 and labels.dtype == np.int32
    assert (images[:, 0, 0, 0] % 2 == labels).all()
    assert sorted(sum(greys(data.train), [])) == list(range(20))
    assert [len(batch) for batch in greys(data.test)] == [4, 1]
    assert sorted(sum(greys(data.test), [])) == list(range(20, 25))
    assert data.license == "see https://www.tensorflow.org/datasets/catalog/kgen_plain"


@pytest.mark.parametrize(
    ("said", "license"),
    [
        ({"location": {"urls": ["https://example.org"]}}, "see https://example.org"),
        ({"redistributionInfo": {"license": "CC0"}}, "CC0"),
    ],
)
def test_the_terms_of_use(said, license, write_set):
    name, data_dir = write_set(f"kgen_terms_{license[:3].strip().lower()}")
    (path,) = data_dir.rglob("dataset_info.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | said))
    assert load(name, data_dir=data_dir).license == license


def test_order_is_a_function_of_seed_and_epoch(storage, write_set):
    name, data_dir = write_set("kgen_plain")
    first, second = (load(name, batch_size=4, data_dir=data_dir, seed=1) for _ in range(2))
    expected = greys(first.train.epoch(3))
    assert greys(second.train.epoch(3)) == expected
    assert greys(first.train.epoch(4)) != expected
    other = load(name, batch_size=4, data_dir=data_dir, seed=2)
    assert greys(other.train.epoch(3)) != expected


def test_streamed_batches_by_index(write_set, monkeypatch):
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    name, data_dir = write_set("kgen_plain")
    data = load(name, batch_size=4, data_dir=data_dir)
    in_order = greys(data.train)
    assert greys(data.train[index] for index in (3, 1, 1, 3, 0)) == [
        in_order[index] for index in (3, 1, 1, 3, 0)
    ]
    tests = greys(data.test)
    assert greys(data.test[index] for index in (1, 0, 0)) == [tests[1], tests[0], tests[0]]


def test_a_pass_that_is_left_is_freed_at_once(storage, write_set, monkeypatch):
    """Whoever frees it would wait for the tuner's thread, for half a minute now and then."""
    import tensorflow_datasets as tfds

    passes, as_numpy = [], tfds.as_numpy
    monkeypatch.setattr(tfds, "as_numpy", lambda data: passes.append(data) or as_numpy(data))
    name, data_dir = write_set("kgen_plain")
    next(iter(load(name, batch_size=4, data_dir=data_dir).train))
    assert {data.options().autotune.enabled for data in passes} == {False}


def test_fit(storage, write_set):
    name, data_dir = write_set("kgen_plain")
    data = load(name, batch_size=4, data_dir=data_dir)
    model = keras.Sequential(
        [
            keras.Input(data.image_shape, dtype="uint8"),
            keras.layers.Rescaling(1.0),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"),
        ]
    )
    # The mean of the grey levels: 0 .. 19 while training, 20 .. 24 in the test.
    model.compile(keras.optimizers.SGD(0.0), loss=lambda y, level: level)
    history = model.fit(data.train, validation_data=data.test, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["loss"], 9.5, rtol=1e-5)
    np.testing.assert_allclose(history["val_loss"], 22, rtol=1e-5)


def test_only_a_train_split(storage, write_set):
    name, data_dir = write_set("kgen_train_only", num=(20,))
    data = load(name, batch_size=1, data_dir=data_dir)
    assert (data.num_train, data.num_test) == (18, 2)
    assert sorted(sum(greys(data.train) + greys(data.test), [])) == list(range(20))


def test_a_validation_split(write_set):
    name, data_dir = write_set("kgen_validation", splits=("train", "validation"))
    assert load(name, data_dir=data_dir).num_test == 5


def test_splits_that_are_not_used_are_named(write_set):
    name, data_dir = write_set("kgen_three", num=(5, 2, 3), splits=("train", "validation", "test"))
    with pytest.warns(UserWarning, match="kgen_three train and test are used, and not validation"):
        assert load(name, data_dir=data_dir).num_test == 3


def test_a_data_dir_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds, "builder", lambda *_, **__: pytest.fail("looked for the set"))
    with pytest.raises(FileNotFoundError, match="data_dir as an existing folder.*mkdir -p .*none"):
        load("mnist", data_dir=tmp_path / "none")


@pytest.fixture
def offline(monkeypatch):
    """Without a connection; gives the addresses that are asked."""
    requests, asked = pytest.importorskip("requests"), []

    def get(url, **_):
        asked.append(url)
        raise requests.ConnectionError("no\nroute")

    monkeypatch.setattr(requests, "get", get)
    return asked


def test_what_cannot_be_downloaded_is_told_at_once(tmp_path, monkeypatch, capsys, offline):
    builder = tfds.core.DatasetBuilder
    monkeypatch.setattr(builder, "download_and_prepare", lambda _: pytest.fail("went on trying"))
    message = (
        "mnist prepared in .*or a connection.*storage.googleapis.com cannot be reached.*copied"
    )
    with pytest.raises(ConnectionError, match=message):
        load("mnist", data_dir=tmp_path)
    assert len(offline) == 1  # of several files on one server
    assert f"prepared in {tmp_path}: downloading it to there, 11.1 MiB" in capsys.readouterr().out


def test_what_was_downloaded_before_needs_no_connection(tmp_path, monkeypatch, offline):
    def prepare(builder):
        raise RuntimeError("prepares")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", prepare)
    (tmp_path / "downloads" / "mnist").mkdir(parents=True)
    url = next(iter(tfds.builder("mnist", data_dir=tmp_path).url_infos))
    (tmp_path / "downloads" / "mnist" / "file.gz.INFO").write_text(json.dumps({"urls": [url]}))
    with pytest.raises(RuntimeError, match="prepares"):
        load("mnist", data_dir=tmp_path)
    assert not offline


def test_a_connection_that_breaks_is_worded(tmp_path, monkeypatch):
    requests = pytest.importorskip("requests")

    def prepare(builder):
        raise requests.ConnectionError("reset by\npeer")

    monkeypatch.setattr(requests, "get", lambda url, **_: open(os.devnull))
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", prepare)
    with pytest.raises(ConnectionError, match=r"or a connection to download it: reset by\\npeer"):
        load("mnist", data_dir=tmp_path)


def test_no_train_split(write_set):
    name, data_dir = write_set("kgen_test_only", splits=("test",))
    with pytest.raises(ValueError, match=r"'train'.*the splits \['test'\]"):
        load(name, data_dir=data_dir)


def test_differing_sizes(storage, write_set):
    name, data_dir = write_set("kgen_sizes", shape=(None, None, 3), labels=False)
    with pytest.raises(ValueError, match="`image_size`.*Received: source='kgen_sizes', whose"):
        load(name, data_dir=data_dir)
    data = load(name, batch_size=4, data_dir=data_dir, image_size=(3, 4))
    assert (data.image_shape, data.num_classes) == ((3, 4, 3), None)
    assert [batch[0].shape for batch in data.test] == [(4, 3, 4, 3), (1, 3, 4, 3)]
    assert sorted(sum(greys(data.train), [])) == list(range(20))


def test_other_features_are_left_alone(write_set):
    name, data_dir = write_set("kgen_more", file_name=tfds.features.Text())
    assert len(load(name, data_dir=data_dir).test[0]) == 2


def test_attributes(storage, tmp_path):
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(4, 6, 1)),
            "attributes": {"smiling": np.bool_, "bald": np.bool_, "hat": np.bool_},
        }
    )

    def example(i):
        bits = {"bald": bool(i & 1), "hat": bool(i & 2), "smiling": bool(i & 4)}
        return i, {"image": np.full((4, 6, 1), i, "uint8"), "attributes": bits}

    data = {"train": list(map(example, range(20)))}
    tfds.dataset_builders.store_as_tfds_dataset(
        "kgen_attributes", "1.0.0", features, data, data_dir=tmp_path
    )
    data = load("kgen_attributes", batch_size=5, data_dir=tmp_path)
    assert data.condition == Attributes(3, ("bald", "hat", "smiling"))
    assert (data.num_classes, data.class_names) == (None, None)
    for images, attributes in (*data.train, *data.test):
        assert attributes.dtype == np.float32
        expected = images[:, 0, 0, :1] // np.array([1, 2, 4], "uint8") % 2
        np.testing.assert_array_equal(attributes, expected)


def test_attributes_that_are_not_all_of_one_kind_are_left_alone(tmp_path):
    image = tfds.features.Image(shape=(4, 6, 1))
    one = {"image": np.zeros((4, 6, 1), "uint8"), "attributes": {"hat": True, "age": 3}}
    data = {"train": [(i, one) for i in range(2)]}
    features = {"image": image, "attributes": {"hat": np.bool_, "age": np.int64}}
    tfds.dataset_builders.store_as_tfds_dataset(
        "kgen_ages", "1.0.0", tfds.features.FeaturesDict(features), data, data_dir=tmp_path
    )
    assert load("kgen_ages", data_dir=tmp_path).condition is None


def test_no_images(tmp_path):
    features = tfds.features.FeaturesDict({"picture": tfds.features.Text()})
    data = {"train": [(0, {"picture": "words"})]}
    tfds.dataset_builders.store_as_tfds_dataset(
        "kgen_words", "1.0.0", features, data, data_dir=tmp_path
    )
    with pytest.raises(ValueError, match=r"feature 'image'.*the features \['picture'\]"):
        load("kgen_words", data_dir=tmp_path)


@pytest.mark.parametrize("name, meant", [("mnst", "'mnist'"), ("digit", "'digits'")])
def test_unknown_names(tmp_path, name, meant):
    with pytest.raises(ValueError, match=f"Did you mean .*{meant}.* Received: source='{name}'"):
        load(name, data_dir=tmp_path)


def test_unknown_name_like_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"existing folder or .npz. Received: source='my data/a'"):
        load("my data/a", data_dir=tmp_path)


def test_unknown_config(tmp_path):
    with pytest.raises(ValueError, match="no_such_config"):
        load("cifar10/no_such_config", data_dir=tmp_path)


def test_unknown_version(tmp_path):
    with pytest.raises(ValueError, match="9.9.9.* Received: source='mnist:9.9.9'"):
        load("mnist:9.9.9", data_dir=tmp_path)


def test_mnist(prepared, monkeypatch):
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)  # Decoding all of it takes longer.
    data = load("mnist", batch_size=32, data_dir=prepared)
    assert (data.image_shape, data.num_classes) == ((28, 28, 1), 10)
    assert (data.num_train, data.num_test, len(data.test)) == (60000, 10000, 313)
    images, labels = data.test[0]
    assert images.shape == (32, 28, 28, 1) and images.max() == 255
    assert labels.min() >= 0 and labels.max() <= 9


def test_image_size_is_the_same_as_for_arrays(prepared, monkeypatch):
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    original, _ = load("mnist", batch_size=2, data_dir=prepared).test[0]
    data = load("mnist", batch_size=2, data_dir=prepared, image_size=20)
    np.testing.assert_array_equal(data.test[0][0], [resize(image, (20, 20)) for image in original])
