import json
import os

import numpy as np
import pytest
from PIL import Image

import kgen
from kgen import pictures, runs
from kgen.fields import PartialLabel
from kgen.runs import many
from kgen.runs.sampling import numbers


def trained(folder, data, **arguments):
    np.savez(folder / "data.npz", **data)
    given = {"dataset": str(folder / "data.npz"), "batch_size": 32, "latent_dim": 2}
    run = str(folder / "run")
    runs.train("vae", run=run, epochs=1, likelihood="normal", **given | arguments)
    return run


@pytest.fixture(scope="module")
def plain(tmp_path_factory, digits):
    return trained(tmp_path_factory.mktemp("plain"), {"images": digits[0]})


@pytest.fixture(scope="module")
def of_classes(tmp_path_factory, digits):
    names = np.array(["T-shirt/top", "dress"])[digits[1] % 2]
    data = {"images": digits[0], "labels": names}
    return trained(tmp_path_factory.mktemp("classes"), data, conditional=True)


@pytest.fixture(scope="module")
def of_attributes(tmp_path_factory, digits):
    data = {"images": digits[0], "attributes": digits[1][:, None] // [1, 2, 4] % 2}
    return trained(tmp_path_factory.mktemp("attributes"), data, conditional=True)


def read(folder):
    names = sorted(name for name in os.listdir(folder) if name.endswith(".png"))
    return np.stack([np.asarray(Image.open(os.path.join(folder, name))) for name in names]), names


def expected(run, num, labels=None, seed=3):
    images = kgen.runs.load(run).model.sample(num, labels, seed=seed)
    return np.rint(images * 255)[..., 0].astype("uint8")


def assert_alike(a, b):
    """As in batches of another size, whose rounding may fall on the other side."""
    assert a.dtype == b.dtype == np.uint8 and np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.parametrize("ending", ["", "/"])
def test_an_image_a_file(plain, tmp_path, ending):
    out = str(tmp_path / "new" / "many") + ending
    assert runs.sample(plain, num=11, seed=3, out=out, batch_size=4) == out
    images, names = read(out)
    assert names == [f"{i:06}.png" for i in range(11)]
    assert_alike(images, expected(plain, 11))


def test_an_archive(plain, tmp_path):
    path = runs.sample(plain, num=11, seed=3, out=str(tmp_path / "many.npz"), batch_size=4)
    with np.load(path) as archive:
        assert archive.files == ["images"] and archive["images"].shape == (11, 8, 8, 1)
        assert_alike(archive["images"][..., 0], expected(plain, 11))
    assert kgen.data.load(path).num_train == 10


def test_images_of_classes_in_turn(of_classes, tmp_path):
    runs.sample(of_classes, num=5, seed=3, out=str(tmp_path / "many"))
    images, names = read(tmp_path / "many")
    assert names == [f"{i:06}-{'dress' if i % 2 else 'T_shirt_top'}.png" for i in range(5)]
    wanted = expected(of_classes, 5, [0, 1, 0, 1, 0])
    assert_alike(images, wanted)
    path = runs.sample(of_classes, num=5, seed=3, out=str(tmp_path / "many.npz"))
    with np.load(path) as archive:
        assert_alike(archive["images"][..., 0], wanted)
        assert archive["labels"].tolist() == [0, 1, 0, 1, 0]
    runs.sample(of_classes, num=3, labels=("dress",), seed=3, out=str(tmp_path / "dresses"))
    images, names = read(tmp_path / "dresses")
    assert {name[7:] for name in names} == {"dress.png"}
    assert_alike(images, expected(of_classes, 3, [1, 1, 1]))


def test_a_label_that_is_not_known_names_no_class():
    model = kgen.VAE((4, 4, 1), 2, width=2, condition=PartialLabel(3, ["cat", "dog", "emu"]))
    assert many._names(model, 2, [-1, 2]) == ["000000-unknown.png", "000001-emu.png"]


def test_numbers_that_are_names_of_classes():
    of_numbers, of_words = kgen.fields.Label(3, ("1", "2", "3")), kgen.fields.Label(2, ("a", "b"))
    assert numbers(("1", "3"), of_numbers) == ("1", "3")
    assert numbers(("0", "1"), of_numbers) == [0, 1]  # one is no name
    assert numbers((0, 1), of_numbers) == [0, 1]
    assert numbers(("0", "1"), of_words) == numbers(("0", "1"), kgen.fields.Label(2)) == [0, 1]
    assert numbers(("a",), of_words) == ("a",) and numbers(None, None) is None


def test_what_test_images_have_where_there_are_no_classes(of_attributes, tmp_path):
    test, attributes = kgen.runs.load(of_attributes).data().test.take()
    path = runs.sample(of_attributes, num=8, seed=3, out=str(tmp_path / "many.npz"))
    with np.load(path) as archive:
        assert_alike(
            archive["images"][..., 0], expected(of_attributes, 8, attributes[np.arange(8) % 6])
        )
        np.testing.assert_array_equal(archive["attributes"], attributes[np.arange(8) % 6])
    out = str(tmp_path / "many")
    assert len(read(runs.sample(of_attributes, num=8, seed=3, out=out))[0]) == 8
    grid = Image.open(runs.sample(of_attributes, num=12, out=str(tmp_path / "grid.png")))
    assert grid.size == ((9 * 2 + 1) * 6, (9 * 6 + 1) * 6)


def test_the_same_command_adds_what_is_missing(plain, tmp_path, monkeypatch):
    out = str(tmp_path / "many")
    runs.sample(plain, num=4, seed=3, out=out)
    before = {name: os.stat(os.path.join(out, name)).st_mtime_ns for name in read(out)[1]}
    os.unlink(os.path.join(out, "000002.png"))
    asked = []
    sample = kgen.VAE.sample
    monkeypatch.setattr(
        kgen.VAE,
        "sample",
        lambda self, num, *args, **kw: asked.append(num) or sample(self, num, *args, **kw),
    )
    runs.sample(plain, num=7, out=out)  # of the seed that is there
    assert asked == [4]
    images, names = read(out)
    assert_alike(images, expected(plain, 7))
    for name in ("000000.png", "000001.png", "000003.png"):
        assert os.stat(os.path.join(out, name)).st_mtime_ns == before[name]


def test_no_more_than_a_batch_is_held(plain, tmp_path, monkeypatch):
    asked = []

    def sample(self, num, labels=None, *, seed=None, batch_size=256):
        asked.append((num, batch_size))
        return np.zeros((num, 8, 8, 1))

    monkeypatch.setattr(kgen.VAE, "sample", sample)
    for out in ("many.npz", "many"):
        runs.sample(plain, num=9, out=str(tmp_path / out), batch_size=4)
        runs.sample(plain, num=300, out=str(tmp_path / f"more-{out}"))
    assert asked == [(4, 4), (4, 4), (1, 4), (256, 256), (44, 256)] * 2


@pytest.mark.parametrize("changed", [{"seed": 4}, {"labels": ("1",)}, {"run": "other"}])
def test_other_samples_are_not_added(of_classes, plain, tmp_path, changed):
    out = str(tmp_path / "many")
    runs.sample(of_classes, num=2, seed=3, out=out)
    given = {"run": of_classes, "seed": 3} | changed
    given["run"] = plain if given["run"] == "other" else given["run"]
    with pytest.raises(ValueError, match=f"(?s)the samples in {out}, .*in the folder, .* now"):
        runs.sample(num=3, out=out, **given)
    assert len(read(out)[1]) == 2


def test_samples_of_a_training_that_went_on_are_others(plain, tmp_path):
    out = str(tmp_path / "many")
    runs.sample(plain, num=2, seed=3, out=out)
    settings = os.path.join(out, many.SETTINGS)
    with open(settings) as file:
        made = json.load(file)
    assert made["steps"] == 1
    with open(settings, "w") as file:
        json.dump(made | {"steps": 9}, file)
    with pytest.raises(ValueError, match="steps: 9 in the folder, 1 now"):
        runs.sample(plain, num=3, seed=3, out=out)


def test_what_is_there_is_not_written_over(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(runs.sampling, "load", lambda *_: pytest.fail("read the run first"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "000000.png").write_bytes(b"photo")
    (tmp_path / "many.npz").write_bytes(b"earlier")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "folder.npz" / "a").write_bytes(b"")
    for name in ("photos", "many.npz", "many.npz/", "folder.npz"):
        with pytest.raises(OSError, match=f"Expected .* Received: .*{name}"):
            runs.sample(plain, out=os.path.join(tmp_path, name))
    for name in ("a.txt", "a.v2"):
        with pytest.raises(ValueError, match="ending that Pillow writes"):
            runs.sample(plain, out=str(tmp_path / name))
    assert (tmp_path / "photos" / "000000.png").read_bytes() == b"photo"
    assert (tmp_path / "many.npz").read_bytes() == b"earlier"


@pytest.mark.parametrize("out", ["many", "many.npz"])
def test_an_interrupted_image_is_not_there(plain, tmp_path, monkeypatch, out):
    def fail(images):
        raise OSError("No space left on device")

    monkeypatch.setattr(many, "to_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        runs.sample(plain, num=3, seed=3, out=str(tmp_path / out))
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("out", ["many", "many.npz"])
@pytest.mark.parametrize("bad", [{"num": 0}, {"labels": ("7",)}, {"batch_size": 0}])
def test_bad_arguments_write_nothing(of_classes, tmp_path, out, bad):
    with pytest.raises(ValueError, match="Received: "):
        runs.sample(of_classes, **{"num": 3, "out": str(tmp_path / out)} | bad)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("out", "names"), [("many/", ("000001.png", "samples.json")), ("many/a.npz", ("a.npz",))]
)
def test_what_a_kill_left_goes_with_the_next_samples(plain, tmp_path, out, names):
    folder = tmp_path / "many"
    folder.mkdir()
    left = [folder / f".tmp-0123abcd-{name}" for name in names]
    mine = folder / ".tmp-0123abcd-mine.png"
    for path in (*left, mine):
        path.write_text("half")
    runs.sample(str(plain), 2, seed=0, out=f"{tmp_path}/{out}")
    assert mine.exists() and not any(path.exists() for path in left)


def test_nearest(of_classes, tmp_path):
    before = os.listdir(of_classes)
    path = runs.nearest(of_classes, num=3, neighbours=2, labels=("dress",), seed=5)
    assert path == os.path.join(of_classes, "nearest-seed-5.png")
    this = runs.load(of_classes)
    images = this.model.sample(3, [1, 1, 1], seed=5)
    picture = pictures.nearest(images, this.data().train.take()[0], 2)
    np.testing.assert_allclose(np.asarray(Image.open(path)).astype(int), picture, atol=1)
    os.unlink(path)
    out = str(tmp_path / "all.png")
    assert Image.open(runs.nearest(of_classes, out=out)).size == ((9 * 9 + 1) * 6, (8 * 9 + 1) * 6)
    assert sorted(os.listdir(of_classes)) == sorted(before)


def test_nearest_of_what_does_not_sample(tmp_path, digits):
    np.savez(tmp_path / "data.npz", images=digits[0])
    run = str(tmp_path / "run")
    runs.train(
        "autoencoder", str(tmp_path / "data.npz"), run, epochs=1, latent_dim=2, batch_size=32
    )
    with pytest.raises(ValueError, match="a model that can sample. Received: Autoencoder"):
        runs.nearest(run)
