"""Which of a run's states is gone on with, looked at and exported."""

import errno
import json
import os
import shutil
import warnings

import pytest

from kgen import runs
from kgen.callbacks import backups
from kgen.keras_file import read_notes
from tests.runs.tiny import results, steps, train


@pytest.fixture
def disk(monkeypatch):
    """A disk whose room for backups can be taken, and given again."""

    class Disk:
        is_full = True

    write = backups.write

    def written(*args):
        if disk.is_full and backups.paths(args[0]):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(*args)

    disk = Disk()
    monkeypatch.setattr(backups, "write", written)
    return disk


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"backup_seconds": -1.0}, "Expected backup_seconds as"),
        ({"backup_steps": 0}, "Expected backup_steps as"),
        ({"evaluate_every": 0, "evaluate": ("kid",)}, "Expected evaluate_every as"),
        ({"evaluate_every": 2}, "Expected evaluate, for evaluate_every"),
    ],
)
def test_what_is_refused_leaves_no_folder(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "run", **wrong)
    assert not (tmp_path / "run").exists()


def test_settings_of_a_folder_in_which_nothing_was_trained_may_change(run):
    for each in ("model.keras", "history.csv"):
        (run / each).unlink()
    shutil.rmtree(run / "checkpoint")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert steps(train(run, latent_dim=2, image_size=4)) == 1
    with pytest.raises(ValueError, match="latent_dim: 2 in the folder"):
        train(run)


def test_a_full_disk_ends_in_the_trained_model(tmp_path, disk, capsys):
    with pytest.warns(UserWarning, match="last backup could not be written.*batch-000000.keras is"):
        train(tmp_path, epochs=2, backup_steps=1)
    assert len(backups.paths(tmp_path / "checkpoint")) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith("The last backup could not be written")
    assert f"goes on from {tmp_path / 'model.keras'}" in out
    assert steps(runs.load(str(tmp_path))) == 2
    assert runs.evaluate(str(tmp_path)) == pytest.approx(results(tmp_path))
    disk.is_full = False
    assert steps(train(tmp_path, epochs=3)) == 3
    assert "2 of 3 epochs are done" in capsys.readouterr().out
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 1 + 3


def test_nothing_is_said_of_backups_that_were_written(tmp_path, capsys):
    train(tmp_path)
    assert "last backup" not in capsys.readouterr().out


@pytest.mark.parametrize("links", [True, False])
def test_a_run_without_backups_goes_on_from_its_model(run, monkeypatch, capsys, links):
    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    shutil.rmtree(run / "checkpoint")
    assert steps(train(run, epochs=3)) == 3
    assert "2 of 3 epochs are done" in capsys.readouterr().out
    assert len((run / "history.csv").read_text().splitlines()) == 1 + 3


def test_a_history_without_a_state_is_not_begun_anew(run):
    shutil.rmtree(run / "checkpoint")
    (run / "model.keras").unlink()
    before = (run / "history.csv").read_bytes()
    with pytest.raises(ValueError, match="history.csv has 2 epochs. Received: .*no model.keras"):
        train(run, epochs=3)
    assert (run / "history.csv").read_bytes() == before
    with pytest.raises(FileNotFoundError, match="trained model or a backup.*Received: .*none"):
        runs.load(str(run))
    (run / "history.csv").unlink()
    assert steps(train(run)) == 1


def test_the_newest_whole_state_is_loaded(run):
    for name in os.listdir(run / "checkpoint"):
        if name.startswith("epoch-0002"):
            (run / "checkpoint" / name).write_bytes(b"")
    with pytest.warns(UserWarning, match="is empty, and .*checkpoint.*is used") as warned:
        backups.newest(str(run / "checkpoint"))
    assert len(warned) == 1
    assert steps(runs.load(str(run))) == 2  # of model.keras
    (run / "model.keras").write_bytes(b"")
    with pytest.warns(UserWarning, match="model.keras is empty, and .*epoch-0000.*is used"):
        assert steps(runs.load(str(run))) == 0


def test_a_backup_is_newer_than_an_earlier_model(run, monkeypatch):
    longer(run, monkeypatch)
    assert steps(runs.load(str(run))) == 3


