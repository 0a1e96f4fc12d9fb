"""Data that changed between two trainings of a run."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

import kgen
from kgen import runs
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


def test_figures_are_of_the_runs_own_data(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(tmp_path / "run", dataset="faces", batch_size=11)
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(there)
    for use in (runs.load(str(tmp_path / "run")).data, lambda: again("faces", tmp_path / "run", 2)):
        with pytest.raises(
            FileNotFoundError, match="Received: faces, which is not at .*there.faces"
        ):
            use()
    images.rename(there / "faces")
    grow(there / "faces")
    with pytest.warns(UserWarning, match="faces have changed .* now: files.bytes"):
        runs.evaluate(str(tmp_path / "run"))


def test_a_folder_named_digits_is_not_what_digits_are_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "one.png").write_bytes(b"1")
    assert facts_of(kgen.data.load("digits"), "digits")["files"] is None


def test_facts_that_an_earlier_run_did_not_note_are_not_compared(finished):
    now = json.loads((finished / "config.json").read_text())["data_set"]
    assert now["files"] is None and now["classes"] == [str(i) for i in range(10)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_changes({"name": "digits", "train_images": 1500, "license": "?"}, now, "so")


def test_a_file_is_told_by_its_size(tmp_path):
    class Data:
        name = license = class_names = "few"
        num_train = num_test = 1

    path = tmp_path / "few.npz"
    path.write_bytes(b"1234")
    first = facts_of(Data, str(path))
    path.write_bytes(b"12345")
    assert first["files"]["bytes"] == 4 and facts_of(Data, str(path))["files"] != first["files"]
