"""Python of the pages: it compiles, the names of kgen are there, and it runs.

Each page's blocks run in order in one namespace, `fit` for two steps. A block that needs a backend
runs on that; the others on PyTorch, which compiles nothing. docs/your_own_model.md is another's.
"""

import contextlib
import re

import keras
import numpy as np
import pytest

import kgen
from kgen.metrics.features import Classifier
from kgen.models.generative_model import GenerativeModel
from tests.docs import pages

BACKENDS = {"keras.distribution": "jax", "tf.distribute": "tensorflow", "Client(": "tensorflow"}
BACKENDS["resamplings="] = "jax"  # which compiles loops of a thousand steps
QUICK = [f"docs/models/{name}.md" for name in ("autoencoder", "gan", "lsgan", "vae")]


def backend_of(source):
    """The backend that a block runs on."""
    return next((name for words, name in BACKENDS.items() if words in source), "torch")


def sources(name):
    """The blocks of a page that are no sessions."""
    found = pages.blocks(pages.PAGES[name], "python")
    return [source for _, source in found if not source.startswith(">>>")]


WITH_PYTHON = [name for name in pages.PAGES if sources(name) and "own_model" not in name]
HERE = [
    pytest.param(name, marks=[] if name in QUICK else pytest.mark.full)
    for name in WITH_PYTHON
    if any(backend_of(source) == keras.backend.backend() for source in sources(name))
]


@pytest.mark.anywhere
@pytest.mark.parametrize("name", WITH_PYTHON)
def test_names_of_kgen_are_there(name):
    for source in sources(name):
        compile(source, name, "exec")
        for path in re.findall(r"\bkgen((?:\.\w+)+)", source):
            found = kgen
            for part in path[1:].split("."):
                assert hasattr(found, part), (name, f"kgen{path}")
                found = getattr(found, part)


@pytest.fixture
def two_steps(monkeypatch):
    """`fit` for one epoch of two steps, and as many for a classifier."""
    fit, train = GenerativeModel.fit, Classifier.train

    def short(self, *args, **kwargs):
        epochs = kwargs.get("initial_epoch", 0) + 1
        return fit(self, *args, **kwargs | {"epochs": epochs, "steps_per_epoch": 2, "verbose": 0})

    monkeypatch.setattr(GenerativeModel, "fit", short)
    monkeypatch.setattr(Classifier, "train", lambda data, **kwargs: train(data, steps=2))


@contextlib.contextmanager
def served(monkeypatch):
    """saved_models/digits behind a server of the tests' own, whatever address is asked."""
    from kgen.serving import client
    from tests.serving import loopback

    version = str(pages.ROOT / "saved_models" / "digits" / "1")
    with loopback.rest_server(loopback.Servable("digits", version)) as address:
        server = client.Server
        monkeypatch.setattr(client, "Server", lambda asked, *args: server(address, *args))
        yield


def images(*folders, size=8):
    """Writes three images to each folder."""
    import PIL.Image

    for folder in folders:
        folder.mkdir(parents=True)
        for number in range(3):
            pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), "uint8")
            PIL.Image.fromarray(pixels).save(folder / f"{number}.png")


def given(name, folder):
    """What a page's code counts on: files in the current folder, and names."""
    names = {"kgen": kgen, "keras": keras, "np": np}
    rng = np.random.default_rng(0)
    if name == "README.md":
        my = folder / "my"
        images(my / "clothes" / "dress", my / "clothes" / "shoe", my / "horses", my / "zebras")
        images(my / "facades" / "a", my / "facades" / "b")
        names |= {"images2": rng.random((16, 8, 8, 1)), "attributes": np.eye(16, 5)}
    if name == "docs/serving.md":
        names |= {"images": rng.random((4, 8, 8, 1)), "labels": [0, 1, 2, 3]}
    if name == "docs/distributed.md":
        names["images"], names["labels"] = rng.random((16, 8, 8, 1)), np.arange(16) % 10
        names["data"] = kgen.data.load(rng.random((4, 64, 64, 3)), batch_size=2)
        names["model"] = kgen.VAE((8, 8, 1), 4, num_classes=10)
        names["model"].compile()
    if name == "docs/distributed.md" and keras.backend.backend() == "tensorflow":
        import tensorflow

        names["tf"] = tensorflow
    return names


@contextlib.contextmanager
def distributed():
    yield
    keras.distribution.set_distribution(None)


@pytest.mark.parametrize("name", HERE)
def test_it_runs(name, tmp_path, monkeypatch, two_steps):
    monkeypatch.chdir(tmp_path)
    digits = np.zeros((30, 28, 28), "uint8"), np.arange(30, dtype="uint8") % 10
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: (digits, digits))
    namespace = given(name, tmp_path)
    here = [each for each in sources(name) if backend_of(each) == keras.backend.backend()]
    with contextlib.ExitStack() as stack:
        if any("Client(" in source for source in here):
            stack.enter_context(served(monkeypatch))
        if any("keras.distribution" in source for source in here):
            stack.enter_context(distributed())
        for source in here:
            exec(compile(source, name, "exec"), namespace)
