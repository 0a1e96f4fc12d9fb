"""What is read of folders as people have them. Image i of a test has the grey level i."""

import itertools
import os

import numpy as np
import pytest

from kgen.data import load

NO_CLASSES = None
CLASSES = ("cat", "dog")


@pytest.fixture
def lay(tmp_path, write_image):
    """Write images by folder, so many each: names such as "train/cat"."""
    level = itertools.count()

    def write(folders, num=2):
        for folder in folders:
            for _ in range(num):
                i = next(level)
                write_image(f"{folder}/{i:03}.png".lstrip("/"), "L", color=i)
        return tmp_path

    return write


def levels(batches):
    return sorted(int(image[0, 0, 0]) for batch in batches for image in batch[0])


@pytest.mark.parametrize("test", ["test", "Test", "testing", "val", "valid", "VALIDATION"])
@pytest.mark.parametrize("train", ["train", "Training"])
@pytest.mark.parametrize("classes", [NO_CLASSES, CLASSES])
def test_two_splits(lay, train, test, classes):
    below = [""] if classes is None else [f"/{name}" for name in classes]
    data = load(lay([part + name for part in (train, test) for name in below]), batch_size=1)
    assert data.class_names == classes
    num = 2 * len(below)
    assert levels(data.train) == [*range(num)] and levels(data.test) == [*range(num, 2 * num)]


@pytest.mark.parametrize(
    "folders", [["train"], ["TRAIN/cat", "TRAIN/dog"], ["train/a/b", "train/c"]]
)
def test_a_training_split_alone_holds_out_a_tenth(lay, folders):
    data = load(lay(folders, num=10), batch_size=1)
    assert data.num_classes == (None if len(folders) == 1 else 2)
    assert data.num_test == len(folders) and data.num_train == 9 * len(folders)


@pytest.mark.parametrize(
    ("folders", "used", "left"),
    [
        (["train", "test", "val"], "test", "val"),
        (["train", "val", "validation"], "val", "validation"),
        (["train/cat", "val/cat", "test/cat"], "test", "val"),
        (["train/cat", "val/cat", "test"], "val", "test"),  # without labels, as of a competition
        (["train/cat", "val/cat", "test/unknown"], "val", "test"),
        (["train", "test", "extra"], "test", "extra"),
        (["train/cat", "extra"], None, "extra"),
        (["train", "test", ""], "test", "images"),
    ],
)
def test_what_is_not_used_is_named(lay, folders, used, left):
    folder = lay(folders)
    with pytest.warns(UserWarning, match=f"(is|are) used, and not {left}[.]") as caught:
        data = load(folder, batch_size=1)
    assert len(caught) == 1
    if used is not None:
        start = 2 * [each.split("/")[0] for each in folders].index(used)
        assert levels(data.test) == [start, start + 1]
    assert max(levels(data.train)) <= 1


@pytest.mark.parametrize("others", [["bus", "car"], ["bus/old", "bus/new"]])
def test_a_class_may_be_called_train(lay, others):
    data = load(lay(["train", *others]), batch_size=1)
    assert data.class_names == tuple(sorted({each.split("/")[0] for each in others} | {"train"}))


@pytest.mark.parametrize("folders", [["pets/pets/cat", "pets/pets/dog"], ["pets/cat", "pets/dog"]])
def test_folders_of_nothing_else_are_opened(lay, folders):
    assert load(lay(folders)).class_names == CLASSES


def test_splits_within_a_folder_of_nothing_else(lay):
    data = load(lay(["set/train/cat", "set/test/cat"]), batch_size=1)
    assert (levels(data.train), levels(data.test)) == ([0, 1], [2, 3])


def test_one_class_stays_one(lay):
    assert load(lay(["cat"])).class_names == ("cat",)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["test"], "one folder train or training beside test. .*with 'test'"),
        (["val", "test"], "beside test and val"),
        (["trian", "test"], r"Received: source=.* with 'test', 'trian'"),
        (["train", "Train", "test"], r"one folder .*'Train', 'test', 'train'"),
        (["cat/train", "cat/test", "dog/train", "dog/test"], "train/CLASS and test/CLASS"),
        (["train/cat", "test"], "in both train and test"),
        (["train", "test/cat"], "in both train and test"),
        (["train/cat", "test/cat", "test/bird"], r"'bird' in test alone"),
        (["trainA", "trainB"], "paired=True, .*or paired=False,.* trainA and trainB"),
    ],
)
def test_what_is_no_layout_is_refused(lay, folders, message):
    with pytest.raises(ValueError, match=message):
        load(lay(folders))


