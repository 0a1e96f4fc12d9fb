import os
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from kgen.data import files, load, splits
from kgen.data.images import decode


@pytest.fixture
def write_many(write_image):
    def write(num=12, folder="", **kwargs):
        kwargs.setdefault("mode", "L")
        return [
            write_image(f"{folder}/{i:02}.png".lstrip("/"), color=10 * i, **kwargs)
            for i in range(num)
        ]

    return write


@pytest.fixture(params=["in memory", "streamed"])
def storage(request, monkeypatch):
    if request.param == "streamed":
        monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    return request.param


def greys(batches):
    return sorted(int(image[0, 0, 0]) for batch in batches for image in batch[0])


def test_flat_folder(storage, tmp_path, write_many):
    write_many(12)
    data = load(tmp_path, batch_size=1)
    assert data.name == tmp_path.name
    assert (data.image_shape, data.num_classes, data.class_names) == ((4, 6, 1), None, None)
    assert (data.num_train, data.num_test) == (11, 1)
    assert sorted(greys(data.train) + greys(data.test)) == list(range(0, 120, 10))


def test_folder_a_class(storage, tmp_path, write_many):
    write_many(4, "dog", mode="L")
    write_many(6, "cat/deeper", mode="L")
    (tmp_path / "empty").mkdir()
    with pytest.warns(UserWarning, match="folders without images.*: empty"):
        data = load(str(tmp_path), batch_size=9)
    assert (data.num_classes, data.class_names) == (2, ("cat", "dog"))
    images, labels = data.train[0]
    assert labels.dtype == np.int32
    assert set(labels[images[:, 0, 0, 0] >= 40]) == {0}  # Only a cat is as bright.
    assert np.bincount(np.concatenate([labels, data.test[0][1]])).tolist() == [6, 4]


def test_train_and_test_folders(storage, tmp_path, write_many):
    write_many(3, "train/a")
    write_many(2, "train/b")
    write_many(2, "test/b")
    data = load(tmp_path, batch_size=2)
    assert (data.num_train, data.num_test, data.class_names) == (5, 2, ("a", "b"))
    assert data.test[0][1].tolist() == [1, 1]
    assert greys(data.test) == [0, 10]


def test_flat_train_and_test_folders(tmp_path, write_many):
    write_many(3, "train")
    write_many(2, "test")
    data = load(tmp_path, batch_size=1)
    assert (data.num_train, data.num_test, data.num_classes) == (3, 2, None)


def test_memory_and_stream_give_the_same(tmp_path, write_many, monkeypatch):
    write_many(12, "a", size=(7, 5))
    in_memory = load(tmp_path, batch_size=4, image_size=3)
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    streamed = load(tmp_path, batch_size=4, image_size=3)
    for a, b in zip(in_memory.train, streamed.train, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_grey_and_colour_together_are_rgb(tmp_path, write_image, write_many):
    write_many(5)
    write_image("colour.png", color=(1, 2, 3))
    data = load(tmp_path, batch_size=1)
    assert data.image_shape == (4, 6, 3)
    pixels = [tuple(batch[0][0, 0, 0]) for part in (data.train, data.test) for batch in part]
    assert sorted(pixels) == [(0, 0, 0), (1, 2, 3)] + [(10 * i,) * 3 for i in range(1, 5)]


def test_other_files_are_ignored(tmp_path, write_image, write_many):
    write_many(3)
    write_image(".hidden.png", "RGB")
    write_image(".cache/image.png", "RGB")
    (tmp_path / "notes.txt").write_text("no image")
    data = load(tmp_path)
    assert (data.num_train + data.num_test, data.image_shape) == (3, (4, 6, 1))


def test_extensions_in_capitals(tmp_path, write_image):
    for i in range(2):
        write_image(f"{i}.PNG")
    assert load(tmp_path).num_train == 1


def test_differing_sizes(tmp_path, write_image):
    write_image("a.png", size=(6, 4))
    write_image("b.png", size=(6, 4))
    write_image("c.png", size=(8, 5))
    with pytest.raises(ValueError, match=r"`image_size`.*a\.png of 4x6, .*c\.png of 5x8"):
        load(tmp_path)
    data = load(tmp_path, image_size=(3, 5), batch_size=1)
    assert data.image_shape == (3, 5, 3)
    (image,) = data.test[0]
    assert image.shape == (1, 3, 5, 3)


def test_corrupt_files_are_named_and_left_out(storage, tmp_path, write_many):
    write_many(12)
    (tmp_path / "no_image.png").write_bytes(b"broken")
    (tmp_path / "zero.jpg").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"2 image files.*no_image\.png.*zero\.jpg") as caught:
        data = load(tmp_path)
    assert len(caught) == 1
    assert data.num_train + data.num_test == 12


