import numpy as np
import pytest

from kgen.data import load
from kgen.data.images import resize


def read_all(batches):
    return np.concatenate([batch[0] for batch in batches])


def test_digits():
    data = load("digits", batch_size=100)
    assert (data.name, data.image_shape, data.num_classes) == ("digits", (8, 8, 1), 10)
    assert (data.num_train, data.num_test, len(data.train)) == (1500, 297, 15)
    assert data.class_names == tuple("0123456789")
    assert data.license.startswith("CC BY 4.0")
    images, labels = data.train[0]
    assert images.dtype == np.uint8 and images.max() == 255 and images.min() == 0
    assert labels.dtype == np.int32 and labels.shape == (100,)


def test_digits_keep_their_labels():
    from sklearn.datasets import load_digits

    bunch = load_digits()
    labels = {
        np.round(image * 255 / 16).astype("uint8").tobytes(): label
        for image, label in zip(bunch.images, bunch.target, strict=True)
    }
    data = load("digits", batch_size=1500)
    assert len(labels) == 1797
    for images, found in (data.train[0], data.test[0]):
        assert [labels.pop(image.tobytes()) for image in images] == found.tolist()
    assert not labels  # Every digit is in one of the splits, none in both.


def test_the_test_split_does_not_depend_on_the_seed(numbered):
    first, second = (load(numbered(), batch_size=5, seed=seed) for seed in (0, 1))
    assert (first.test[0][1] == second.test[0][1]).all()
    assert (first.train[0][1] != second.train[0][1]).any()


def test_arrays_with_labels(numbered):
    data = load(numbered(), batch_size=9)
    assert (data.image_shape, data.num_classes, data.class_names) == ((4, 6, 1), 50, None)
    images, labels = data.train[0]
    assert images.dtype == np.uint8 and labels.dtype == np.int32
    assert (images[:, 0, 0, 0] == labels).all()


@pytest.mark.parametrize(
    "given, dtype, highest",
    [
        (np.full((4, 2, 2, 1), 1.0, "float64"), "float32", 1.0),
        (np.full((4, 2, 2, 3), 0.5, "float16"), "float32", 0.5),
        (np.full((4, 2, 2, 1), 255, "int64"), "uint8", 255),
        (np.full((4, 2, 2, 1), True), "uint8", 255),
    ],
)
def test_dtypes(given, dtype, highest):
    (images,) = load(given, batch_size=3).train[0]
    assert images.dtype == dtype and images.max() == highest


def test_image_size(numbered):
    images, _ = numbered(20)
    images = np.random.default_rng(0).integers(0, 256, images.shape).astype("uint8")
    data = load(images, batch_size=1, image_size=(3, 2))
    assert data.image_shape == (3, 2, 1)
    expected = {resize(image, (3, 2)).tobytes() for image in images}
    assert {image.tobytes() for image in read_all(data.train)} < expected


def test_npz_like_keras_mnist(tmp_path, numbered):
    images, labels = numbered()
    path = tmp_path / "set.npz"
    np.savez(path, x_train=images[:30, ..., 0], y_train=labels[:30, None],
             x_test=images[30:, ..., 0], y_test=labels[30:])  # fmt: skip
    data = load(path, batch_size=10)
    assert (data.name, data.image_shape, data.num_classes) == ("set", (4, 6, 1), 50)
    assert (data.num_train, data.num_test) == (30, 20)
    assert data.test[1][1].tolist() == list(range(40, 50))
    assert (data.test[1][0][:, 0, 0, 0] == data.test[1][1]).all()


@pytest.mark.parametrize("keys", [("images", "labels"), ("x", "y"), ("images",), ("x_train",)])
def test_npz_without_a_test_split(tmp_path, numbered, keys):
    np.savez(tmp_path / "set.npz", **dict(zip(keys, numbered(), strict=False)))
    data = load(str(tmp_path / "set.npz"), batch_size=9)
    assert (data.num_train, data.num_test) == (45, 5)
    assert data.num_classes == (50 if len(keys) == 2 else None)


@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("X_train", "Y_train", "X_val", "Y_val"),
        ("x_train", "y_train", "x_validation", "y_validation"),
        ("train_images", "train_labels", "test_images", "test_labels"),
    ],
)
def test_npz_with_two_splits(tmp_path, numbered, keys):
    images, labels = numbered(10)
    parts = (images[:6], labels[:6], images[6:], labels[6:])
    np.savez(tmp_path / "set.npz", **dict(zip(keys, parts, strict=True)))
    data = load(tmp_path / "set.npz", batch_size=6)
    assert (data.num_train, data.test[0][1].tolist()) == (6, [6, 7, 8, 9])


