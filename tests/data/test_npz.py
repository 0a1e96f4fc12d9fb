import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from kgen.data import load, npz, splits
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
    with pytest.raises(ValueError, match="differ in no more than their case: X.npy, x.npy"):
        load(tmp_path / "set.npz")


def test_npz_without_known_keys(tmp_path):
    np.savez(tmp_path / "set.npz", pictures=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="x_train.*images.*the keys 'pictures'"):
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
    with pytest.raises(ValueError, match="never loaded.*Object arrays cannot be loaded"):
        load(tmp_path / "set.npz")


def write_npz(path, header, data=b"", version=1):
    """An `.npz` whose array has the header that is given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        start = b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2 * version, "little")
        archive.writestr("images.npy", start + header.encode() + data)


def header_of(shape, descr="|u1"):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}\n"


@pytest.mark.parametrize(
    "header",
    [
        header_of((10**12, 8, 8)),
        header_of((2**62, 2**62, 4)),
        header_of((-2, 4, 4)),
        header_of((10**9,), "|S0"),
        header_of((10**9, 0), "<f8") + " ",
        header_of((4, 4, 4), "<f8"),
        header_of((2, 2, 4), "no type"),
        header_of("'four'"),
        "{} # no header\n",
        "[" * 9000,
        header_of((2, 4, 4)) + " " * 20000,
    ],
)
def test_npz_with_a_header_of_what_it_has_not(tmp_path, header):
    write_npz(tmp_path / "set.npz", header, bytes(64))
    tracemalloc.start()
    with pytest.raises(ValueError, match="Received: source=.*set.npz|Expected at least one"):
        load(tmp_path / "set.npz")
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


def test_npz_that_unpacks_to_too_much(tmp_path, monkeypatch):
    path = tmp_path / "set.npz"
    zeros = np.zeros((100, 32, 32), "uint8")
    np.savez_compressed(path, images=zeros, more=np.zeros(10**6, "uint8"))
    message = rf"{os.path.getsize(path):,} bytes unpack to 102,400, .*by np.savez"
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 1000)
    monkeypatch.setattr(npz, "MAX_RATIO", 20)
    with pytest.warns(UserWarning, match="not more"), pytest.raises(ValueError, match=message):
        load(path)
    np.savez(path, images=zeros)
    assert load(path).num_train == 90
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 10**6)
    np.savez_compressed(path, images=zeros)
    assert load(path).num_train == 90


def test_npz_unpacks_what_is_used_alone(tmp_path, numbered):
    np.savez_compressed(tmp_path / "set.npz", images=numbered()[0], more=np.zeros(10**7, "uint8"))
    tracemalloc.start()
    with pytest.warns(UserWarning, match="and not more"):
        load(tmp_path / "set.npz")
    assert tracemalloc.get_traced_memory()[1] < 5 * 10**6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((4, 2, 2), [("a", "u1"), ("b", "u1")]), "Expected numbers as images"),
        (np.zeros((4, 2, 2), "M8[s]"), "Expected numbers as images"),
        (np.zeros((4, 2, 2), "S3"), "Expected numbers as images"),
        (np.zeros((4, 2, 2), "complex64"), "Expected numbers as images"),
        (np.full((4, 2, 2), 2**63, "uint64"), r"integers in 0\.\.255.*uint64 images in"),
        (np.float32(1), r"images of shape \(num, height, width"),
    ],
)
def test_npz_of_other_types(tmp_path, values, message):
    np.savez(tmp_path / "set.npz", images=values)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "set.npz")


def test_npz_that_holds_a_file(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        archive.writestr("images", b"no array")
    with pytest.raises(ValueError, match="magic string.*set.npz"):
        load(tmp_path / "set.npz")


def test_npz_cut_short(tmp_path, numbered):
    path = tmp_path / "set.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (50, 9, 9)))
    whole = path.read_bytes()
    for end in range(0, len(whole), len(whole) // 9):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="Expected an .npz of plain arrays.*set.npz"):
            load(path)
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    with pytest.raises(ValueError, match="Expected an .npz of plain arrays.*set.npz"):
        load(path)


@pytest.mark.parametrize("change", [np.asfortranarray, lambda array: array.astype(">i4")])
def test_npz_of_another_order(tmp_path, numbered, change):
    images, labels = numbered(10)
    np.savez(tmp_path / "set.npz", images=change(images), labels=labels.astype(">u8"))
    assert_same_set(load(tmp_path / "set.npz", batch_size=3), load((images, labels), batch_size=3))


def test_npz_with_keys_that_forge_lines(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as archive:
        for i in range(1000):
            archive.writestr(f"a\nkgen: all is well\x1b[2K{i:03}.npy", b"")
    with pytest.raises(ValueError, match="009', and 990 more") as error:
        load(tmp_path / "set.npz")
    assert str(error.value).isprintable()


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
