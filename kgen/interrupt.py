"""Ctrl-C where Python would swallow it: in what its garbage collector calls, as JAX lets it."""

import contextlib
import gc
import signal
import threading

_LATER = 0.05  # seconds

_COLLECTING = set()  # the threads that do, inside `interruptible`


def interrupt(number, frame):
    """A handler of SIGINT: raises KeyboardInterrupt, a moment later where it would be swallowed."""
    if threading.get_ident() not in _COLLECTING and not _is_swallowed(frame):
        raise KeyboardInterrupt
    threading.Timer(_LATER, _send, (number,)).start()


def _is_swallowed(frame):
    called = {getattr(function, "__code__", None) for function in gc.callbacks}
    while frame is not None:
        if frame.f_code in called or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


def _send(number):
    if hasattr(signal, "pthread_kill"):  # which wakes the main thread where it waits
        signal.pthread_kill(threading.main_thread().ident, number)
    else:
        signal.raise_signal(number)


def _note(phase, info):
    (_COLLECTING.add if phase == "start" else _COLLECTING.discard)(threading.get_ident())


@contextlib.contextmanager
def interruptible():
    """Inside, Ctrl-C is not swallowed, where its handler is Python's own."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    gc.callbacks.insert(0, _note)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        gc.callbacks.remove(_note)
        signal.signal(signal.SIGINT, signal.default_int_handler)
