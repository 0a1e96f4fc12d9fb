"""Data sets of several fields, of pairs, and of two unpaired sets."""

import keras
import numpy as np
import pytest
from PIL import Image as Picture

from kgen import backend
from kgen.backend import Position, Reading
from kgen.data import load, splits
from kgen.data.augment import augment_batch
from kgen.fields import Attributes, Image, Label, Vector


@pytest.fixture(params=["in memory", "streamed"])
def storage(request, monkeypatch):
    if request.param == "streamed":
        monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)


@pytest.fixture
def write_two(tmp_path):
    """Write `num` images into each of two folders, of grey levels i and 100 + i."""

    def write(
        folders=("a", "b"), num=(12, 12), first=0, modes="LL", size=(6, 4), endings=(".png",)
    ):
        for kind, folder in enumerate(folders):
            for i in range(first, first + num[kind]):
                path = tmp_path / folder / f"{i:02}{endings[kind % len(endings)]}"
                path.parent.mkdir(parents=True, exist_ok=True)
                level = i + 100 * kind
                color = level if modes[kind] == "L" else (level, level, 0)
                Picture.new(modes[kind], size, color).save(path)
        return tuple(tmp_path / folder for folder in folders)

    return write


def levels(images):
    return images[:, 0, 0, 0].astype(int)


def all_levels(batches):
    return [np.concatenate(parts) for parts in zip(*(map(levels, b) for b in batches), strict=True)]


# What comes with arrays


BITS = np.arange(50)[:, None] // np.array([1, 2, 4]) % 2


@pytest.mark.parametrize(
    "values, condition, dtype",
    [
        (np.arange(50) % 3, Label(3), "int32"),
        (np.array(["shirt", "dress"] * 25), Label(2, ("dress", "shirt")), "int32"),
        (BITS, Attributes(3), "float32"),
        (BITS.astype(bool), Attributes(3), "float32"),
        (BITS[:, :1].astype("float64"), Attributes(1), "float32"),
        (BITS - 0.5, Vector(3), "float32"),
        (np.arange(50.0)[:, None], Vector(1), "float32"),
        (np.broadcast_to(np.arange(50, dtype="uint8")[:, None, None, None], (50, 3, 2, 3)),
         Image((3, 2, 3)), "uint8"),
    ],
)  # fmt: skip
def test_arrays_are_told_apart_by_shape_and_values(numbered, values, condition, dtype):
    images, _ = numbered()
    data = load((images, values), batch_size=9)
    assert data.condition == condition and data.domains is None
    assert data.num_classes == getattr(condition, "num_classes", None)
    assert data.class_names == (condition.names if isinstance(condition, Label) else None)
    if values.dtype.kind == "U":
        values = (values == "shirt").astype(int)
    for given, rows in (*data.train, *data.test):
        assert rows.dtype == dtype
        np.testing.assert_array_equal(rows, values[levels(given)])
        condition.check(rows)  # what a model with this condition takes


def test_a_pair_of_images_is_resized_as_one(numbered):
    images, _ = numbered()
    data = load((images, np.repeat(images, 2, axis=1) / 255.0), image_size=3)
    assert data.image_shape == data.condition.shape == (3, 3, 1)
    first, second = data.train[0]
    assert first.dtype == np.uint8 and second.dtype == np.float32
    np.testing.assert_allclose(second, first / 255.0, atol=1e-6)


@pytest.mark.parametrize("key", ["attributes", "vectors", "labels", "images2"])
def test_npz(tmp_path, numbered, key):
    images, labels = numbered()
    values = {
        "attributes": BITS,
        "vectors": BITS - 0.5,
        "labels": labels,
        "images2": images[..., 0],
    }
    np.savez(tmp_path / "set.npz", images=images, **{key: values[key]})
    data = load(tmp_path / "set.npz", batch_size=9)
    fields = {"attributes": Attributes(3), "vectors": Vector(3), "labels": Label(50)}
    assert data.condition == fields.get(key, Image((4, 6, 1)))
    given, rows = data.train[0]
    expected = values[key] if key != "images2" else images
    np.testing.assert_array_equal(rows, expected[levels(given)])


