"""The served model of the repository, as a clone has it, and what the documentation says of it."""

import os
import pathlib
import re
import shlex
import subprocess
import sys

import keras
import numpy as np
import pytest

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
