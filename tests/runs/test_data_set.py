"""Data that changed between two trainings of a run."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

from kgen.runs.data_set import facts_of, warn_of_changes
from tests.runs.tiny import steps, train


@pytest.fixture
def images(tmp_path):
    """A folder of images of two classes."""
    rng = np.random.default_rng(0)
    for i in range(12):
        path = tmp_path / "faces" / "ab"[i % 2] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (4, 4), "uint8")).save(path)
    return tmp_path / "faces"


def again(images, run, epochs):
    return train(run, epochs, dataset=str(images), batch_size=11)


def rename(images):
    (images / "a" / "00.png").rename(images / "a" / "0.png")


def grow(images):
    with open(images / "a" / "00.png", "ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename, r"files.names_and_sizes: '\w+' then, '\w+' now"),
        (grow, r"files.bytes: \d+ then, \d+ now"),
        (lambda images: (images / "a").rename(images / "c"), r"classes: \['a', 'b'\] then, \['b'"),
    ],
)
def test_a_changed_folder_is_told_of(images, tmp_path, change, message):
    run = tmp_path / "run"
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again(images, run, 1)
        (images / "a" / "notes.txt").write_text("no image")
        again(images, run, 2)
    change(images)
    with pytest.warns(UserWarning, match=f"data of faces have changed since .*{message}"):
        assert steps(again(images, run, 3)) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again(images, run, 4)


def test_another_number_of_images_is_told_of_and_refused(images, tmp_path):
    again(images, tmp_path / "run", 1)
    (images / "a" / "00.png").unlink()
    with (
        pytest.warns(
            UserWarning, match="train_images: 11 then, 10 now.*files.number: 12 then, 11 now"
        ),
        pytest.raises(ValueError, match="data.images: 11 in the backup, 10 now"),
    ):
        again(images, tmp_path / "run", 2)


def test_facts_that_an_earlier_run_did_not_note_are_not_compared(finished):
    now = json.loads((finished / "config.json").read_text())["data_set"]
    assert now["files"] is None and now["classes"] == [str(i) for i in range(10)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_changes({"name": "digits", "train_images": 1500, "license": "?"}, now)


def test_a_file_is_told_by_its_size(tmp_path):
    class Data:
        name = license = class_names = "few"
        num_train = num_test = 1

    path = tmp_path / "few.npz"
    path.write_bytes(b"1234")
    first = facts_of(Data, str(path))
    path.write_bytes(b"12345")
    assert first["files"]["bytes"] == 4 and facts_of(Data, str(path))["files"] != first["files"]