def test_npz_with_attributes_for_both_splits(tmp_path, numbered):
    images, _ = numbered()
    # The test has an attribute that no image of the training has.
    np.savez(tmp_path / "set.npz", x_train=images[:30], y_train=np.zeros((30, 2)) * BITS[:30, :2],
             x_test=images[30:], y_test=BITS[30:, :2])  # fmt: skip
    data = load(tmp_path / "set.npz", batch_size=20)
    assert data.condition == Attributes(2)
    np.testing.assert_array_equal(data.test[0][1], BITS[30:, :2])


def test_npz_with_two_conditions(tmp_path, numbered):
    images, labels = numbered(10)
    np.savez(tmp_path / "set.npz", images=images, labels=labels, attributes=BITS[:10])
    with pytest.raises(ValueError, match="one of labels, attributes.*the keys 'attributes', 'imag"):
        load(tmp_path / "set.npz")


# Pairs of files


def test_pairs_of_two_folders(storage, write_two):
    a, b = write_two(modes=["L", "RGB"], endings=(".png", ".bmp"))
    (b / "notes.txt").write_text("no image")
    data = load((a, b), paired=True, batch_size=4)
    assert (data.name, data.image_shape, data.condition) == ("a-b", (4, 6, 1), Image((4, 6, 3)))
    assert (data.num_train, data.num_test, data.domains) == (11, 1, None)
    images, conditions = all_levels([*data.train, *data.test])
    assert len(set(images)) == 9 and (conditions == images + 100).all()
    swapped = load((b, a), paired=True)
    assert (swapped.image_shape, swapped.condition) == ((4, 6, 3), Image((4, 6, 1)))


@pytest.mark.parametrize(
    "parts",
    [
        [("a", "b")],
        [("x/one", "x/two")],
        [("train/a", "train/b"), ("val/a", "val/b")],
        [("trainA", "trainB"), ("testA", "testB")],
    ],
)
@pytest.mark.parametrize("paired", [True, False])
def test_a_folder_of_two_folders(tmp_path, write_two, parts, paired):
    for part, folders in enumerate(parts):
        write_two(folders, num=(10, 10), first=20 * part)
    folder = tmp_path / ("x" if parts[0][0][0] == "x" else "")
    data = load(folder, paired=paired, batch_size=5)
    assert data.name == folder.name
    train, tests = all_levels(data.train), all_levels(data.test)
    if len(parts) == 2:
        assert sorted(train[0]) == list(range(10)) and sorted(tests[1]) == list(range(120, 130))
    for images, others in (train, tests):
        assert set(images) <= set(range(30)) and set(others) <= set(range(100, 130))
    assert (train[1] == train[0] + 100).all() == paired
    assert (data.condition is None) == (data.domains is not None) == (not paired)


def test_folders_of_pairs_with_splits_of_their_own(write_two, tmp_path):
    write_two(("a/train", "b/train"), (4, 4))
    write_two(("a/test/deep", "b/test/deep"), (3, 3), first=10)
    data = load((tmp_path / "a", tmp_path / "b"), paired=True, batch_size=4)
    assert (data.num_train, data.num_test) == (4, 3)
    assert [sorted(column) for column in all_levels(data.test)] == [[10, 11, 12], [110, 111, 112]]


def test_a_pair_with_a_broken_file_is_left_out(storage, write_two):
    a, b = write_two()
    (a / "03.png").write_bytes(b"broken")
    (b / "05.png").write_bytes(b"broken")
    with pytest.warns(UserWarning, match=r"2 image files.*a/03\.png.*b/05\.png") as told:
        data = load((a, b), paired=True, batch_size=1)
    assert len(told) == 1
    images, conditions = all_levels([*data.train, *data.test])
    assert sorted(images) == [i for i in range(12) if i not in (3, 5)]
    assert (conditions == images + 100).all()


