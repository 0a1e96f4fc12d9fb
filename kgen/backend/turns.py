"""Threads that take turns at a model's variables."""

import contextlib
import threading
import time


class Turns:
    """Steps of a training, and looks of other threads between them.

    A step begins as soon as no thread waits for a look.
    """

    def __init__(self):
        self._lock = threading.RLock()
        self._waiting = set()

    @contextlib.contextmanager
    def step(self):
        """Inside, no other thread looks."""
        while self._waiting:
            time.sleep(1e-4)
        with self._lock:
            yield

    @contextlib.contextmanager
    def look(self):
        """Inside, no step is done."""
        ticket = object()
        self._waiting.add(ticket)
        try:
            self._lock.acquire()
        finally:
            self._waiting.discard(ticket)
        try:
            yield
        finally:
            self._lock.release()
