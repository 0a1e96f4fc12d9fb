"""Which backends are there, where none was chosen."""

import importlib.util

import pytest

import kgen
from kgen import installed


@pytest.fixture
def only_torch(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "torch" or None)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ('{"backend": "jax"}', "jax"),
        ('{"floatx": "float32"}', "tensorflow"),
        ("[]", "tensorflow"),
        ("{", "tensorflow"),
        (None, "tensorflow"),
    ],
)
def test_the_backend_of_keras_settings(tmp_path, monkeypatch, settings, expected):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    if settings is not None:
        (tmp_path / "keras.json").write_text(settings)
    assert installed.default_backend() == expected


def test_what_is_missing_and_what_is_there(only_torch):
    assert [installed.is_installed(each) for each in installed.BACKENDS] == [False, False, True]
    words = installed.missing("jax")
    assert "`pip install jax`, or KERAS_BACKEND=torch before the first import" in words


def test_a_finder_that_refuses(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib.util, "find_spec", refuse)
    assert not installed.is_installed("tensorflow")
    assert installed.missing() == (
        "Expected one of tensorflow, jax, torch installed, as by `pip install jax`."
    )
    assert installed.missing("jax").startswith("Expected jax installed")


def test_keras_without_its_backend_is_told_of(only_torch, monkeypatch):
    """As `import keras` fails where KERAS_BACKEND is not set and TensorFlow not installed."""

    def missing(name):
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")

    monkeypatch.setattr(kgen.importlib, "import_module", missing)
    with pytest.raises(ImportError, match="Expected tensorflow installed.*KERAS_BACKEND=torch"):
        kgen.__getattr__("callbacks")


def test_another_module_that_is_missing_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError("No module named 'optree'", name="optree")

    monkeypatch.setattr(kgen.importlib, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match="optree"):
        kgen.__getattr__("callbacks")
