"""What holds between backends, and with TensorFlow absent: each in a process of its own."""

import ast
import importlib
import importlib.util
import json
import os
import pathlib
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras.src.utils import module_utils

import kgen
from tests.tiers import in_tiers

BACKEND = keras.backend.backend()
BACKENDS = [b for b in ("tensorflow", "jax", "torch") if importlib.util.find_spec(b)]
OTHERS = [b for b in BACKENDS if b != BACKEND]
FASTEST = "jax" if "jax" in BACKENDS else BACKEND  # to import
NEXT = BACKENDS[(BACKENDS.index(BACKEND) + 1) % len(BACKENDS)]  # so each goes on where one stopped


def run(code, backend=BACKEND, **kwargs):
    """Runs Python code in a new process and returns the last line it prints, as JSON."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, **kwargs
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


GO_ON = """
import json, sys
import keras, kgen, numpy as np
model = keras.saving.load_model({path!r})
images = np.load({images!r})
before = model.elbo(images, num_samples=20, seed=0).tolist()
steps = int(model.optimizer.iterations)
arrays = [keras.ops.convert_to_numpy(v) for v in model.optimizer.variables[2:]]
moments = float(sum(abs(array).sum() for array in arrays))
loss = model.fit(images, batch_size=8, shuffle=False, verbose=0).history["loss"][0]
after = int(model.optimizer.iterations)
print(json.dumps([before, steps, moments, loss, after]))
"""


@pytest.mark.each_backend
@pytest.mark.skipif(not OTHERS, reason="no other backend is installed")
@pytest.mark.parametrize("other", in_tiers([NEXT], quick=[NEXT] if BACKEND == "torch" else []))
def test_a_model_goes_on_training_on_another_backend(tmp_path, digits, other):
    images = digits[0][:16]
    model = kgen.VAE((8, 8, 1), latent_dim=3, width=6, seed=0)
    model.compile()
    model.fit(images, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    code = GO_ON.format(path=str(tmp_path / "model.keras"), images=str(tmp_path / "images.npy"))
    elbo, steps, moments, loss, after = run(code, other)
    np.testing.assert_allclose(
        elbo, model.elbo(images, num_samples=20, seed=0), rtol=1e-5, atol=1e-4
    )
    own = sum(np.abs(keras.ops.convert_to_numpy(v)).sum() for v in model.optimizer.variables[2:])
    assert moments == pytest.approx(own, rel=1e-5)
    assert (steps, after) == (2, 4)
    assert np.isfinite(loss)


A_LIFE = """
import json, sys
import keras, kgen
data = kgen.data.load("digits", batch_size=100)
model = kgen.VAE(data.image_shape, latent_dim=2)
model.compile()
model.fit(data.train, validation_data=data.test, verbose=0)
model.save("model.keras")
model = keras.saving.load_model("model.keras")
model.fit(data.train, verbose=0)
kgen.pictures.grid(model.sample(4), path="grid.png")
run = kgen.runs.train("vae", epochs=1, run="run", latent_dim=2)
samples = kgen.runs.sample("run", num=4, out="samples.png")
print(json.dumps(sorted(m for m in sys.modules if m.startswith("tensorflow."))))
"""


@pytest.mark.full
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is what runs")
@pytest.mark.parametrize("start", ["", 'import sys; sys.modules["tensorflow"] = None'])
def test_a_life_imports_no_tensorflow(tmp_path, start):
    """Whether it is installed or not."""
    assert run(start + A_LIFE, cwd=tmp_path) == []
    for made in ("grid.png", "samples.png", "run/model.keras", "run/logs/train"):
        assert (tmp_path / made).exists()


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is what runs")
def test_keras_writes_a_model_without_asking_for_tensorflow(monkeypatch):
    asked = []

    class Finder:
        def find_spec(self, name, *args):
            asked.append(name)

    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.setattr(module_utils.tensorflow, "_available", None)  # as if never asked for
    keras.saving.serialize_keras_object(keras.layers.Dense(1))
    assert "tensorflow" not in asked


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is what runs")
def test_importing_imports_no_tensorflow():
    code = """
import json, sys
import kgen
heavy = ("tensorflow", "tensorflow_datasets", "keras_cv")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    assert run(code) == []