def test_at_most_ten_corrupt_files_are_named(tmp_path, write_many):
    write_many(2)
    for i in range(13):
        (tmp_path / f"broken{i:02}.png").write_bytes(b"broken")
    with pytest.warns(UserWarning, match="13 image files.*broken09.*and 3 more") as caught:
        load(tmp_path)
    assert "broken10" not in str(caught[0].message)


def test_a_file_cut_short_is_found_when_it_is_decoded(tmp_path, write_many):
    paths = write_many(12, size=(60, 40))
    paths[3].write_bytes(paths[3].read_bytes()[:60])  # The header is whole.
    with pytest.warns(UserWarning, match=r"1 image file cannot.*03\.png"):
        data = load(tmp_path, batch_size=1)
    assert 30 not in greys(data.train) + greys(data.test)
    assert data.num_train + data.num_test == 11


def test_a_file_that_breaks_while_streaming(tmp_path, write_many, monkeypatch):
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    for name in ("a", "b"):
        write_many(10, name)
    data = load(tmp_path, batch_size=18)
    images, labels = data.train[0]
    broken = tmp_path / ["a", "b"][labels[0]] / f"{images[0, 0, 0, 0] // 10:02}.png"
    broken.unlink()
    with pytest.warns(UserWarning, match=f"{broken.parent.name}/{broken.name}") as caught:
        again, new_labels = data.train[0]
        again, new_labels = data.train[0]
    assert len(caught) == 1  # Once a file, not once an epoch.
    assert (again[1:] == images[1:]).all() and (new_labels[1:] == labels[1:]).all()
    assert any((again[0] == again[i]).all() and new_labels[0] == labels[i] for i in range(1, 18))


def test_a_batch_of_broken_files(tmp_path, write_many, monkeypatch):
    monkeypatch.setattr(splits, "MEMORY_LIMIT", 0)
    paths = write_many(3)
    data = load(tmp_path, batch_size=2)
    for path in paths:
        path.unlink()
    with pytest.raises(
        ValueError, match="a batch with an image that can be read. Received: .*00.png"
    ):
        data.train[0]


def test_all_corrupt(storage, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"an image that can be read. Received: source=.*0\.png"):
        load(tmp_path)


def test_empty_folder(tmp_path):
    with pytest.raises(ValueError, match=rf"\.png, .*\.webp.*{tmp_path.name}"):
        load(tmp_path)


def test_one_image(tmp_path, write_many):
    write_many(1)
    with pytest.raises(ValueError, match="at least 2 images"):
        load(tmp_path)


def test_images_beside_class_folders(tmp_path, write_many):
    write_many(2)
    write_many(2, "cat")
    with pytest.raises(
        ValueError, match=r"not both. Received: .* with 00\.png beside the folder cat"
    ):
        load(tmp_path)


def test_classes_in_train_alone(tmp_path, write_many):
    write_many(2, "train/cat")
    write_many(2, "test")
    with pytest.raises(ValueError, match="in both train and test"):
        load(tmp_path)


def test_folder_images_are_what_decode_gives(tmp_path, write_image):
    path = write_image("a.png", size=(9, 5))
    write_image("b.png", size=(9, 5))
    (image,) = load(tmp_path, image_size=4, batch_size=1).train[0]
    np.testing.assert_array_equal(image[0], decode(path, 3, (4, 4)))


def test_what_is_no_image_file_is_named_and_left_out(storage, tmp_path, write_many):
    write_many(3)
    os.mkfifo(tmp_path / "pipe.png")
    os.symlink("/dev/zero", tmp_path / "device.png")
    os.symlink("nowhere", tmp_path / "dangling.png")
    os.symlink("circle.png", tmp_path / "circle.png")
    with pytest.warns(UserWarning, match="4 image files cannot be read") as caught:
        data = load(tmp_path)
    assert len(caught) == 1 and data.num_train + data.num_test == 3
    message = str(caught[0].message)
    for name, why in (
        ("circle", "Errno"),
        ("dangling", "No such file"),
        ("device", "a socket or a device"),
        ("pipe", "it is no file but a folder, a pipe"),
    ):
        assert re.search(rf"{name}\.png \([^)]*{why}", message)


