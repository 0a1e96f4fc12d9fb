import errno
import os
import signal
import subprocess
import sys

import pytest

from kgen import lock

HOLD = """
import sys, time
from kgen.lock import locked
with locked(sys.argv[1], "trains"):
    print("has it", flush=True)
    time.sleep(60)
"""


def hold(folder):
    """A process that has the folder."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "has it\n"
    return child


def take(folder):
    with lock.locked(str(folder), "trains"):
        return True


def test_another_process_is_refused_until_this_one_dies(tmp_path):
    folder = tmp_path / "new"
    child = hold(folder)
    try:
        message = f"no other process trains. Received: .*new, where process {child.pid} on .* does"
        with pytest.raises(BlockingIOError, match=message):
            take(folder)
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    assert take(folder)


def test_the_same_process_is_refused_too(tmp_path):
    with lock.locked(str(tmp_path), "trains"):
        with pytest.raises(BlockingIOError, match=f"process {os.getpid()} on"):
            take(tmp_path)
    assert take(tmp_path)


def test_an_error_inside_frees_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock.locked(str(tmp_path), "trains"):
        raise KeyboardInterrupt
    assert take(tmp_path)


def test_a_fork_does_not_keep_it(tmp_path, monkeypatch):
    opened, shared = os.open, []

    def open_and_fork(*args):
        shared.append(os.dup(descriptor := opened(*args)))  # as a fork has it
        return descriptor

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_and_fork)
        with lock.locked(str(tmp_path), "trains"):
            pass
    assert take(tmp_path)
    os.close(*shared)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_disk_without_locks(tmp_path, monkeypatch, number):
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "_take", refuse)
    with pytest.warns(UserWarning, match="cannot be locked .*no other process trains"):
        assert take(tmp_path)


def test_what_a_writer_of_more_words_left_is_not_read(tmp_path):
    (tmp_path / lock.NAME).write_text("process 1 on " + "x" * 150)
    with lock.locked(str(tmp_path), "trains"):
        assert len((tmp_path / lock.NAME).read_text()) < 150
