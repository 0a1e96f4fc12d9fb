import errno
import os

import numpy as np
import pytest
from PIL import Image

from kgen import pictures
from tests.pictures.conftest import pixels


def test_grid_writes_what_it_gives(tmp_path):
    path = tmp_path / "new" / "folder" / "grid.png"
    picture = pictures.grid(np.random.default_rng(0).random((3, 4, 4, 3)), path=str(path))
    with Image.open(path) as written:
        assert written.format == "PNG"
        np.testing.assert_array_equal(pixels(written), pixels(picture))
    (path.parent / "plain").write_bytes(b"")
    assert path.stat().st_mode == (path.parent / "plain").stat().st_mode
    path.unlink()
    assert os.listdir(path.parent) == ["plain"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.webp", "WEBP"), ("a.gif", "GIF")],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_ending_is_the_format(tmp_path, name, kind, channels):
    path = tmp_path / name
    pictures.grid(np.full((1, 8, 8, channels), 0.5), path=path)
    with Image.open(path) as written:
        assert written.format == kind
        assert pixels(written.convert("RGB"))[24, 24, 0] in (127, 128, 129)


PICTURES = {
    "animation": lambda path: pictures.animation(None, path),
    "losses": lambda path: pictures.losses(None, path),
    "nearest": lambda path: pictures.nearest(None, None, path=path),
    "grid": lambda path: pictures.grid(None, path=path),
    "samples": lambda path: pictures.samples(None, 4, path=path),
    "reconstructions": lambda path: pictures.reconstructions(None, None, path=path),
    "completions": lambda path: pictures.completions(None, None, None, path=path),
    "manifold": lambda path: pictures.manifold(None, path=path),
    "traversal": lambda path: pictures.traversal(None, None, path=path),
    "interpolation": lambda path: pictures.interpolation(None, None, None, path=path),
    "arithmetic": lambda path: pictures.arithmetic(None, None, None, None, path=path),
    "codes": lambda path: pictures.codes(None, path=path),
}


def forbid(*_):
    raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize("name", PICTURES)
def test_a_path_is_looked_at_before_the_work(tmp_path, monkeypatch, name):
    def refused(path, kind, message):
        with pytest.raises(kind, match=message):
            PICTURES[name](str(tmp_path / path))

    for path in ("a.txt", "a", "a.xbm", ".png", "a.png.none"):
        refused(
            path, ValueError, "an ending that Pillow writes here, such as .png.*Received: path="
        )
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    refused("file/a.png", NotADirectoryError, "a folder, and .*file is none. Received: .*a.png")
    refused("file/b/a.png", NotADirectoryError, "and .*file is none")
    refused("folder.png", IsADirectoryError, "path of a file. Received: .*, which is a folder")
    monkeypatch.setattr(os, "mkdir", forbid)
    refused("a.png", PermissionError, "a folder to write in")
    refused("new/folder/a.png", PermissionError, f"write in, and {tmp_path} is none")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png"]


class HalfWritten:
    def save(self, path, format):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("fault", ["write", "rename"])
@pytest.mark.parametrize("earlier", [True, False])
def test_a_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch, fault, earlier):
    path = tmp_path / "picture.png"
    if earlier:
        path.write_bytes(b"earlier")
    picture = HalfWritten() if fault == "write" else Image.new("L", (2, 2))
    if fault == "rename":
        monkeypatch.setattr(os, "replace", lambda *paths: HalfWritten().save(os.devnull, "PNG"))
    with pytest.raises(OSError, match="No space"):
        pictures.save(picture, str(path))
    assert os.listdir(tmp_path) == ["picture.png"] * earlier
    assert not earlier or path.read_bytes() == b"earlier"
