"""examples/gan.py: a setting and a row for each GAN, and each of them runs."""

import functools
import subprocess
import sys

import keras
import numpy as np
import pytest
from absl import flags

import kgen
from kgen.metrics.features import Classifier
from tests.examples.conftest import EXAMPLES

MODELS = ("gan", "dcgan", "lsgan", "wgan", "wgan_gp", "cgan", "infogan")
MEASURED = {"cgan": "of the class that was asked for", "infogan": "of another class"}


@pytest.fixture(scope="module")
def gan(script):
    return script("gan.py")


def rows(header):
    """The header's table: the arguments and the epochs of each row."""
    lines = [line.split("|") for line in header.splitlines() if line.startswith("| ")]
    return [(row[1].split(), int(row[3])) for row in lines[1:]]


def test_each_gan_has_a_setting_and_each_setting_a_row(gan):
    settings = gan["SETTINGS"]
    classes = {getattr(kgen, name) for name in kgen.__all__ if name[0].isupper()}
    family = {each for each in classes if issubclass(each, kgen.AdversarialModel)}
    assert {model for model, *_ in settings.values()} == family - {kgen.AdversarialModel}
    assert tuple(settings) == MODELS
    assert {model for (model, *_), _ in rows(gan["__doc__"])} == set(settings)
    for (model, *further), epochs in rows(gan["__doc__"]):
        assert epochs == (int(further[-1]) if further else settings[model][1])


@pytest.mark.full_on_one
@pytest.mark.parametrize("model", MODELS)
def test_each_trains_draws_and_measures(model, gan, digits, tmp_path, capsys, monkeypatch):
    train = functools.partial(Classifier.train, steps=10)
    monkeypatch.setattr(Classifier, "train", train)  # in this process
    images, labels = (each[:10] for each in digits)
    large = np.repeat(np.repeat(images, 4, axis=1), 4, axis=2)
    np.savez(tmp_path / "digits.npz", images=large, labels=np.arange(10))
    command = [str(EXAMPLES / "gan.py"), "--model", model, "--epochs", "1", "--samples", "100"]
    command += ["--dataset", str(tmp_path / "digits.npz"), "--out", str(tmp_path)]
    if model == MODELS[0]:
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        said = done.stdout
    else:  # without another process, which takes longer to start than to train
        flags.FLAGS(command)
        gan["main"]([])
        said = capsys.readouterr().out
    assert MEASURED.get(model, "") in said
    assert (tmp_path / "samples.png").exists() and (tmp_path / "history.csv").exists()
    assert (tmp_path / "codes.png").exists() == (model == "infogan")
    assert (tmp_path / "interpolation.png").exists() == (model not in MEASURED)
    assert keras.saving.load_model(tmp_path / "model.keras").sample(
        2, 0 if model == "cgan" else None
    ).shape == (2, 32, 32, 1)
