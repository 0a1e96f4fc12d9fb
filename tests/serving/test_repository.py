"""The served model of the repository, as a clone has it, and what the documentation says of it."""

import collections
import os
import pathlib
import re
import shlex
import subprocess
import sys

import keras
import numpy as np
import pytest

import kgen
from tests.serving import c_api

ROOT = pathlib.Path(__file__).parents[2]
SERVED = ROOT / "saved_models"

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow reads SavedModels", allow_module_level=True)


def test_the_repositorys_model_makes_digits(c_program, tmp_path):
    version = str(SERVED / "digits" / "1")
    files = [file for file in (SERVED / "digits").rglob("*") if file.is_file()]
    assert sum(map(os.path.getsize, files)) < 1e6
    assert '"/models/digits"' in (SERVED / "models.config").read_text()
    signatures = c_api.signature_defs(version)
    labels = np.arange(500) % 10
    calls = [("generate", signatures["generate"], {"seed": np.arange(500), "label": labels})]
    found = c_api.answers(c_program, str(tmp_path), {version: calls})[version]
    # Nearest to the mean image of their own digit: of the data it is 9 in 10.
    from sklearn.datasets import load_digits

    data = load_digits()
    means = np.stack([data.data[data.target == digit].mean(0) for digit in range(10)]) / 16
    images = found["generate.image"].reshape(500, 1, 64)
    nearest = np.square(images - means).sum(-1).argmin(-1)
    assert np.mean(nearest == labels) > 0.9


MADE = {
    "digits": lambda: kgen.VAE(
        (8, 8, 1), latent_dim=16, condition=kgen.fields.Label(10, names=tuple("0123456789"))
    )
}


def described(version):
    """Of each signature its tensors; and all operations, with the small constants among them."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    with open(version / "saved_model.pb", "rb") as file:
        (graph,) = SavedModel.FromString(file.read()).meta_graphs
    operations = collections.Counter()
    for function in graph.graph_def.library.function:
        for node in function.node_def:
            value = tf.make_ndarray(node.attr["value"].tensor) if node.op == "Const" else None
            operations[node.op, repr(value) if value is not None and value.size < 9 else ""] += 1
    tensors = {
        (name, way, key): (info.dtype, str(info.tensor_shape))
        for name, of in graph.signature_def.items()
        for way in ("inputs", "outputs")
        for key, info in getattr(of, way).items()
    }
    return tensors, operations, graph.meta_info_def.tensorflow_version


@pytest.mark.full
@pytest.mark.parametrize("name", [each.name for each in SERVED.iterdir() if each.is_dir()])
def test_a_model_of_the_repository_is_what_an_export_makes_of_it_now(name, tmp_path):
    """Its signatures, and all that it computes and checks but for the weights."""
    version = pathlib.Path(MADE[name]().export(str(tmp_path / name)))
    *served, of_served = described(SERVED / name / "1")
    *fresh, of_fresh = described(version)
    assert served[0] == fresh[0]
    if of_served == of_fresh:
        assert served[1] - fresh[1] == fresh[1] - served[1] == collections.Counter()


# `saved_model_cli`'s own main, twice for one import of TensorFlow.
CLI = """
import os, sys
from tensorflow.python.tools import saved_model_cli
for line in open(0).read().splitlines():
    if os.fork() == 0:
        sys.argv = ["saved_model_cli", *eval(line)]
        saved_model_cli.main()
    if os.wait()[1]:
        sys.exit(1)
"""


@pytest.mark.full
def test_saved_model_cli_works_as_documented(tmp_path):
    text = (ROOT / "docs" / "serving.md").read_text().replace("\\\n", "")
    commands = [shlex.split(c)[1:] for c in re.findall(r"^    (saved_model_cli .*)$", text, re.M)]
    show, run = commands
    assert show[0] == "show" and run[0] == "run" and run[-2:] == ["--outdir", "answers"]
    run[-1] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CLI],
        input=f"{show}\n{run}",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("generate", "encode_bytes", "elbo"):
        assert f"signature_def['{name}']" in done.stdout
    images = np.load(tmp_path / "image.npy")
    assert images.shape == (2, 8, 8, 1) and images.max() > 0.5