def test_npz_with_arrays_that_are_not_used(tmp_path, numbered):
    images, _ = numbered(10)
    np.savez(tmp_path / "set.npz", x_train=images[:6], x_test=images[6:8], x_val=images[8:], a=1)
    with pytest.warns(UserWarning, match="set.npz x_train and x_test are used, and not a, x_val"):
        data = load(tmp_path / "set.npz")
    assert read_all(data.test)[:, 0, 0, 0].tolist() == [6, 7]


def test_npz_with_keys_of_one_name(tmp_path, numbered):
    np.savez(tmp_path / "set.npz", x=numbered()[0], X=numbered()[1])
    with pytest.raises(ValueError, match=r"differ in more than their case.*\['X', 'x'\]"):
        load(tmp_path / "set.npz")


def test_npz_without_known_keys(tmp_path):
    np.savez(tmp_path / "set.npz", pictures=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"x_train.*images.*the keys \['pictures'\]"):
        load(tmp_path / "set.npz")


def test_npz_with_labels_for_one_split(tmp_path, numbered):
    images, labels = numbered(10)
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels, x_test=images)
    with pytest.raises(ValueError, match="both y_train and y_test"):
        load(tmp_path / "set.npz")


def test_npz_with_unlike_splits(tmp_path, numbered):
    images, _ = numbered(10)
    np.savez(tmp_path / "set.npz", x_train=images, x_test=images[:, :2])
    with pytest.raises(ValueError, match=r"one shape.*x_test.shape=\(10, 2, 6, 1\)"):
        load(tmp_path / "set.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_npz_that_is_none(tmp_path, content):
    (tmp_path / "set.npz").write_bytes(content)
    with pytest.raises(ValueError, match="set.npz"):
        load(tmp_path / "set.npz")


def test_npz_never_unpickles(tmp_path):
    np.savez(tmp_path / "set.npz", x_train=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="never loaded"):
        load(tmp_path / "set.npz")


GOOD = np.zeros((4, 2, 2, 1), "uint8")


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((4, 2, 2)), r"images\[\.\.\., None\].*shape=\(4, 2, 2\)"),
        (np.zeros((4,)), r"\(num, height, width, channels\)\. Received"),
        (np.zeros((4, 2, 2, 2)), r"1 channel .* Received: images.shape=\(4, 2, 2, 2\)"),
        (np.zeros((4, 3, 8, 8)), r"np.moveaxis\(images, 1, -1\)"),
        (np.zeros((0, 2, 2, 1)), "at least one of images. Received: shape"),
        (np.zeros((4, 0, 2, 1)), r"at least 1 each. Received: shape=\(0, 2, 1\)"),
        (np.full((4, 2, 2, 1), 255.0), r"\[0, 1\].*/ 255.*float64 images in \[255.0, 255.0\]"),
        (np.full((4, 2, 2, 1), -1.0), r"Rescale.*images in \[-1.0, -1.0\]"),
        (np.full((4, 2, 2, 1), np.nan), "finite"),
        (np.full((4, 2, 2, 1), -np.inf), "finite"),
        (np.full((4, 2, 2, 1), 256), r"0\.\.255.*int64 images in \[256, 256\]"),
        (np.full((4, 2, 2, 1), "a"), "numbers as images. Received: <U1"),
        (GOOD[:1], "at least 2 images.*num_images=1"),
    ],
)
def test_wrong_images(images, message):
    with pytest.raises(ValueError, match=message):
        load(images)


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.zeros(3, int), r"each of the 4 images. Received: labels.shape=\(3,\)"),
        (np.array(3), r"labels.shape=\(\)"),
        (np.full((4, 10), 2), r"0 or 1 or vectors of floats.*int64, labels.shape=\(4, 10\)"),
        (np.zeros((4, 2, 2)), r"labels.shape=\(4, 2, 2\)"),
        (np.array([0, 1, -1, 2]), r"in 0\.\.2. Received: labels in -1\.\.2"),
        (np.array([0.0, 1.0, 2.0, 3.0]), "integers from 0 or names.*labels.dtype=float64"),
        (np.full((4, 2), np.nan), "finite labels"),
        (np.array([["a", "b"]] * 4), "labels.dtype=<U1"),
    ],
)
def test_wrong_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        load((GOOD, labels))


def test_wrong_tuples():
    with pytest.raises(ValueError, match=r"\(images, labels\).*Received: source=.*3 elements"):
        load((GOOD, GOOD, GOOD))
    with pytest.raises(ValueError, match="Expected images as a NumPy array"):
        load(([1, 2], [1, 2]))
