"""Files of a run that are damaged, or something else's: each is named, with the way out."""

import json
import re
import shutil
import zipfile

import keras
import pytest

from kgen import runs
from kgen.callbacks import backups
from kgen.keras_file import NOTES, flaw, read_notes
from kgen.runs.folder import drop_rows, read_history
from kgen.runs.many import seed_of
from tests.runs.tiny import steps, train


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def write_notes(path, text):
    """Gives a state other notes."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (held | {NOTES: text}).items():
            archive.writestr(name, content)


CONFIGS = {
    b"": "is empty",
    b" \n": "is empty",
    "{}".encode("utf-16"): "is no text in UTF-8",
    b"{": "is not JSON: .*line 1",
    b"\0": "is not JSON",
    b"[" * 100_000: "is not JSON",
    b"[]": "holds a list and no settings",
    b"null": "holds a NoneType",
    b'{"a": 1}': "lacks, or has another type as, model, arguments, data, .*versions",
}


@pytest.mark.parametrize("content", CONFIGS, ids=lambda content: repr(content[:9]))
def test_a_config_of_something_else(run, content):
    (run / "config.json").write_bytes(content)
    message = f"the config.json of a run. Received: .*config.json, which {CONFIGS[content]}"
    for call in (runs.load, runs.sample, runs.evaluate, runs.export, train):
        with pytest.raises(ValueError, match=f"(?s){message}.*Bring back a copy"):
            call(str(run))


@pytest.mark.parametrize(
    "changes", [{"model": 3}, {"data": []}, {"backend": ""}, {"versions": None}]
)
def test_a_config_with_other_types(run, changes):
    edit(run / "config.json", **changes)
    with pytest.raises(ValueError, match=f"has another type as, {next(iter(changes))}[.]"):
        runs.load(str(run))


def test_data_that_nothing_loads(run):
    edit(run / "config.json", data={"sauce": "digits"})
    with pytest.raises(ValueError, match="load in .*config.json. Received: .*sauce.*a copy"):
        runs.evaluate(str(run))


HISTORIES = {
    b"0,5.5,5.5\n1,5.4,5.4\n": None,
    b"a,b\n1,2\n": None,
    b"epoch,loss\none,2.0\n": None,
    b"epoch,loss\n0,2.0,3.0\n1,2.0\n": None,
    "epoch,loss\n".encode("utf-16"): None,
    b"": 0,
    b"\r\n\n": 0,
    b"epoch,loss\n": 0,
    b"epoch,loss\n0,2.0\n\n1,1.0\n": 2,
    b"epoch,loss\n0,2.0\n1": 1,
}


@pytest.mark.parametrize("content", HISTORIES, ids=lambda content: repr(content[:30]))
def test_histories(tmp_path, content):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    if HISTORIES[content] is None:
        with pytest.raises(ValueError, match="Received: .*history.csv, which is dam.*or delete it"):
            drop_rows(str(path), 1)
        assert path.read_bytes() == content
    else:
        assert len(read_history(str(path))[1]) == HISTORIES[content]
        drop_rows(str(path), 9)


@pytest.mark.parametrize("content", [None, b"", b"epoch,loss,x\n"])
def test_a_run_without_rows_shows_no_losses(run, content):
    (run / "losses.png").unlink()
    (run / "history.csv").unlink()
    if content is not None:
        (run / "history.csv").write_bytes(content)
    train(run, epochs=2)
    assert not (run / "losses.png").exists()


STATES = {
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-9000]), "is damaged"),
    "no notes": (lambda path: keras.Sequential().save(path), "has no backup.json, as kgen"),
    "{}": (lambda path: write_notes(path, "{}"), "lacks epoch, batch, .*in backup.json"),
    "[]": (lambda path: write_notes(path, "[]"), "is damaged"),
    "{": (lambda path: write_notes(path, "{"), "is damaged"),
}


@pytest.mark.parametrize("damage", STATES)
def test_a_damaged_model_without_backups(run, damage):
    break_it, message = STATES[damage]
    shutil.rmtree(run / "checkpoint")
    break_it(run / "model.keras")
    for call in (runs.load, train):
        expected = f"whole state of the training. Received: .*model.keras, which {message}.*anew"
        with pytest.raises(ValueError, match=expected):
            call(str(run))
    with pytest.raises(ValueError, match=f"whole model. Received: .*model.keras, which {message}"):
        runs.export(str(run))


@pytest.mark.parametrize("damage", STATES)
def test_a_damaged_backup(run, damage):
    break_it, message = STATES[damage]
    path = run / "checkpoint" / "epoch-0002-batch-000000.keras"
    break_it(path)
    (run / "model.keras").unlink()
    with pytest.warns(UserWarning, match=f"{path.name} {message}.*, and .*epoch-0000.* is used"):
        assert steps(runs.load(str(run))) == 0


def test_weights_that_keras_does_not_read(run, monkeypatch):
    def fail(*_):
        raise KeyError("layers")

    monkeypatch.setattr(keras.Model, "load_weights", fail)
    with pytest.raises(ValueError, match="Keras reads. Received: .*epoch-0002.*layers.*Delete it"):
        train(run, epochs=3)


@pytest.mark.parametrize(
    "call", [runs.load, pytest.param(runs.export, marks=pytest.mark.full)], ids=["load", "export"]
)
def test_a_class_that_nobody_knows(run, call, tmp_path, monkeypatch):
    """Keras names it, and the whole config after it."""
    monkeypatch.chdir(tmp_path)
    for path in (run / "model.keras", *map(type(run), backups.paths(run / "checkpoint"))):
        with zipfile.ZipFile(path) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        held["config.json"] = held["config.json"].replace(b'Autoencoder"', b'Vah"')
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in held.items():
                archive.writestr(name, content)
    message = (
        rf"Keras and classes that it can import. Received: {re.escape(str(run))}.*keras: Could.*Vah"
    )
    with pytest.raises(ValueError, match=message) as caught:
        call(str(run))
    assert len(str(caught.value)) < 900 and str(caught.value).isprintable()
    assert not list(tmp_path.rglob("saved_models/*"))


def test_a_state_of_another_keras_says_what_to_install(run):
    for path in (run / "model.keras", *map(type(run), backups.paths(run / "checkpoint"))):
        notes = read_notes(path)
        notes["settings"]["keras"] = "3.15.0.1"
        write_notes(path, json.dumps(notes))
    with pytest.raises(ValueError, match="(?s)keras: '3.15.0.1' in .*pip install keras==3.15.0.1$"):
        train(run, epochs=3)
    assert steps(runs.load(str(run))) == 2
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    (run / "model.keras").unlink()
    with pytest.raises(ValueError, match="(?s)Received: .*epoch-0002.*install keras==3.15.0.1$"):
        runs.load(str(run))


def test_a_grid_that_is_damaged_spoils_no_training(tmp_path):
    folder = tmp_path / "run"
    train(folder)
    (folder / "samples").mkdir()
    for epoch in (1, 2):
        (folder / "samples" / f"epoch-000{epoch}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="no samples.gif of .*epoch-0001.png"):
        train(folder)
    assert not (folder / "samples.gif").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"seed": "a"}'])
def test_settings_of_samples(tmp_path, content):
    (tmp_path / "samples.json").write_text(content)
    with pytest.raises(ValueError, match="settings of samples. Received: .*samples.json, which"):
        seed_of(str(tmp_path))


def test_a_member_that_would_inflate_without_end(run):
    path = run / "model.keras"
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(30 * path.stat().st_size))
    what = flaw(str(path))
    assert what.startswith("would inflate from ")
    shutil.rmtree(run / "checkpoint")
    with pytest.raises(ValueError, match="model.keras, which would inflate from .* bytes to"):
        runs.load(str(run))
    with pytest.raises(ValueError, match="model.keras, which would inflate"):
        runs.export(str(run))


def test_code_in_a_model_is_not_run(run):
    notes = json.dumps(read_notes(run / "model.keras"))
    shutil.rmtree(run / "checkpoint")
    layer = keras.layers.Lambda(lambda x: pytest.fail("was run"))
    keras.Sequential([layer]).save(run / "model.keras")
    write_notes(run / "model.keras", notes)
    with pytest.raises(ValueError, match="model.keras: .*Lambda.*unsafe"):
        runs.load(str(run))
