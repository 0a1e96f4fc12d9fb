import numpy as np
import pytest

from kgen.data import load
from kgen.data.images import resize
from kgen.fields import Attributes, Image, Label, PartialLabel, Vector
from tests.data import forms
from tests.data.forms import assert_same_set


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


def test_labels_of_which_some_are_not_known():
    data = load((np.zeros((4, 2, 2, 1)), np.array([0, -1, 2, -1])), batch_size=4)
    assert data.condition == PartialLabel(3)


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


@pytest.mark.parametrize("form", forms.IMAGES)
def test_images_of_any_plain_form_are_the_same_set(numbered, form):
    images, labels = numbered(10)
    given = forms.IMAGES[form](images)
    for paired, of in ((None, images), (None, (images, labels)), (True, (images, 9 - images)),
                       (False, (images, 9 - images))):  # fmt: skip
        plain = load(of, batch_size=3, paired=paired)
        other = forms.IMAGES[form](9 - images)
        both = given if of is images else (given, labels if paired is None else other)
        assert_same_set(load(both, batch_size=3, paired=paired), plain)


@pytest.mark.parametrize("form", ["grey without channels", "list", "tensor"])
def test_floats_of_any_plain_form_are_the_same_set(numbered, form):
    images = numbered(10)[0] / np.float32(255)
    plain = load(images, batch_size=3)
    for dtype in ("float64", ">f4", "longdouble") if form != "tensor" else ("float64",):
        given = forms.IMAGES[form](images.astype(dtype))
        assert_same_set(load(given, batch_size=3), plain)


@pytest.mark.parametrize("form", forms.LABELS)
def test_labels_of_any_plain_form_are_the_same_set(numbered, form):
    images, labels = numbered(10)
    plain = load((images, labels % 4), batch_size=3)
    assert plain.condition == Label(4)
    assert_same_set(load((images, forms.LABELS[form](labels % 4)), batch_size=3), plain)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">i4", ">u8"])
def test_labels_of_every_width_are_the_same_set(numbered, kind):
    images, labels = numbered()
    forms.assert_same_set(load((images, labels.astype(kind))), load((images, labels)))


@pytest.mark.parametrize("form", forms.NAMES)
def test_names_of_any_plain_form_are_the_same_set(numbered, form):
    images, labels = numbered(10)
    names = np.array(["shirt", "dress", "shoe"])[labels % 3]
    plain = load((images, names), batch_size=3)
    assert plain.condition == Label(3, ("dress", "shirt", "shoe"))
    assert_same_set(load((images, forms.NAMES[form](names)), batch_size=3), plain)


ONE_HOT = np.eye(3)[np.arange(10) % 3]
FIRST = (np.arange(10) == 0)[:, None]


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        (ONE_HOT, Label(3)),
        (ONE_HOT.clip(0.1), Vector(3)),
        (np.where(FIRST, 0, ONE_HOT), Attributes(3)),
        (np.where(FIRST, 1, ONE_HOT), Attributes(3)),
        (np.ones((10, 1)), Attributes(1)),
        (np.zeros((10, 4, 6)), Image((4, 6, 1))),
    ],
)
def test_what_is_like_one_hot_labels_or_labels(numbered, values, condition):
    for given in (values, values.tolist()):
        assert load((numbered(10)[0], given)).condition == condition


def test_the_splits_of_keras_datasets(numbered):
    """Cifar-10 has a column of labels, MNIST no channels."""
    images, labels = numbered(10)
    for form in (labels[:, None] % 4, labels % 4, np.eye(4)[labels % 4]):
        data = load(((images[:6, ..., 0], form[:6]), (images[6:, ..., 0], form[6:])), batch_size=6)
        assert (data.num_train, data.num_test, data.condition) == (6, 4, Label(4))
        assert sorted(read_all(data.train)[:, 0, 0, 0]) == list(range(6))
        found, numbers = data.test.take()
        assert found[:, 0, 0, 0].tolist() == [6, 7, 8, 9] and (numbers == labels[6:] % 4).all()
    data = load(((images[:6],), (images[6:],)))
    assert (data.num_train, data.num_test, data.condition) == (6, 4, None)


def test_splits_of_pairs_and_of_unpaired_images(numbered):
    images, _ = numbered(10)
    splits = (images[:6], images[:6] + 100), (images[6:, ..., 0], images[6:, ..., 0] + 100)
    data = load(splits, batch_size=6)
    assert data.condition == Image((4, 6, 1)) and data.num_test == 4
    assert all((second == first + 100).all() for first, second in (*data.train, *data.test))
    assert_same_set(load(splits, batch_size=6, paired=True), data)
    splits = (images[:6], images[:3] + 100), (images[6:], images[6:8] + 100)
    data = load(splits, batch_size=6, paired=False)
    assert data.domains == (Image((4, 6, 1)),) * 2 and (data.num_train, data.num_test) == (6, 4)
    assert set(data.test.take()[1][:, 0, 0, 0]) == {106, 107}


def test_what_take_gives_can_be_loaded(numbered):
    for source in (numbered(10)[0], numbered(10)):
        data = load(source)
        again = load((data.train.take(), data.test.take()), batch_size=9)
        assert_same_set(again, load(source, batch_size=9))


def test_image_size(numbered):
    images, _ = numbered(20)
    images = np.random.default_rng(0).integers(0, 256, images.shape).astype("uint8")
    data = load(images, batch_size=1, image_size=(3, 2))
    assert data.image_shape == (3, 2, 1)
    expected = {resize(image, (3, 2)).tobytes() for image in images}
    assert {image.tobytes() for image in read_all(data.train)} < expected


