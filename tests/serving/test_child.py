"""The process that an export is made in: what it imports, and when it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

from kgen.export import child, versions
from kgen.lock import NAME
from tests import own_models


def test_no_module_is_taken_from_where_it_stands(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    elsewhere = os.path.join(tmp_path, "elsewhere")
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), elsewhere, f"{tmp_path}/link", "src"])
    assert versions._import_path(["kgen.models"]) == [elsewhere]


def test_modules_of_ones_own_are_found_last(monkeypatch):
    root = os.path.dirname(os.path.dirname(own_models.__file__))
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [root, "/first"])
    assert versions._import_path(["tests.own_models", "builtins"]) == ["/first", root]


IMPORTING = """
import runpy, sys
runpy.run_path(sys.argv[1])["import_own_kgen"]()
import kgen.version
print(kgen.version.__file__)
"""


def test_kgen_is_the_one_that_exports_wherever_it_stands(tmp_path):
    (tmp_path / "kgen.py").write_text("raise RuntimeError('another')")
    package = os.path.dirname(os.path.dirname(child.__file__))
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORTING, child.__file__],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=os.path.dirname(package),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == os.path.join(package, "version.py") + "\n"


WAITING = """
import sys, time
sys.path.insert(0, {root!r})
from kgen.export import child
child.end_with_the_parent()
print("waits", flush=True)
time.sleep(60)
"""


@pytest.fixture
def waiting(tmp_path):
    """In place of TensorFlow's script: one that writes its number, and waits."""
    script = tmp_path / "waiting.py"
    root = os.path.dirname(os.path.dirname(versions.__file__.removesuffix("/versions.py")))
    tell = f"open({str(tmp_path / 'number')!r}, 'w').write(str(__import__('os').getpid()))\n"
    script.write_text(WAITING.format(root=root).replace("print(", tell + "print("))
    return script


EXPORT = """
import sys
from kgen.export import child, versions
child.__file__ = sys.argv[1]
versions.export_archive("model.keras", sys.argv[2])
"""


def until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("waited in vain")


def lives(number):
    try:
        os.kill(number, 0)
        with open(f"/proc/{number}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.one_backend
def test_an_export_that_is_killed_takes_its_child_along(tmp_path, waiting, monkeypatch):
    path, number = tmp_path / "digits", tmp_path / "number"
    parent = subprocess.Popen([sys.executable, "-c", EXPORT, str(waiting), str(path)])
    try:
        until(lambda: number.exists() and number.read_text())
        (left,) = os.listdir(path)
        assert left.startswith(".export-") and lives(int(number.read_text()))
        versions._remove_dead(str(path))
        assert os.listdir(path) == [left]  # of an export that lives
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        until(lambda: not lives(int(number.read_text())))
        (path / ".export-mine").mkdir()
        versions._remove_dead(str(path))
        assert os.listdir(path) == [".export-mine"]
    finally:
        parent.kill()
        parent.wait()


@pytest.mark.one_backend
def test_an_export_that_is_interrupted_leaves_nothing(tmp_path, waiting, monkeypatch):
    def interrupt(process):
        until(lambda: (tmp_path / "number").exists())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(child, "__file__", str(waiting))
        patch.setattr(subprocess.Popen, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            versions.export_archive("model.keras", str(tmp_path / "digits"))
    until(lambda: not lives(int((tmp_path / "number").read_text())))
    assert not (tmp_path / "digits").exists()


def test_the_folder_of_an_export_is_locked_while_it_is_made(tmp_path, monkeypatch):
    def look(archive, folder, *_):
        assert os.path.exists(os.path.join(os.path.dirname(folder), NAME))
        versions._remove_dead(str(tmp_path / "digits"))
        assert os.path.isdir(os.path.dirname(folder))
        raise RuntimeError("seen")

    monkeypatch.setattr(versions, "_write_elsewhere", look)
    with pytest.raises(RuntimeError, match="seen"):
        versions.export_archive("model.keras", str(tmp_path / "digits"))
