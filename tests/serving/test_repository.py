"""The served model of the repository, as a clone has it."""

import os
import pathlib

import keras
import numpy as np
import pytest

from tests.serving import c_api

ROOT = pathlib.Path(__file__).parents[2] / "saved_models"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="once is enough")
def test_the_repositorys_model_makes_digits(c_program, tmp_path):
    version = str(ROOT / "digits" / "1")
    files = [file for file in (ROOT / "digits").rglob("*") if file.is_file()]
    assert sum(map(os.path.getsize, files)) < 1e6
    assert '"/models/digits"' in (ROOT / "models.config").read_text()
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
