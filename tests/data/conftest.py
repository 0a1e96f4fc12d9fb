import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def numbered():
    """Make 50 grey images whose every pixel is the image's number, and the numbers as labels."""

    def make(num=50, dtype="uint8"):
        numbers = np.arange(num)
        images = np.broadcast_to(numbers[:, None, None, None], (num, 4, 6, 1)).astype(dtype)
        return images, numbers

    return make


@pytest.fixture
def write_image(tmp_path):
    """Write an image of one colour, `tmp_path / name`."""

    def write(name, mode="RGB", size=(6, 4), color=(200, 100, 50), **save):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, color).save(path, **save)
        return path

    return write


@pytest.fixture(scope="session")
def prepared():
    """Give the folder with the prepared TFDS sets, or skip."""
    named = os.environ.get("KGEN_DATA_DIR")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data" / "tfds"
    if not folder.is_dir():
        pytest.skip("no prepared TFDS data: set KGEN_DATA_DIR to its folder")
    return folder
