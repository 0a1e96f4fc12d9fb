import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

from kgen.data import Dataset, load


def test_dataset_says_what_it_holds(numbered):
    data = load(numbered(), batch_size=9)
    assert isinstance(data, Dataset)
    assert isinstance(data.train, keras.utils.PyDataset)
    assert isinstance(data.test, keras.utils.PyDataset)
    with pytest.raises(AttributeError):
        data.name = "other"
    assert repr(data) == (
        "Dataset(name='arrays', image_shape=(4, 6, 1), "
        "condition=Label(num_classes=50, names=None), num_train=45, num_test=5, batch_size=9, "
        "domains=None, license=None)"
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "batch_size .* at least 1. Received: batch_size=0"),
        ({"batch_size": 2.0}, "Received: batch_size=2.0"),
        ({"batch_size": True}, "Received: batch_size=True"),
        ({"seed": -1}, "Received: seed=-1"),
        ({"image_size": 0}, "image_size .* at least 1. Received: image_size=0"),
        ({"image_size": (8, 0)}, r"Received: image_size=\(8, 0\)"),
        ({"image_size": (8, 8, 3)}, r"\(height, width\).*image_size=\(8, 8, 3\)"),
        ({"image_size": "8"}, "Received: image_size='8'"),
        ({"augment": ("spin",)}, r"\('flip', 'crop'\).*Received: augment=\('spin',\)"),
        ({"augment": "flip"}, "sequence.*Received: augment='flip'"),
        ({"paired": 1.5}, "Received: paired=1.5"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        load("digits", **arguments)


@pytest.mark.parametrize("source", [None, 3, {"x": np.zeros((2, 2, 2, 1))}, ["a.png", "b.png"], ""])
def test_wrong_sources(source):
    with pytest.raises(ValueError, match="images as an array.*two paths. Received: source="):
        load(source)


@pytest.mark.parametrize(
    "source", ["./missing", "~/missing", "~nobody_here/a", "missing.npz", Path("missing")]
)
def test_missing_paths(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="missing.* does not exist. Received: source="):
        load(source)


def test_a_file_of_another_kind(tmp_path):
    (tmp_path / "images.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"a folder or an \.npz.*images\.zip"):
        load(tmp_path / "images.zip")


def test_without_tensorflow(tmp_path, write_image):
    """Everything but TFDS and augmentation works where TensorFlow cannot be imported."""
    for i in range(4):
        write_image(f"folder/{i}.png", size=(8, 8))
    np.savez(tmp_path / "set.npz", x=np.zeros((4, 8, 8, 3), "uint8"))
    script = textwrap.dedent(
        """
        import os, sys
        os.environ["KERAS_BACKEND"] = "jax"
        for name in ("tensorflow", "tensorflow_datasets", "keras_cv"):
            sys.modules[name] = None
        import kgen.data
        import keras
        folder = sys.argv[1]
        for source in ("digits", folder + "/set.npz", folder + "/folder"):
            data = kgen.data.load(source, batch_size=128, image_size=8)
            model = keras.Sequential(
                [keras.Input(data.image_shape), keras.layers.Flatten(), keras.layers.Dense(1)]
            )
            model.compile("sgd", "mse")
            if data.num_classes:
                model.fit(data.train, validation_data=data.test, verbose=0)
            else:
                assert model.predict(data.test, verbose=0).shape[0] == data.num_test
        for call in ({"source": "mnist"}, {"source": "digits", "augment": ("flip",)}):
            try:
                kgen.data.load(**call)
            except ImportError as error:
                print(error)
        """
    )
    result = subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 0, result.stderr
    unknown_name, augment = result.stdout.splitlines()
    assert "'mnist' is neither 'digits' nor an existing folder" in unknown_name
    assert unknown_name.endswith("pip install tensorflow tensorflow-datasets")
    assert "`augment` needs the packages keras-cv and tensorflow" in augment
