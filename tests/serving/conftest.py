import contextlib
import dataclasses
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from kgen.serving import server
from tests.serving import c_api, rest_parts
from tests.serving.models import MODELS, rows_of

ROWS = 64


@dataclasses.dataclass
class Served:
    """A model, the folder of its SavedModel, rows of its inputs, and what other processes answer.

    `v1` are the answers of the version-1 loader without Keras, see load_v1.py.
    """

    model: object
    folder: str
    given: dict
    v1: dict = None

    @property
    def version(self):
        return f"{self.folder}/1"


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """All models, `Served` by their names."""
    from kgen.export.saved_model import write

    root = tmp_path_factory.mktemp("served")
    found = {}
    for name, make in MODELS.items():
        each = found[name] = Served(make(), str(root / name), {})
        each.given = rows_of(each.model, ROWS)
        write(each.model, each.version, name)
        np.savez(f"{each.folder}/given.npz", **each.given)
    open(f"{found['vae'].folder}/threads", "w").close()
    script = os.path.join(os.path.dirname(__file__), "load_v1.py")
    command = [sys.executable, script, *(each.folder for each in found.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for each in found.values():
        each.v1 = dict(np.load(f"{each.folder}/found.npz", allow_pickle=True))
    return found


@pytest.fixture(scope="session")
def c_program(tmp_path_factory):
    return c_api.build(str(tmp_path_factory.mktemp("c")))


@pytest.fixture
def waits(monkeypatch):
    """The seconds waited between tries, by a clock on which nothing else takes time."""
    now, waited = [time.monotonic()], []

    def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(server, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    return waited


@pytest.fixture
def serve():
    """Starts a server, see `rest_parts.running`."""
    with contextlib.ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(rest_parts.running(*args, **kwargs))