# Before `import keras`.
ORDERS = [
    "import kgen",
    "import keras, kgen",
    "from kgen import VAE",
    "from kgen import LatentModel, fields",
    "from kgen.models.adversarial.gan import GAN",
    "from kgen.layers.batch_norm import BatchNorm",
    "import kgen.noise",
    "import kgen, importlib.util; importlib.util.find_spec('keras')",
    "from kgen.serving import Client",
    "from kgen import *",
    """
import threading
import kgen
threading.excepthook = lambda args: os._exit(1)
names = ("keras", "kgen.layers", "kgen.models.adversarial.gan", "kgen.noise")
threads = [threading.Thread(target=__import__, args=(name,)) for name in names]
for thread in threads: thread.start()
for thread in threads: thread.join()
""",
]
# Each in a fork of a process that has imported neither, but what Keras imports.
REGISTERED = """
import json, os, sys
import h5py, sklearn.base
try:
    import jax.numpy
except ImportError:
    pass
assert not {{"keras", "kgen"}} & sys.modules.keys()
found = []
for order in {orders!r}:
    reader, writer = os.pipe()
    if os.fork() == 0:
        exec(order)
        import keras
        names = [name for name in keras.saving.get_custom_objects() if name.startswith("kgen>")]
        model = keras.saving.load_model({path!r})
        with open(writer, "w") as file:
            json.dump([names, type(model).__name__, type(keras.__loader__).__name__], file)
            file.flush()
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        found.append(json.load(file))
print(json.dumps(found))
"""


def all_modules():
    """The modules of kgen that this process can import."""
    others = {f"kgen.backend.{name}" for name in ("tensorflow", "jax", "torch") if name != BACKEND}
    if BACKEND != "tensorflow":
        others |= {"kgen.export.saved_model", "kgen.export.image_bytes", "kgen.export.warmup"}
    others.add("kgen.serving.grpc_api")  # which needs the extra
    for module in pkgutil.walk_packages(kgen.__path__, "kgen."):
        if module.name not in others:
            yield importlib.import_module(module.name)


@pytest.mark.one_backend
def test_no_two_classes_have_the_same_name_in_files():
    classes = {
        each
        for module in all_modules()
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__.startswith("kgen.")
    }
    names = {each: keras.saving.get_registered_name(each) for each in classes}
    registered = {each: name for each, name in names.items() if name.startswith("kgen>")}
    assert len(registered) > 50
    for each, name in registered.items():
        assert keras.saving.get_registered_object(name) is each


@pytest.mark.full
def test_every_class_is_registered_in_whatever_order_things_are_imported(tmp_path):
    path = str(tmp_path / "model.keras")
    kgen.VAE((8, 8, 1), latent_dim=3, width=6, seed=0).save(path)
    assert len(list(all_modules())) > 50
    registered = {n for n in keras.saving.get_custom_objects() if n.startswith("kgen>")}
    assert {"kgen>VAE", "kgen>PixelCNN", "kgen>MaskedConv2D"} <= registered
    found = run(REGISTERED.format(orders=ORDERS, path=path), FASTEST)
    for order, (names, model, loader) in zip(ORDERS, found, strict=True):
        assert (set(names), model, loader) == (registered, "VAE", "SourceFileLoader"), order


@pytest.mark.one_backend
def test_the_client_is_numpy_and_the_standard_library():
    code = """
import json, sys

before = set(sys.modules)
from kgen.serving import Client

Client("localhost:1", "digits")
names = {name.split(".")[0] for name in set(sys.modules) - before}
print(json.dumps([sorted(names - sys.stdlib_module_names), dir(sys.modules["kgen"])]))
"""
    found, names = run(code)
    assert found == ["kgen", "numpy"]
    assert set(kgen.__all__) <= set(names)


@pytest.mark.full_on_one
def test_a_script_may_have_any_name(tmp_path):
    script = tmp_path / "kgen"
    script.write_text("import kgen\nprint(kgen.VAE.__name__)\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout == "VAE\n", done.stderr[-3000:]


LEVELS = (
    (
        "checks",
        "installed",
        "interrupt",
        "printable",
        "registration",
        "version",
        "warn",
        "whole_file",
    ),
    ("backend", "keras_file", "lock"),
    ("fields", "noise"),
    ("seeds",),
    ("losses", "layers"),
    ("distributions", "networks", "samplers"),
    ("posteriors", "priors"),
    ("pictures",),
    ("models",),
    ("metrics",),
    ("callbacks", "data", "serving"),
    ("export",),
    ("runs",),
    ("demo",),
    ("cli",),
)


@pytest.mark.one_backend
def test_imports_run_one_way():
    """From a room to those of the levels above it in the list."""
    level = {room: i for i, rooms in enumerate(LEVELS) for room in rooms}
    package = pathlib.Path(kgen.__file__).parent
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.module == "kgen":
                imported = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module.startswith("kgen."):
                imported = [node.module.split(".")[1]]
            else:
                continue
            for other in imported if room != "__init__" else ():
                assert other == room or level[other] < level[room], (path, other)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'kgen' has no attribute 'VEA'"):
        _ = kgen.VEA
    with pytest.raises(AttributeError, match="module 'kgen.runs' has no attribute 'trian'"):
        _ = kgen.runs.trian


def test_every_public_name_is_there():
    assert all(hasattr(kgen, name) for name in kgen.__all__)