GOOD = np.zeros((4, 2, 2, 1), "uint8")


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((8, 8, 3)), r"one image, images\[None\].*images\[\.\.\., None\].*=\(8, 8, 3\)"),
        (np.zeros((4,)), r"\(num, height, width, channels\), or grey .* width\)\. Received"),
        ([np.zeros((2, 2, 2, 1))], r"Received: images.shape=\(1, 2, 2, 2, 1\)"),
        ([np.zeros((2, 2)), np.zeros((3, 2))], r"one size.*rows of \(2, 2\) and \(3, 2\)"),
        ([[[1, 2], [3]], [[1, 2], [3, 4]]], "Expected a list of rows of one shape.*rows of list"),
        ([(GOOD, [0, 1, 0, 1])] * 2, "labels as an argument of their own. Received: rows of tuple"),
        ([np.zeros((4, 2, 2)), np.zeros(4)], "labels as an argument of their own"),
        (np.zeros((4, 2, 2, 2)), r"1 channel .* Received: images.shape=\(4, 2, 2, 2\)"),
        (np.zeros((4, 3, 8, 8)), r"np.moveaxis\(images, 1, -1\)"),
        (np.zeros((0, 2, 2, 1)), "at least one of images. Received: shape"),
        (np.zeros((4, 0, 2, 1)), r"at least 1 each. Received: shape=\(0, 2, 1\)"),
        (np.full((4, 2, 2, 1), 255.0), r"\[0, 1\].*/ 255.*float64 images in \[255.0, 255.0\]"),
        (np.full((4, 2, 2, 1), -1.0), r"Rescale.*\(images \+ 1\) / 2.*images in \[-1.0, -1.0\]"),
        (np.repeat([200.0, 65535.0], 1024)[:, None, None, None], "images / 65535 for"),
        (np.full((4, 2, 2, 1), 4095, "uint16"), r"images / 4095 for the range 0\.\.4095\."),
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
        (np.zeros((4, 2, 2, 2)), r"images2 of 1 channel.*images2.shape=\(4, 2, 2, 2\)"),
        (np.zeros((3, 2, 2)), r"each of the 4 images. Received: images2.shape=\(3, 2, 2, 1\)"),
        (np.arange(4) + 2**40, r"Number the classes: np.unique\(.*int64.*, in 1099511627776\.\."),
        (np.uint64([0, 1, 2, 2**63]), r"Number the classes.*uint64.*in 0\.\.9223372036854775808"),
        (np.array([0, 1, 2, 2.0**40]), "Number the classes"),
        (np.array([0, 1, 2, 2**31]), r"Number the classes.*in 0\.\.2147483648"),
        (np.full((4, 2), 1e300), r"labels that float32 can hold.*in 1e\+300\.\.1e\+300"),
        (np.zeros((4, 0)), r"Expected labels as integers.*labels.shape=\(4, 0\)"),
        (np.array([0, 1, -2, 2]), r"in 0\.\.2. Received: labels in -2\.\.2"),
        (np.array([0.0, 1.0, 2.0, 3.0]), "integers from 0 or names.*labels.dtype=float64"),
        (np.full((4, 2), np.nan), "finite labels"),
        (np.array([["a", "b"]] * 4), "labels.dtype=<U1"),
        (np.array([0, "a", "b", "c"], object), "labels.dtype=object"),
        (np.arange(4.0), r"labels\.astype\('int32'\)"),
        (np.arange(4) > 1, r"labels\.astype\('int32'\)"),
        (np.arange(4) / 4, r"labels\[:, None\], as vectors"),
        (np.arange(8).reshape(4, 2), r"labels\.astype\('float32'\)"),
        ("four", "labels as an array, a tensor or a list. Received: labels='four'"),
    ],
)
def test_wrong_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        load((GOOD, labels))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ((GOOD, GOOD, GOOD), r"\(images, labels\).*Received: source=.*3 elements"),
        ((), "Received: source=a tuple of 0 elements"),
        (((GOOD,), (GOOD,), (GOOD,)), r"\(x_test, y_test\)\).* of 1 and 1 and 1 elements"),
        (((GOOD, GOOD), (GOOD,)), "Received: source=a tuple of 2 and 1 elements"),
        (((GOOD, [0, 1, 0, 1]), (GOOD, [0, 1])), r"y_test with a row.*y_test.shape=\(2,\)"),
        (((GOOD, [0, 1, 0, 1]), (GOOD, list("abab"))), "y_train and y_test of one shape and dtype"),
        (((GOOD,), (GOOD / 255,)), "x_train and x_test of one shape and dtype.*=float32"),
        (((GOOD,), (GOOD + 255.0,)), "x_test / 255"),
        (([1, 2], [1, 2]), r"images.shape=\(2,\)"),
        (("digits", GOOD), "Expected images as an array.*Received: images='digits'"),
    ],
)
def test_wrong_tuples(source, message):
    with pytest.raises(ValueError, match=message):
        load(source)


def test_batches_are_for_fit(numbered):
    data = load(numbered(10), batch_size=3)
    for source in (data.train, iter(data.train), (data.train, data.test)):
        with pytest.raises(ValueError, match="`fit` takes tf.data, a DataLoader.*Received: "):
            load(source)
    with pytest.raises(ValueError, match="Expected a name.*Received: source=Dataset"):
        load(data)
