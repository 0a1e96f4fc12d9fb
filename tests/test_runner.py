"""`python -m tests`: what of its arguments it takes for paths, what it selects, when it fails."""

import os
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

import conftest
from tests.__main__ import BACKENDS, Shard, failures, paths_among


@pytest.mark.parametrize("before", [["-q"], ["-x", "-v"], ["--full"], [], ["-k", "tests"]])
def test_paths_stand_after_any_option(before, request):
    path = str(request.path)
    assert paths_among([*before, path, f"{path}::test_it"]) == [path, f"{path}::test_it"]


@pytest.mark.parametrize(
    "statuses, selects, failed",
    [
        ([0, 0], True, []),
        ([0, 1], True, [1]),
        ([0, 5], True, []),  # what is selected may be of one backend alone
        ([0, 5], False, [5]),
        ([5, 5], True, [5, 5]),  # no test ran
        ([-9], True, [-9]),
    ],
)
def test_where_no_test_runs_it_fails(statuses, selects, failed):
    shards = [Shard("jax", "paths", [], 0) for _ in statuses]
    for shard, status in zip(shards, statuses, strict=True):
        shard.status = status
    assert [shard.status for shard in failures(shards, selects)] == failed


@pytest.mark.full_on_one
@pytest.mark.parametrize("missing, selects", [("", False), ("torch", True)])
def test_what_no_backend_has_a_part_in_runs_on_tensorflow_without_pytorch(missing, selects):
    arguments = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/test_checks.py"]
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "KGEN_TESTS_WITHOUT": missing}
    done = subprocess.run(arguments, env=environment, capture_output=True)
    assert done.returncode == (0 if selects else 5), done.stdout.decode()


def test_where_one_backend_is_enough_each_of_the_others_has_its_half(monkeypatch):
    monkeypatch.setattr(conftest, "AT_HOME", "torch")
    marks = [pytest.mark.one_backend.mark]
    items = [types.SimpleNamespace(nodeid=str(i), iter_markers=lambda: marks) for i in range(100)]
    here = {}
    for name in BACKENDS:
        monkeypatch.setattr(keras.backend, "backend", lambda name=name: name)
        here[name] = np.array([conftest.is_here(item) for item in items])
    assert here["torch"].all() and 30 < here["jax"].sum() < 70
    assert (here["jax"] != here["tensorflow"]).all()
