import gc
import signal
import time
import weakref

import pytest

from kgen import cli, runs
from kgen.interrupt import interruptible


@pytest.fixture
def collecting():
    """Ctrl-C comes at the next collection, inside what the collector calls."""
    left = [True]

    def collect(phase, info):
        if left and phase == "stop":
            left.pop()
            signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(collect)
    yield
    gc.callbacks.remove(collect)


WAIT = 20  # seconds, of which a collection among many objects takes two


def wait():
    gc.collect()
    time.sleep(WAIT)
    pytest.fail("was swallowed")


def test_ctrl_c_while_python_collects(handlers, collecting):
    start, called = time.monotonic(), [*gc.callbacks]
    with pytest.raises(KeyboardInterrupt), interruptible():
        wait()
    assert time.monotonic() - start < WAIT  # and not when it is over
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert gc.callbacks == called


def test_ctrl_c_while_an_object_goes(handlers):
    class Goes:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    goes = [Goes()]
    with pytest.raises(KeyboardInterrupt), interruptible():
        goes.clear()
        wait()


def test_ctrl_c_while_a_weak_reference_goes(handlers):
    class Goes:
        pass

    goes = Goes()
    goes.itself = goes
    reference = weakref.ref(goes, lambda _: signal.raise_signal(signal.SIGINT))
    del goes
    with pytest.raises(KeyboardInterrupt), interruptible():
        wait()
    assert reference() is None


def test_any_other_ctrl_c_comes_at_once(handlers):
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")


def test_another_handler_stays(handlers):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptible():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_command_ends(handlers, collecting, monkeypatch, capsys):
    monkeypatch.setattr(runs, "train", lambda model: wait())
    assert cli.main(["kgen", "train", "vae"]) == cli.INTERRUPTED