def test_a_load_while_a_training_deletes_backups(run, monkeypatch):
    newest = backups.newest
    (run / "model.keras").unlink()
    kept = run / "checkpoint" / "epoch-0002-batch-000000.keras"

    def gone(*args):
        path = newest(*args)
        if not (run / "moved").exists():
            os.rename(kept, run / "moved")
            shutil.copy(run / "moved", kept.with_name("epoch-0003-batch-000000.keras"))
        return path

    monkeypatch.setattr(backups, "newest", gone)
    assert steps(runs.load(str(run))) == 2


def longer(run, monkeypatch):
    """Trains for a third epoch, and is killed before it has written what it reached."""

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("kgen.runs.training.write_results", kill)
        with pytest.raises(KeyboardInterrupt):
            train(run, epochs=3)


@pytest.fixture
def exported(monkeypatch):
    """What the runs' exports would have written: (epochs of the model, what the card says)."""
    found = []

    def export(archive, path, version, about, source):
        assert os.path.basename(source) == "model.keras" != archive
        found.append((read_notes(archive)["epoch"], about))
        return path

    monkeypatch.setattr("kgen.runs.exporting.export_archive", export)
    return found


def test_an_export_says_of_which_training_it_is(run, exported, monkeypatch, capsys):
    before = results(run)
    longer(run, monkeypatch)
    assert len((run / "history.csv").read_text().splitlines()) == 1 + 3
    (run / "results.json").write_text(json.dumps({"test_images": 1}))
    runs.export(str(run))
    ((epochs, about),) = exported
    assert epochs == 2 and "- Training: 2 epochs" in about
    figures = ", ".join(f"{name} {value:.6g}" for name, value in before.items())
    assert f"- Figures on the test images: {figures}." in about
    assert f"{run} has 3 epochs of a training that is not finished" in capsys.readouterr().out


def test_an_export_of_a_finished_training_says_nothing_more(run, exported, capsys):
    runs.export(str(run))
    assert exported[0][0] == 2 and not capsys.readouterr().out


def test_a_model_without_figures_is_not_exported(run, exported):
    shutil.copy(run / "checkpoint" / "epoch-0002-batch-000000.keras", run / "model.keras")
    with pytest.raises(
        ValueError, match="model.keras, which has no figures. The same `kgen train`"
    ):
        runs.export(str(run))
    train(run, epochs=2)
    runs.export(str(run))
    assert exported[0][0] == 2


def test_what_a_kill_left_of_unfinished_files_goes_at_the_next_training(run):
    names = ("model.keras", "losses.png", "reconstructions.png", "samples/epoch-0001.png")
    left = [(run / name).parent / f".tmp-0123abcd-{(run / name).name}" for name in names]
    others = [run / ".tmp-model.keras", run / ".tmp-0123abcd-mine.png"]
    (run / "samples").mkdir(exist_ok=True)
    for path in (*left, *others):
        path.write_text("half")
    train(run, epochs=2)
    assert not any(path.exists() for path in left) and all(path.exists() for path in others)


def test_the_disk_has_a_row_before_a_backup_says_that_its_epoch_is_done(tmp_path, monkeypatch):
    fsync, write, done = os.fsync, backups.write, []

    def flush(descriptor):
        if os.path.samestat(os.fstat(descriptor), os.stat(tmp_path / "history.csv")):
            done.append((tmp_path / "history.csv").read_text().count("\n") - 1)
        fsync(descriptor)

    def back_up(folder, model, notes):
        done.append(f"{notes['epoch']} done")
        return write(folder, model, notes)

    train(tmp_path)
    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(backups, "write", back_up)
    train(tmp_path, epochs=3, backup_steps=1)
    assert done[-4:] == [2, "2 done", 3, "3 done"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="asks Linux what is open")
def test_an_interrupted_training_leaves_no_file_open(tmp_path, monkeypatch):
    def interrupt(folder, model, notes):
        if notes["epoch"] == 1:
            raise KeyboardInterrupt
        return write(folder, model, notes)

    write = backups.write
    monkeypatch.setattr(backups, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, backup_steps=1)
    logged = [path for path in tmp_path.rglob("*") if path.name.startswith(("history", "events"))]
    assert len(logged) == 3
    found = {(each.st_dev, each.st_ino) for each in map(os.stat, open_files())}
    assert not any((each.stat().st_dev, each.stat().st_ino) in found for each in logged)


def open_files():
    """The files that this process has open."""
    paths = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return [path for path in paths if os.path.exists(path)]
