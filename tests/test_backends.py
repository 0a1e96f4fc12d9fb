"""What holds between backends, and with TensorFlow absent: each in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import kgen
from tests.models.test_vae import networks

BACKEND = keras.backend.backend()
BACKENDS = [b for b in ("tensorflow", "jax", "torch") if importlib.util.find_spec(b)]
OTHERS = [b for b in BACKENDS if b != BACKEND]
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


@pytest.mark.skipif(not OTHERS, reason="no other backend is installed")
def test_a_model_goes_on_training_on_another_backend(tmp_path, digits):
    images = digits[0][:16]
    model = kgen.VAE((8, 8, 1), seed=0, **networks())
    model.compile()
    model.fit(images, batch_size=8, verbose=0)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    code = GO_ON.format(path=str(tmp_path / "model.keras"), images=str(tmp_path / "images.npy"))
    elbo, steps, moments, loss, after = run(code, NEXT)
    np.testing.assert_allclose(
        elbo, model.elbo(images, num_samples=20, seed=0), rtol=1e-5, atol=1e-4
    )
    own = sum(np.abs(keras.ops.convert_to_numpy(v)).sum() for v in model.optimizer.variables[2:])
    assert moments == pytest.approx(own, rel=1e-5)
    assert (steps, after) == (2, 4)
    assert np.isfinite(loss)


WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = None
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
print(json.dumps([sorted(m for m in sys.modules if m.startswith("tensorflow.")), run.folder]))
"""


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is what runs")
def test_everything_works_without_tensorflow(tmp_path):
    assert run(WITHOUT_TENSORFLOW, cwd=tmp_path) == [[], "run"]
    assert (tmp_path / "grid.png").exists() and (tmp_path / "run" / "model.keras").exists()


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is what runs")
def test_importing_imports_no_tensorflow():
    code = """
import json, sys
import kgen
heavy = ("tensorflow", "tensorflow_datasets", "keras_cv")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    assert run(code) == []


@pytest.mark.parametrize(
    "start", ["sys.argv[0] = '/usr/bin/kgen'", "sys.orig_argv[1:] = ['-m', 'kgen.cli', 'train']"]
)
def test_the_command_line_can_choose_the_backend_before_keras_is_imported(start):
    code = f"import json, sys; {start}; import kgen.cli"
    assert run(code + "; print(json.dumps('keras' in sys.modules))") is False


def test_every_public_name_is_there():
    assert all(hasattr(kgen, name) for name in kgen.__all__)
