"""Ctrl-C where Python would swallow it: in what its garbage collector calls, as JAX lets it."""

import contextlib
import gc
import signal
import threading

_LATER = 0.05  # seconds


def interrupt(number, frame):
    """A handler of SIGINT: raises KeyboardInterrupt, a moment later where it would be swallowed."""
    collecting = {getattr(function, "__code__", None) for function in gc.callbacks}
    while frame is not None:
        if frame.f_code in collecting or frame.f_code.co_name == "__del__":
            threading.Timer(_LATER, _send, (number,)).start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _send(number):
    if hasattr(signal, "pthread_kill"):  # which wakes the main thread where it waits
        signal.pthread_kill(threading.main_thread().ident, number)
    else:
        signal.raise_signal(number)


@contextlib.contextmanager
def interruptible():
    """Inside, Ctrl-C is not swallowed, where its handler is Python's own."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
