import shutil

import pytest

from tests.runs.tiny import train


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a run of two epochs; no test changes it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    train(folder, epochs=2)
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "run")
