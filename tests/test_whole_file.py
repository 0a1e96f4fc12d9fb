import errno
import os
import stat

import pytest

from kgen.whole_file import remove_unfinished, replacing


def write(path, text="whole"):
    with replacing(str(path)) as temporary, open(temporary, "w") as file:
        file.write(text)
    return temporary


def files(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_file_is_replaced(tmp_path):
    write(tmp_path / "new" / "a.png", "first")
    temporary = write(tmp_path / "new" / "a.png", "second")
    assert os.path.splitext(temporary)[1] == ".png"
    assert files(tmp_path / "new") == {"a.png": "second"}


def test_what_fails_leaves_the_earlier_file_alone(tmp_path):
    write(tmp_path / "a.png", "first")
    with pytest.raises(OSError, match="full"), replacing(str(tmp_path / "a.png")) as temporary:
        with open(temporary, "w") as file:
            file.write("half")
        raise OSError("full")
    assert files(tmp_path) == {"a.png": "first"}


def test_a_full_disk_names_the_file(tmp_path):
    path = str(tmp_path / "a.png")
    with pytest.raises(OSError) as caught, replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == f"[Errno 28] No space left on device: {path!r}"


def test_files_that_look_alike_are_left_alone(tmp_path):
    (tmp_path / ".tmp-a.png").write_text("mine")
    write(tmp_path / "a.png")
    assert files(tmp_path) == {".tmp-a.png": "mine", "a.png": "whole"}


def test_two_writers_of_one_file(tmp_path):
    path = str(tmp_path / "a.png")
    with replacing(path) as temporary, open(temporary, "w") as file:
        write(path, "second")
        file.write("first")
    assert files(tmp_path) == {"a.png": "first"}


def test_permissions_are_those_of_any_new_file(tmp_path):
    write(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_the_disk_has_a_file_before_its_name_and_then_the_name(tmp_path, monkeypatch):
    fsync, replace, done = os.fsync, os.replace, []

    def flush(descriptor):
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", lambda *args: done.append("name") or replace(*args))
    write(tmp_path / "a.png")
    assert done == ["file", "name", "folder"]


def test_a_folder_that_cannot_be_flushed(tmp_path, monkeypatch):
    def flush(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", flush)
    write(tmp_path / "a.png")
    assert files(tmp_path) == {"a.png": "whole"}


def test_a_file_that_cannot_be_flushed(tmp_path, monkeypatch):
    def flush(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(OSError, match="Input/output"):
        write(tmp_path / "a.png")
    assert files(tmp_path) == {}


def test_what_a_kill_left_of_some_files(tmp_path):
    names = (".tmp-01234567-a.png", ".tmp-01234567-b.png", ".tmp-a.png", ".tmp-mine-xx-a.png")
    for name in names:
        (tmp_path / name).write_text("half")
    remove_unfinished(str(tmp_path), r"a\.png|c\.png")
    assert sorted(files(tmp_path)) == sorted(names[1:])
