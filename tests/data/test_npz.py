import numpy as np
import pytest

from kgen.data import load
from kgen.fields import Attributes, Label, Vector
from tests.data.forms import LABELS as FORMS
from tests.data.forms import assert_same_set


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
    assert data.test.take()[0][:, 0, 0, 0].tolist() == [6, 7]


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


@pytest.mark.parametrize("form", FORMS)
def test_npz_of_any_plain_form_is_the_same_set(tmp_path, numbered, form):
    images, labels = numbered(10)
    change = FORMS[form]
    plain = load((images, labels % 4), batch_size=3)
    np.savez(tmp_path / "set.npz", images=images[..., 0], labels=change(labels % 4))
    assert_same_set(load(tmp_path / "set.npz", batch_size=3), plain)
    plain = load(((images[:6], labels[:6] % 4), (images[6:], labels[6:] % 4)), batch_size=3)
    np.savez(tmp_path / "set.npz", x_train=images[:6, ..., 0], y_train=change(labels[:6] % 4),
             x_test=images[6:].astype("int64"), y_test=change(labels[6:] % 4))  # fmt: skip
    assert_same_set(load(tmp_path / "set.npz", batch_size=3), plain)


def test_npz_is_taken_at_its_word(tmp_path, numbered):
    """Where its key says what the values are, one-hot rows are none."""
    images, labels = numbered(6)
    one_hot = np.eye(3)[labels % 3]
    for key, field in (("attributes", Attributes(3)), ("vectors", Vector(3)), ("labels", Label(3))):
        np.savez(tmp_path / "set.npz", images=images, **{key: one_hot})
        assert load(tmp_path / "set.npz").condition == field
    np.savez(tmp_path / "set.npz", images=images, attributes=labels[:, None] % 2)
    assert load(tmp_path / "set.npz").condition == Attributes(1)


def test_npz_with_labels_of_other_images(tmp_path, numbered):
    images, labels = numbered(10)
    np.savez(tmp_path / "set.npz", x_train=images[:6], y_train=labels[:5],
             x_test=images[6:], y_test=labels[5:])  # fmt: skip
    with pytest.raises(ValueError, match=r"y_train with a row.* 6 images.*y_train.shape=\(5,\)"):
        load(tmp_path / "set.npz")


def test_npz_with_names_in_one_split(tmp_path, numbered):
    images, labels = numbered(10)
    np.savez(tmp_path / "set.npz", x_train=images[:6], y_train=labels[:6],
             x_test=images[6:], y_test=labels[6:].astype(str))  # fmt: skip
    with pytest.raises(ValueError, match="y_train and y_test of one shape and dtype"):
        load(tmp_path / "set.npz")