def test_a_pair_that_breaks_while_streaming_stays_a_pair(write_two, monkeypatch):
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    a, b = write_two()
    data = load((a, b), paired=True, batch_size=11)
    before = all_levels(data.train)
    (b / f"{before[0][4]:02}.png").unlink()
    with pytest.warns(UserWarning, match="another image of the batch"):
        images, conditions = all_levels(data.train)
    assert (conditions == images + 100).all()
    assert (images != before[0]).tolist() == [i == 4 for i in range(11)]


# Unpaired sets


def test_two_unpaired_folders(storage, write_two):
    a, b = write_two(num=(23, 10), modes=["L", "RGB"])
    data = load((a, b), batch_size=4)
    assert (data.name, data.image_shape, data.condition) == ("a-b", (4, 6, 1), None)
    assert data.domains == (Image((4, 6, 1)), Image((4, 6, 3)))
    assert (data.num_train, data.num_test, len(data.train)) == (21, 2, 5)
    first, second = all_levels(data.train)
    assert len(set(first)) == 20  # each of the larger once, but for those of a short batch
    # The smaller comes round again, each time whole and in another order.
    assert [len(set(second[i : i + 9])) for i in (0, 9, 18)] == [9, 9, 2]
    assert second[:9].tolist() != second[9:18].tolist()
    tests = all_levels(data.test)
    assert len(set(tests[0])) == 2 and len(set(tests[1])) == 1
    assert not set(tests[0]) & set(first) and not set(tests[1]) & set(second)


def test_the_orders_of_unpaired_sets_are_functions_of_seed_and_epoch(write_two):
    folders = write_two()
    data, again, other = (load(folders, batch_size=11, seed=seed) for seed in (1, 1, 2))

    def orders(train, epoch):
        first, second = all_levels(train.epoch(epoch))
        return first.tolist(), (second - 100).tolist()

    first, second = orders(data.train, 3)
    assert first != second and sorted(first) == sorted(second)  # they hold out the same numbers
    assert orders(again.train, 3) == (first, second)
    for another in (orders(data.train, 4), orders(other.train, 3)):
        assert another[0] != first and another[1] != second


def test_unpaired_arrays_and_other_sources(tmp_path, numbered):
    images, labels = numbered(40)
    data = load((images, 255 - images[:20]), paired=False, batch_size=9)
    first, second = all_levels(data.train)
    assert first.max() < 40 and second.min() > 230 and (data.num_train, data.num_test) == (36, 4)
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    data = load(("digits", tmp_path / "set.npz"), image_size=8)
    assert data.name == "digits-set" and data.license.startswith("CC BY 4.0")
    assert data.domains == (Image((8, 8, 1)),) * 2
    assert len(data.train[0]) == 2 and data.condition is None


def test_streams_are_not_two_unpaired_sets():
    streamed = splits.Source("many", (4, 6, 1), splits.StreamedSplit(None, 9), None)
    with pytest.raises(ValueError, match="fits in memory.*Received: many, which is streamed"):
        splits.unpaired("both", streamed, streamed)


# What every kind has


KINDS = {
    "labels": lambda a, b: load("digits", batch_size=300),
    "pairs": lambda a, b: load((a, b), paired=True, batch_size=2),
    "unpaired": lambda a, b: load((a, b), batch_size=2),
    "attributes": lambda a, b: load(
        (
            np.zeros((50, 2, 2, 1), "uint8") + np.arange(50, dtype="uint8")[:, None, None, None],
            BITS,
        ),
        batch_size=9,
    ),
}


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_of_an_epoch_is_what_an_unbroken_one_ends_with(storage, write_two, kind):
    folders = write_two()
    whole = [list(KINDS[kind](*folders).train.epoch(epoch)) for epoch in range(3)]
    assert len(whole[0]) == 5
    data = KINDS[kind](*folders)
    reading = Reading(data.train)
    pipeline = backend.input_pipeline(reading)
    reading.start(Position(1, 2), 0)
    for epoch, expected in ((1, whole[1][2:]), (2, whole[2])):
        reading.begin(epoch)
        if keras.backend.backend() == "tensorflow":
            # Of an epoch with less than the first, `fit` asks for no more than there is.
            pairs = zip(expected, pipeline.as_numpy_iterator(), strict=False)
            found = [batch for _, batch in pairs]
        else:
            found = [pipeline[i] for i in range(pipeline.num_batches)]
        for got, wanted in zip(found, expected, strict=True):
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(a, b)