@pytest.mark.parametrize(
    ("folders", "has_test"),
    [
        (["trainA", "trainB", "testA", "testB"], True),
        (["train_a", "train_b", "Val-A", "Val-B"], True),
        (["trainA", "trainB"], False),
        (["a", "b"], False),
        (["Train/a", "Train/b", "valid/a", "valid/b"], True),
        (["train/a", "train/b"], False),
        (["a/train", "b/train", "a/test", "b/test"], True),
        (["a/train", "b/train"], False),
    ],
)
@pytest.mark.parametrize("paired", [True, False])
def test_two_kinds(lay, write_image, folders, has_test, paired):
    folder = lay(["spare"], num=0)
    for number, name in enumerate(folders):
        for i in range(3):
            write_image(f"{name}/{i}.png", "L", color=100 * (number % 2) + 10 * (number // 2) + i)
    data = load(folder, paired=paired, batch_size=1)
    assert (data.num_train, data.num_test) == ((3, 3) if has_test else (2, 1))
    assert data.train[0][0].max() < 100 <= data.train[0][1].min()
    first = levels(data.test)
    assert first == [10, 11, 12] if has_test else first[0] < 3


@pytest.mark.parametrize("paired", [True, False])
def test_kinds_that_do_not_fit(lay, paired):
    for left_out in ("trainB", "testB"):
        names = {"trainA", "trainB", "testA", "testB"} - {left_out}
        with pytest.raises(ValueError, match="both or none of testA and testB. Received: .*testA"):
            load(lay([f"{left_out}/{name}" for name in names]) / left_out, paired=paired)


def test_pairs_of_which_one_kind_has_a_test(lay):
    folder = lay(["a/train", "a/test", "b"])
    with pytest.raises(ValueError, match="the same splits of both kinds"):
        load((folder / "a", folder / "b"), paired=True)


def test_an_empty_split_is_named(lay):
    folder = lay(["train"])
    (folder / "val").mkdir()
    with pytest.warns(UserWarning, match="without images, which are left out: val"):
        assert load(folder).num_test == 1


def test_files_that_are_not_read_are_named_once(lay):
    folder = lay(["train/cat", "test/cat"])
    for name in ("a.heic", "b.HEIC", "c.svg", "d.txt", ".e.npy"):
        (folder / "train" / "cat" / name).write_bytes(b"")
    (folder / "test" / "cat" / "d.npy").write_bytes(b"")
    with pytest.warns(UserWarning, match="2 .heic files, 1 .npy file, 1 .svg file[.]") as caught:
        load(folder)
    assert len(caught) == 1


def test_a_folder_of_nothing_that_is_read(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"")
    with pytest.raises(ValueError, match="a folder with images .*with 1 .heic file"):
        load(tmp_path)


@pytest.mark.parametrize("ending", ["jfif", "ppm", "TIFF", "tif", "pgm", "pbm"])
def test_other_endings_are_read(tmp_path, write_image, ending):
    kinds = {"jfif": "JPEG", "ppm": "PPM", "pgm": "PPM", "pbm": "PPM"}
    mode = {"pgm": "L", "pbm": "1"}.get(ending, "RGB")
    for i in range(2):
        color = {"L": 7, "1": 1}.get(mode, (200, 100, 50))
        write_image(f"{i}.{ending}", mode, color=color, format=kinds.get(ending, "TIFF"))
    (image,) = load(tmp_path).test[0]
    expected = {"L": [7], "1": [255]}.get(mode, [200, 100, 50])
    np.testing.assert_allclose(image[0, 0, 0], expected, atol=2)


def test_a_folder_may_be_called_as_an_image_is(lay):
    assert load(lay(["cat.png", "dog.png"])).class_names == ("cat.png", "dog.png")


def test_links_in_a_circle_are_not_followed(lay):
    folder = lay(["cat", "dog"])
    for place, to in (("here", "."), ("cat/up", ".."), ("loop", "loop"), ("dog/self", "self")):
        (folder / place).symlink_to(to)
    data = load(folder)
    assert data.class_names == ("cat", "dog") and data.num_train + data.num_test == 4


def test_links_elsewhere_are_followed(lay, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    lay(["cat", "dog"])
    for name in ("cat", "dog"):
        (elsewhere / name).symlink_to(lay([]) / name)
    assert load(elsewhere).class_names == ("cat", "dog")


def test_folders_that_cannot_be_listed_are_named(lay, monkeypatch):
    folder, scandir = lay(["cat", "cat/closed", "dog"]), os.scandir

    def refuse(path):
        if os.path.basename(path) == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.warns(
        UserWarning, match="Not read, as they cannot be listed: .*cat/closed"
    ) as caught:
        data = load(folder)
    assert len(caught) == 1 and data.num_train + data.num_test == 4


@pytest.mark.parametrize("name", ["pipe", "pipe.npz"])
def test_a_pipe_is_no_data_set(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo(name)
    with pytest.raises(ValueError, match=f"Expected a folder or an .npz. Received: source='{name}"):
        load(name)
