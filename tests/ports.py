"""Ports that no other test has, whichever process it runs in."""

import fcntl
import os
import random
import socket
import tempfile

_LOCKS = []  # held until the process ends

# Below what the system itself gives to who connects.
FIRST, LAST = 20_000, 29_999


def free_port():
    """A port that nobody listens on and that no other call, of any process, is given."""
    start = random.Random(os.getpid()).randrange(LAST - FIRST)
    for i in range(LAST - FIRST):
        port = FIRST + (start + i) % (LAST - FIRST)
        if _lock(port) and _is_free(port):
            return port
    raise OSError(f"no free port in {FIRST}..{LAST}")


def _lock(port):
    path = os.path.join(tempfile.gettempdir(), f"kgen-tests-port-{port}")
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return False
    _LOCKS.append(file)
    return True


def _is_free(port):
    try:
        with socket.create_server(("localhost", port)):
            return True
    except OSError:
        return False
