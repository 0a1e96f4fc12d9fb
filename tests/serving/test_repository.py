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
from PIL import Image

import kgen
from kgen import cli
from tests.serving import c_api, loopback

ROOT = pathlib.Path(__file__).parents[2]
SERVED = ROOT / "saved_models"

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow reads SavedModels", allow_module_level=True)


def test_the_repositorys_model_makes_digits(c_program, tmp_path):
    version = str(SERVED / "digits" / "1")
    files = [file for file in pathlib.Path(version).rglob("*") if file.is_file()]
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


SERVED_MODELS = sorted(each.parent.name for each in SERVED.glob("*/model.keras"))


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
@pytest.mark.parametrize("name", SERVED_MODELS)
def test_a_model_of_the_repository_is_what_an_export_makes_of_it_now(name, tmp_path):
    """Its signatures, and all that it computes and checks but for the weights."""
    from kgen.export.saved_model import write  # what an export's own process, long to start, does

    write(kgen.load(str(SERVED / name)), str(tmp_path / "1"), name)
    *served, of_served = described(SERVED / name / "1")
    *fresh, of_fresh = described(tmp_path / "1")
    assert served[0] == fresh[0]
    if of_served == of_fresh:
        assert served[1] - fresh[1] == fresh[1] - served[1] == collections.Counter()


@pytest.mark.full
@pytest.mark.parametrize("name", SERVED_MODELS)
def test_a_served_model_makes_the_samples_of_its_file(name, c_program, tmp_path):
    model, version = kgen.load(str(SERVED / name)), str(SERVED / name / "1")
    seeds, labels = np.arange(4), None
    given = {"seed": seeds}
    if model.condition is not None:
        labels = given["label"] = np.arange(4) % model.num_classes
    calls = [("generate", c_api.signature_defs(version)["generate"], given)]
    found = c_api.answers(c_program, str(tmp_path), {version: calls})[version]
    expected = model.sample(4, labels, seed=seeds)
    np.testing.assert_allclose(found["generate.image"], expected, atol=1e-4)
    grid = tmp_path / "grid.png"
    with loopback.rest_server(loopback.Servable(name, version)) as address:
        command = ["generate", "--server", address, "--model", name, "--num", "4", "--seed", "0"]
        command += [] if labels is None else ["--labels", "0,1"]
        assert cli.main(["kgen", *command, "--out", str(grid)]) == 0
    of_file = kgen.pictures.samples(model, 4, None if labels is None else [0, 1], seed=0)
    with Image.open(grid) as of_server:
        np.testing.assert_allclose(np.asarray(of_server, int), np.asarray(of_file, int), atol=1)


@pytest.mark.parametrize("name", SERVED_MODELS)
def test_what_lies_in_the_repository(name):
    folder = SERVED / name
    held = sum(each.stat().st_size for each in (folder / "1").rglob("*") if each.is_file())
    assert held < 6.3e6 and (folder / "model.keras").stat().st_size < 6e6
    card = (folder / "README.md").read_text()
    for line in ("Command", "Time", "Data", "Figures of"):
        assert f"\n- {line}" in card, line
    assert (folder / "samples.png").exists()
    assert f'"/models/{name}"' in (SERVED / "models.config").read_text()


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
