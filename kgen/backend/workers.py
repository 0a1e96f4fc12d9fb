"""The workers that TF_CONFIG names, and the wait for them."""

import contextlib
import json
import os
import socket
import sys
import threading

PATIENCE = 600.0
"""Seconds that a worker waits for the others before it gives up."""

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


def read_tf_config():
    """The addresses of all workers, and which of them this is.

    Raises:
        ValueError: TF_CONFIG is missing, or does not say it.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text)
        workers, task = config["cluster"]["worker"], config["task"]
        is_right = task["type"] == "worker" and 0 <= task["index"] < len(workers)
        is_right = is_right and all(worker.rpartition(":")[2].isdecimal() for worker in workers)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_right = False
    if not is_right:
        raise ValueError(
            f"Expected TF_CONFIG to name all workers, and which of them this is, as {_EXAMPLE}. "
            f"Received: TF_CONFIG={text!r}"
        )
    return workers, task["index"]


@contextlib.contextmanager
def waiting(workers, index, patience=PATIENCE, interval=20.0):
    """Names the workers that cannot be reached while TensorFlow waits for them inside.

    TensorFlow would wait for an hour and say nothing. After `patience` seconds the process ends
    with the exit status 1.

    Args:
        workers: list of str, "host:port".
        index: int. Which of them this is.
        patience: float. Seconds.
        interval: float. Seconds between two messages.
    """
    everybody_came = threading.Event()

    def watch():
        waited = 0.0
        while not everybody_came.wait(interval):
            waited += interval
            missing = [w for i, w in enumerate(workers) if i != index and not _listens(w)]
            print(
                f"kgen: waiting for the other workers of TF_CONFIG for {waited:.0f} of "
                f"{patience:.0f} s. Not to be reached: {', '.join(missing) or 'none'}",
                file=sys.stderr,
                flush=True,
            )
            if waited >= patience:
                os._exit(1)  # TensorFlow's wait cannot be interrupted

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        everybody_came.set()


def _listens(worker):
    host, _, port = worker.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2.0).close()
    except OSError:
        return False
    return True