def test_augmentation_changes_pairs_alike_and_unpaired_images_each_in_its_own_way():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, 8, 4, 6, 3), dtype="uint8")

    def flip_some(images, seed):
        is_flipped = np.random.default_rng((seed, images.shape[0])).integers(0, 2, len(images))
        return np.where(is_flipped[:, None, None, None], images[:, :, ::-1], images)

    def flipped(before, after):
        return [bool((a[:, ::-1] == b).all()) for a, b in zip(before, after, strict=True)]

    labels = np.arange(8)
    one = augment_batch(flip_some, 1, True)((first, labels), 3)
    assert 0 < sum(flipped(first, one[0])) < 8 and one[1] is labels
    a, b = augment_batch(flip_some, 2, True)((first, second[..., :1]), 3)
    assert flipped(first, a) == flipped(second[..., :1], b) == flipped(first, one[0])
    a, b = augment_batch(flip_some, 2, False)((first, second), 3)
    assert flipped(first, a) != flipped(second, b) and 0 < sum(flipped(second, b)) < 8
    for other in (second[:, :2], second / 255.0):
        with pytest.raises(
            ValueError, match="pairs of images of one size and dtype.*Received: uint8"
        ):
            augment_batch(flip_some, 2, True)((first, other), 3)


# What is refused


IMAGES = np.zeros((4, 2, 2, 1), "uint8")


@pytest.mark.parametrize(
    "source, paired, message",
    [
        (IMAGES, True, r"Expected \(images, images2\), for paired=True. Received: images alone"),
        ((IMAGES, np.arange(4)), False, r"Expected images2 of shape.*images2.shape=\(4,\)"),
        ((IMAGES, np.arange(4)), True, r"Expected images2 of shape.*images2.shape=\(4,\)"),
        ((IMAGES, IMAGES[:3]), True, "a row for each of the 4 images. Received: "),
        ((IMAGES, IMAGES + 0.5 + 1), None, r"images2 of floats in \[0, 1\]"),
        (("a", "b", "c"), None, "a tuple of two paths. Received: source=.'a', 'b', 'c'"),
        (("a",), True, "a tuple of two paths"),
    ],
)
def test_arrays_that_do_not_fit(source, paired, message):
    with pytest.raises(ValueError, match=message):
        load(source, paired=paired)


def test_folders_that_do_not_fit(tmp_path, write_two):
    a, b = write_two(num=(3, 4))
    with pytest.raises(ValueError, match=r"same names.*3 and 4 images, 1 of them alone: '03'"):
        load((a, b), paired=True)
    Picture.new("L", (6, 4)).save(a / "00.bmp")
    with pytest.raises(
        ValueError, match="one image of each name in .*a. Received: several of '00'"
    ):
        load((a, b), paired=True)
    with pytest.raises(ValueError, match=r"holds two folders.*Received: source=.*a' with none"):
        load(a, paired=True)
    write_two(("c", "c"), num=(1, 0))
    with pytest.raises(ValueError, match=r"holds two folders.*with a, b, c"):
        load(tmp_path, paired=False)
    (tmp_path / "c" / "00.png").unlink()
    with pytest.raises(ValueError, match="Expected images of the same names.*Received: 4 and 0"):
        load((b, tmp_path / "c"), paired=True)
    with pytest.raises(ValueError, match="Expected a folder, for paired=True. Received: .*00.png"):
        load((a / "00.png", b), paired=True)
    with pytest.raises(FileNotFoundError, match="Expected a folder, for paired=False"):
        load(tmp_path / "missing", paired=False)