def test_names_forge_no_lines(tmp_path, write_many):
    write_many(2, "a\n\x1b[2Kb")
    for name in ("c\nkgen: all is well\x1b[31m.png", os.fsdecode(b"d\xff.png")):
        (tmp_path / "a\n\x1b[2Kb" / name).write_bytes(b"broken")
    (tmp_path / "e\rf").mkdir()
    with pytest.warns(UserWarning) as caught:
        data = load(tmp_path)
    assert data.class_names == (r"a\n\x1b[2Kb",)
    messages = [str(each.message) for each in caught]
    assert len(messages) == 2 and all(each.isprintable() for each in messages)
    assert r"a\n\x1b[2Kb/c\nkgen: all is well\x1b[31m.png (" in messages[1]
    assert r"d\udcff.png" in messages[1] and r"e\rf" in messages[0]


def test_a_data_set_is_called_by_a_printable_name(tmp_path, write_many):
    write_many(2, "a\nb")
    assert load(tmp_path / "a\nb").name == r"a\nb"
    (tmp_path / "a\nb" / "01.png").unlink()
    with pytest.raises(ValueError, match=r"at least 2 images in a\\nb, because"):
        load(tmp_path / "a\nb")


def test_messages_of_many_broken_files_are_short(storage, tmp_path, write_many):
    for i in range(300):
        (tmp_path / f"{'long' * 50}{i:03}.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match="009.png .*and 290 more") as error:
        load(tmp_path)
    assert len(str(error.value)) < 5000
    write_many(2)
    with pytest.warns(UserWarning, match="300 image files.*and 290 more") as caught:
        load(tmp_path)
    assert len(str(caught[0].message)) < 5000


@pytest.mark.parametrize(
    ("error", "words"),
    [(MemoryError(), "it takes more memory than there is"), (IndexError(), "IndexError")],
)
def test_an_error_without_words_is_worded(tmp_path, write_many, monkeypatch, error, words):
    broken = write_many(3)[1]

    def decode_or_not(path, *args):
        if path == broken:
            raise error
        return decode(path, *args)

    monkeypatch.setattr(files, "decode", decode_or_not)
    with pytest.warns(UserWarning, match=rf"01\.png \({words}"):
        load(tmp_path)


def test_large_images_are_decoded_few_at_once(tmp_path, write_many, monkeypatch):
    """What is decoded at once is bounded, the small ones among the large are not held up."""
    write_many(6, "large", size=(60, 40))
    write_many(6, "small", size=(6, 4))
    running, most, lock = 0, {}, threading.Lock()

    def counting(path, *args):
        nonlocal running
        with lock:
            running += 1
            most[path.parent.name] = max(most.get(path.parent.name, 0), running)
        time.sleep(0.005)
        try:
            return decode(path, *args)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(files, "decode", counting)
    monkeypatch.setattr(files, "DECODING_BYTES", 2 * 60 * 40 * files.BYTES_PER_PIXEL)
    data = load(tmp_path, image_size=4)
    assert most["large"] == 2 and most["small"] > 2
    shown = greys(data.train.in_order()) + greys(data.test.in_order())
    assert sorted(shown) == sorted(2 * [*range(0, 60, 10)])


@pytest.mark.full
def test_a_folder_of_bombs_takes_little_memory(tmp_path, write_many):
    write_many(3)
    bomb = tmp_path / "bomb0.png"
    Image.new("L", (13000, 13000)).save(bomb)
    for i in range(1, 6):
        os.link(bomb, tmp_path / f"bomb{i}.png")
    script = (
        "import resource, sys, kgen\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "data = kgen.data.load(sys.argv[1], image_size=4)\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(data.num_train + data.num_test, (after - before) // 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, tmp_path], capture_output=True, check=True
    )
    num, megabytes = map(int, done.stdout.split())
    assert num == 3 and megabytes < 200
