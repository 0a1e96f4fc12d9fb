import csv
import errno
import filecmp
import json
import os
import re
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

import kgen
from kgen import callbacks, runs
from kgen.runs import results, settings, training
from kgen.runs.folder import drop_rows
from tests.runs import tiny
from tests.tiers import in_tiers
from tests.zoo import ZOO

COMMANDS = [case for case in ZOO.values() if case.command]
SETTINGS = {"dataset": "digits", "batch_size": 300, "latent_dim": 2}


def train(folder, epochs=1, model="vae", **kwargs):
    return runs.train(model, run=str(folder), epochs=epochs, **(SETTINGS | kwargs))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run of three epochs at once; no test changes it."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(folder, epochs=3)
    return folder


@pytest.fixture(scope="module")
def trained_half(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "half"
    train(folder, epochs=2)
    return folder


@pytest.fixture
def half(trained_half, tmp_path):
    """A copy of the folder of the same run after two epochs."""
    return shutil.copytree(trained_half, tmp_path / "half")


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "whole")


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.reader(file))


def assert_same_state(a, b):
    """The same weights, random states and optimizer, to the bit."""
    a, b = (runs.load(str(folder)).model for folder in (a, b))
    for x, y in (
        *zip(a.variables, b.variables, strict=True),
        *zip(a.optimizer.variables, b.optimizer.variables, strict=True),
    ):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (x, y)), x.path)


def edit_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.one_backend
def test_a_run_holds_what_it_promises(whole):
    names = {name for name in files(whole) if not name.startswith("logs")}
    assert names == {
        ".lock",
        "config.json",
        "history.csv",
        "samples/epoch-0001.png",
        "samples/epoch-0002.png",
        "samples/epoch-0003.png",
        "checkpoint/.lock",
        "checkpoint/epoch-0000-batch-000000.keras",
        "checkpoint/epoch-0003-batch-000000.keras",
        "model.keras",
        "samples.png",
        "samples.gif",
        "losses.png",
        "reconstructions.png",
        "results.json",
    }
    assert sorted(os.listdir(whole / "logs")) == ["train", "validation"]
    config = json.loads((whole / "config.json").read_text())
    assert (config["model"], config["conditional"], config["seed"]) == ("vae", False, 0)
    assert config["arguments"] == settings.all_arguments(kgen.VAE, {}) | {"latent_dim": 2}
    assert config["data"]["source"] == "digits" and config["data"]["batch_size"] == 300
    assert config["backend"] == keras.backend.backend()
    assert config["versions"]["kgen"] == kgen.__version__
    header, *epochs = rows(whole)
    assert header[0] == "epoch" and {"loss", "kl_loss", "val_loss"} < set(header)
    assert [row[0] for row in epochs] == ["0", "1", "2"]
    figures = tiny.results(whole)
    assert figures["test_images"] == 297
    assert figures["elbo"] == pytest.approx(-float(epochs[-1][header.index("val_loss")]), rel=1e-5)
    with Image.open(whole / "samples.png") as samples:
        assert samples.size == ((8 * 9 + 1) * 6,) * 2
    with Image.open(whole / "reconstructions.png") as pairs:
        assert pairs.size == ((8 * 9 + 1) * 6,) * 2


def test_the_loss_falls(whole):
    header, *epochs = rows(whole)
    losses = [float(row[header.index("val_loss")]) for row in epochs]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.each_backend
def test_two_epochs_and_one_are_three(half, whole):
    train(half, epochs=3)
    assert_same_state(half, whole)
    assert rows(half) == rows(whole)
    resumed, expected = files(half), files(whole)
    for name in ("samples/epoch-0003.png", "samples.png", "reconstructions.png", "results.json"):
        assert resumed[name] == expected[name], name


def test_a_finished_run_is_only_evaluated(copy, monkeypatch, capsys):
    monkeypatch.setattr(kgen.VAE, "training_step", lambda *_: pytest.fail("trained again"))
    before = files(copy)
    this = train(copy, epochs=3)
    after = files(copy)
    del before["model.keras"], after["model.keras"]  # holds the time of its writing
    assert after == before
    assert "3 of 3 epochs are done" in capsys.readouterr().out
    saved = keras.saving.load_model(copy / "model.keras")
    for a, b in zip(saved.variables, this.model.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (a, b)))


def test_a_finished_run_without_a_history_shows_none(copy):
    for name in ("history.csv", "losses.png", "samples.gif"):
        (copy / name).unlink()
    shutil.rmtree(copy / "samples")
    train(copy, epochs=3)
    assert not {"losses.png", "samples.gif"} & set(files(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_dim": 3}, "arguments.latent_dim: 2 in the folder, 3 now"),
        ({"beta": 4.0}, "arguments.beta: 1.0 in the folder, 4.0 now"),
        ({"batch_size": 100}, "data.batch_size: 300 in the folder, 100 now"),
        ({"seed": 1}, "data.seed: 0 in the folder, 1 now\n  seed: 0 in the folder, 1 now"),
        ({"dataset": "mnist"}, "data.source: 'digits' in the folder, 'mnist' now"),
        ({"image_size": 4}, "data.image_size: None in the folder, 4 now"),
        ({"augment": ("flip",)}, r"data.augment: \[\] in the folder, \['flip'\] now"),
        ({"conditional": True}, "conditional: False in the folder, True now"),
        ({"learning_rate": 0.1}, "learning_rate: None in the folder, 0.1 now"),
        ({"precision": "mixed_bfloat16"}, "precision: 'float32' in .*, 'mixed_bfloat16' now"),
        ({"model": "autoencoder"}, "model: 'vae' in the folder, 'autoencoder' now"),
    ],
)
def test_other_settings_are_refused(whole, changes, message):
    before = files(whole)
    with pytest.raises(ValueError, match=message) as error:
        train(whole, epochs=4, **changes)
    assert str(whole) in str(error.value)
    assert "versions" not in str(error.value)
    assert files(whole) == before


def test_another_backend_is_refused(copy):
    edit_config(copy, backend="other")
    with pytest.raises(ValueError, match=f"backend: 'other' .*, '{keras.backend.backend()}' now"):
        train(copy, epochs=4)


def test_a_setting_that_only_the_folder_has_is_refused(copy):
    edit_config(copy, temperature=0.5)
    with pytest.raises(ValueError, match="temperature: 0.5 in the folder, None now"):
        train(copy, epochs=4)


def test_other_versions_go_on_and_are_written(copy):
    edit_config(copy, versions={"keras": "3.0.0"})
    train(copy, epochs=3)
    config = json.loads((copy / "config.json").read_text())
    assert config["versions"]["keras"] == keras.__version__


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "vaee"}, "autoencoder, .* Did you mean vae\\? Received: vaee"),
        ({"latent_dimm": 3}, "argument of VAE: .*Did you mean latent_dim\\? Received: latent_dimm"),
        ({"encoder": None}, "argument of VAE: .*Received: encoder"),
        ({"epochs": 0}, "epochs=0"),
        ({"seed": -1}, "seed as a whole number in 0..2147483647. Received: seed=-1"),
        ({"seed": 2**31}, "seed as .* in 0..2147483647"),
        ({"on_nan": "ignore"}, "'stop' or 'rollback'. Received: on_nan='ignore'"),
        ({"backup_seconds": 0.0}, "backup_seconds as a finite number above 0"),
        ({"learning_rate": 0.0, "dataset": "./missing"}, "rate above 0. .*learning_rate=0.0"),
        ({"learning_rate": -1.0}, "rate above 0. Received: learning_rate=-1.0"),
        ({"learning_rate": float("nan")}, "finite learning rate above 0.*=nan"),
        ({"learning_rate": float("inf")}, "finite learning rate above 0.*=inf"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"precision": "float99"}, "float99"),
        ({"dataset": "./missing"}, "does not exist"),
    ],
)
def test_bad_arguments_leave_no_folder(tmp_path, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        train(tmp_path / "run", **arguments)
    assert not os.listdir(tmp_path)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("held", ["photo.png", "folder/photo.png"])
def test_a_folder_of_something_else_is_left_alone(tmp_path, held):
    path = tmp_path / "photos" / held
    path.parent.mkdir(parents=True)
    path.write_bytes(b"photo")
    name = held.split("/")[0]
    with pytest.raises(ValueError, match=f"new or empty folder.*photos, which holds {name}$"):
        train(tmp_path / "photos")
    assert files(tmp_path) == {f"photos/{held}": b"photo"}


def test_an_empty_folder_may_hold_what_is_hidden(tmp_path):
    (tmp_path / ".tmp-config.json").write_text("what a kill left")
    train(tmp_path, batch_size=1500)
    assert (tmp_path / "model.keras").exists()


def test_a_run_that_is_no_folder_to_write_in(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("words")
    for name in ("file", "file/run"):
        with pytest.raises(NotADirectoryError, match=f"file is none. Received: run=.*{name}$"):
            train(tmp_path / name)

    def forbid(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "mkdir", forbid)
    with pytest.raises(PermissionError, match="to write in.*denied. Received: run=.*new$"):
        train(tmp_path / "new")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_rows_after_the_checkpoint_are_dropped(half, whole, done):
    (half / "history.csv").write_bytes((whole / "history.csv").read_bytes())
    drop_rows(str(half / "history.csv"), done)
    assert rows(half) == (rows(whole)[: 1 + done] if done else [])
    drop_rows(str(half / "history.csv"), done)
    assert rows(half) == (rows(whole)[: 1 + done] if done else [])


@pytest.mark.one_backend
def test_a_run_goes_on_from_the_middle_of_an_epoch(half, whole, monkeypatch):
    class Interrupt(callbacks.StopOnNaN):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "StopOnNaN", Interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(half, epochs=3, backup_steps=2)
    assert sorted(os.listdir(half / "checkpoint"))[-1] == "epoch-0002-batch-000002.keras"
    this = runs.load(str(half))
    assert int(this.model.optimizer.iterations) == 12
    train(half, epochs=3)
    assert_same_state(half, whole)
    assert rows(half) == rows(whole)


@pytest.mark.parametrize("name", ["config.json", "history.csv"])
def test_small_files_are_written_whole_or_not_at_all(half, monkeypatch, name):
    before = files(half)
    replace = os.replace

    def full(source, target):
        if os.path.basename(target) == name:
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left on device"):
        train(half, epochs=3)
    assert files(half)[name] == before[name]


@pytest.mark.one_backend
def test_a_diverging_run_keeps_its_last_good_state(tmp_path):
    with pytest.raises(FloatingPointError, match="loss became (nan|inf) at step 2 of the vae"):
        train(tmp_path / "run", epochs=2, learning_rate=1e30)
    assert sorted(os.listdir(tmp_path / "run" / "checkpoint"))[1:] == [
        "epoch-0000-batch-000000.keras"
    ]
    assert not (tmp_path / "run" / "model.keras").exists()
    assert int(runs.load(str(tmp_path / "run")).model.optimizer.iterations) == 0


@pytest.mark.each_backend
@pytest.mark.parametrize("bad_rates", in_tiers([2, 9], quick=[2]))
def test_a_diverging_run_rolls_back_to_half_the_learning_rate(
    tmp_path, monkeypatch, capsys, bad_rates
):
    monkeypatch.setattr(training, "MAX_ROLLBACKS", 3)
    check, limit = callbacks.StopOnNaN.on_train_batch_end, 0.04 * 0.75 * 0.5 ** (bad_rates - 1)

    def diverge(self, batch, logs=None):
        late = int(self.model.optimizer.iterations) == 8
        if late and float(self.model.optimizer.learning_rate) > limit:
            logs = {"loss": float("nan")}
        check(self, batch, logs)

    monkeypatch.setattr(callbacks.StopOnNaN, "on_train_batch_end", diverge)
    settings = {"epochs": 2, "learning_rate": 0.04, "on_nan": "rollback", "backup_steps": 3}
    if bad_rates > training.MAX_ROLLBACKS:
        with pytest.raises(FloatingPointError, match="loss became nan at step 8.*3 attempts"):
            train(tmp_path, **settings)
        return
    model = train(tmp_path, **settings).model
    assert int(model.optimizer.iterations) == 10
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    out = capsys.readouterr().out
    assert "Back to 1 epochs and 1 batches, with 0.25 of the learning rate" in out
    assert [row[0] for row in rows(tmp_path)] == ["epoch", "0", "1"]
    train(tmp_path, **settings | {"epochs": 3})
    learning_rate = runs.load(str(tmp_path)).model.optimizer.learning_rate
    assert float(keras.ops.convert_to_numpy(learning_rate)) == pytest.approx(0.01)


@pytest.mark.one_backend
def test_a_run_that_is_deterministic(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(training.backend, "set_deterministic", lambda: called.append(True))
    for deterministic in (True, False):
        train(tmp_path / str(deterministic), batch_size=1500, deterministic=deterministic)
    assert called == [True]


@pytest.mark.parametrize("verb", [runs.load, runs.sample, runs.reconstruct, runs.evaluate])
def test_a_folder_without_a_run(tmp_path, verb):
    with pytest.raises(FileNotFoundError, match="kgen train.*Received: .*nothing"):
        verb(str(tmp_path / "nothing"))


def test_load_gives_the_model_of_the_last_epoch(whole, copy):
    this = runs.load(str(whole))
    assert this.folder == str(whole) and this.config["model"] == "vae"
    assert this.path("a", "b") == os.path.join(str(whole), "a", "b")
    assert this.data().batch_size == 300
    assert int(this.model.optimizer.iterations) == 3 * 5
    (copy / "model.keras").unlink()
    assert int(runs.load(str(copy)).model.optimizer.iterations) == 15
    shutil.rmtree(copy / "checkpoint")
    shutil.copy(whole / "model.keras", copy)
    assert int(runs.load(str(copy)).model.optimizer.iterations) == 15


def test_samples_repeat_with_a_seed(whole, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(3)]
    for path, seed in zip(paths, (4, 4, 5), strict=True):
        assert runs.sample(str(whole), num=9, seed=seed, out=path) == path
    a, b, c = (np.asarray(Image.open(path)) for path in paths)
    assert a.shape == (28 * 6, 28 * 6)
    assert (a == b).all() and (a != c).any()


def test_pictures_go_into_the_run_beside_those_of_the_training(copy):
    before = files(copy)
    assert runs.sample(str(copy), num=1, seed=3) == str(copy / "samples-seed-3.png")
    assert runs.reconstruct(str(copy), num=3) == str(copy / "reconstructions-of-3.png")
    assert Image.open(copy / "samples-seed-3.png").size == (60, 60)
    assert Image.open(copy / "reconstructions-of-3.png").size == (73 * 6, 19 * 6)
    drawn = [runs.sample(str(copy), num=1) for _ in range(2)]
    seed = int(re.search(r"samples-seed-(\d+).png$", drawn[0])[1])
    again = runs.sample(str(copy), num=1, seed=seed, out=str(copy / "again.png"))
    assert drawn[0] != drawn[1] and filecmp.cmp(drawn[0], again, shallow=False)
    assert files(copy).items() > before.items()


def test_reconstructions_show_the_first_test_images(whole, tmp_path):
    path = runs.reconstruct(str(whole), num=2, out=str(tmp_path / "pairs.png"))
    images = runs.load(str(whole)).data().test.take(2)[0]
    picture = np.asarray(Image.open(path))
    np.testing.assert_array_equal(picture[6:54:6, 6:54:6], images[0, ..., 0])
    np.testing.assert_array_equal(picture[6:54:6, 60:108:6], images[1, ..., 0])


@pytest.fixture(scope="module")
def autoregressive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "gated"
    settings = {"levels": 17, "width": 4, "depth": 1, "conditional": True, "batch_size": 500}
    runs.train("gated_pixelcnn", run=str(folder), epochs=1, **settings)
    return folder


def test_a_run_completes_images(autoregressive, tmp_path):
    assert (autoregressive / "completions.png").exists()
    figures = tiny.results(autoregressive)
    assert figures["bits_per_dim"] == pytest.approx(
        -figures["log_likelihood"] / (64 * np.log(2)), rel=1e-6
    )
    before = files(autoregressive)
    made = runs.complete(str(autoregressive), num=1, copies=1, seed=3)
    assert made == str(autoregressive / "completions-seed-3.png")
    os.unlink(made)
    assert files(autoregressive) == before
    path = runs.complete(str(autoregressive), num=2, copies=3, out=str(tmp_path / "two.png"))
    picture = np.asarray(Image.open(path))
    assert picture.shape == (19 * 6, 46 * 6)
    assert (picture[31:54, 6:54] == 128).all()  # hidden
    images = runs.load(str(autoregressive)).data().test.take(2)[0]
    np.testing.assert_array_equal(picture[6:54:6, -54:-6:6], images[0, ..., 0])
    given = {"num": 3, "copies": 1, "seed": 0, "out": str(tmp_path / "three.png")}
    for labels in ((7,), (7, 7, 7), (7, 3)):  # in turn
        runs.complete(str(autoregressive), labels=labels, **given)


def test_a_run_completes_a_file(autoregressive, tmp_path, capsys):
    image, mask = (str(tmp_path / f"{name}.png") for name in ("image", "mask"))
    Image.fromarray(np.full((16, 20), 239, "uint8")).save(image)
    left = np.zeros((8, 8), "uint8")
    left[:, :4] = 255
    Image.fromarray(left).save(mask)
    path = runs.complete(
        str(autoregressive), image, mask, labels=(7,), copies=1, seed=0, out=str(tmp_path / "a.png")
    )
    told = (
        f"{image} of 16x20 is scaled, and cropped at its sides, to 8x8, as the model's images are"
    )
    assert capsys.readouterr().out.splitlines() == [told, f"Wrote {path}"]
    picture = np.asarray(Image.open(path))
    assert picture.shape == (10 * 6, 28 * 6)
    assert (picture[6:54, 6:30] == 128).all() and (picture[6:54, 30:54] == 239).all()
    assert (picture[6:54, 84:108] == 239).all() and (picture[6:54, 60:84] != 128).any()
    with pytest.raises(ValueError, match="labels in 0..9.*no labels"):
        runs.complete(str(autoregressive), image)
    with pytest.raises(ValueError, match="Expected num, of test images, or image"):
        runs.complete(str(autoregressive), image, labels=(7,), num=2)
    Image.fromarray(np.zeros((20, 16), "uint8")).save(mask)
    with pytest.raises(ValueError, match=r"\[\(8, 8\), \(16, 20\)\].*of \(20, 16\)"):
        runs.complete(str(autoregressive), image, mask, labels=(7,))
    with open(image, "r+b") as file:
        file.truncate(48)  # the header is whole
    with pytest.raises(
        ValueError, match="image=.*image.png, which cannot be read: image file is tr"
    ):
        runs.complete(str(autoregressive), image, labels=(7,))


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ((8, 8), ""),
        ((4, 4), r"a\nb.png of 4x4 is scaled to 8x8, as the model's images are" + "\n"),
        (
            (3000, 2000),
            r"a\nb.png of 3000x2000 is scaled, and cropped at its sides, to 8x8, as the model's "
            "images are\n",
        ),
    ],
)
def test_what_becomes_of_an_image_of_another_size_is_told(capsys, size, told):
    results._tell_of_resizing("a\nb.png", size, (8, 8))
    assert capsys.readouterr().out == told


@pytest.mark.parametrize("argument", ["image", "mask"])
def test_files_that_are_no_images(autoregressive, tmp_path, monkeypatch, argument):
    monkeypatch.setattr(results, "load", lambda *_: pytest.fail("read the run first"))
    (tmp_path / "words.png").write_text("words")
    for name, message in (("none.png", "none.png$"), (".", "/[.]$"), ("words.png", "be read: ")):
        given = {argument: os.path.join(tmp_path, name)}
        message = f"Expected {argument} as an .*image file. Received: {argument}=.*{message}"
        with pytest.raises((ValueError, OSError), match=message):
            runs.complete(str(autoregressive), **given)


@pytest.mark.one_backend
def test_almost_no_temperature_leaves_one_choice(autoregressive, tmp_path):
    run, out = str(autoregressive), str(tmp_path / "cold.png")
    for command, arguments in ((runs.sample, {"labels": (3,)}), (runs.complete, {"copies": 1})):
        cold, other, warm = (
            np.asarray(Image.open(command(run, num=1, seed=seed, out=out, **arguments, **call)))
            for seed, call in ((0, {"temperature": 1e-6}), (1, {"temperature": 1e-6}), (0, {}))
        )
        np.testing.assert_array_equal(cold, other)
        assert (cold != warm).any()


def test_a_model_that_completes_nothing(whole):
    with pytest.raises(ValueError, match="a model that can complete. Received: VAE"):
        runs.complete(str(whole))
    with pytest.raises(ValueError, match="a model whose sample takes temperature. Received: VAE"):
        runs.sample(str(whole), temperature=0.5)


def test_an_exact_likelihood_has_no_bound(autoregressive):
    with pytest.raises(ValueError, match="whose log_likelihood takes num_samples"):
        runs.evaluate(str(autoregressive), num_samples=5)


def test_evaluate(whole, capsys, tmp_path):
    figures = runs.evaluate(str(whole), num_samples=20, out=str(tmp_path / "results.json"))
    written = json.loads((tmp_path / "results.json").read_text())
    assert len(written.pop("weights")) == 64 and figures == written
    bound = figures.pop("log_likelihood_20")
    assert 0.0 < figures.pop("log_likelihood_20_standard_error") < 3.0
    assert figures == tiny.results(whole)
    # Of one image in the mean; the noise of the binarization is left.
    assert bound == pytest.approx(figures["elbo"], rel=0.03)
    out = capsys.readouterr().out
    assert f"{bound:,.6g}" in out and "log_likelihood_20" in out


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        (runs.sample, {"num": 0}, "num=0"),
        (runs.sample, {"labels": (1,)}, "no labels, as the model is unconditional"),
        (runs.reconstruct, {"num": 0}, "num=0"),
        (runs.evaluate, {"num_samples": 0}, "num_samples=0"),
    ],
)
def test_bad_verbs(whole, verb, arguments, message):
    before = files(whole)
    with pytest.raises(ValueError, match=message):
        verb(str(whole), **arguments)
    assert files(whole) == before


def test_a_conditional_run(tmp_path):
    folder = tmp_path / "run"
    this = train(folder, conditional=True, batch_size=1500)
    assert this.model.num_classes == 10
    assert Image.open(folder / "samples.png").size == ((6 * 9 + 1) * 6, (10 * 9 + 1) * 6)
    classes = []
    for label in (3, 7):
        path = str(tmp_path / f"{label}.png")
        runs.sample(str(folder), num=4, labels=(label,), seed=0, out=path)
        classes.append(np.asarray(Image.open(path)))
    assert classes[0].shape == (10 * 6, (4 * 9 + 1) * 6)
    assert (classes[0] != classes[1]).any()
    with pytest.raises(ValueError, match=r"labels in 0..9. Received: labels in 12..12"):
        runs.sample(str(folder), labels=(12,))
    figures = runs.evaluate(str(folder), num_samples=1)
    assert np.isfinite(list(figures.values())).all()
    runs.reconstruct(str(folder), num=2)


@pytest.mark.each_backend
def test_half_precision(tmp_path):
    settings = {"model": "autoencoder", "batch_size": 1500, "precision": "mixed_bfloat16"}
    train(tmp_path / "run", **settings)
    assert keras.config.dtype_policy().name == "float32"
    model = train(tmp_path / "run", epochs=2, **settings).model
    dtypes = {layer.compute_dtype for layer in model.decoder.layers}
    assert "bfloat16" in dtypes
    assert {v.dtype for v in model.trainable_variables} == {"float32"}
    assert len(rows(tmp_path / "run")) == 1 + 2


@pytest.fixture
def folder_of_images(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for i, image in enumerate(np.random.default_rng(0).integers(0, 256, (20, 9, 6, 3), "uint8")):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    return folder


def test_a_folder_of_images(tmp_path, folder_of_images):
    this = train(
        tmp_path / "run",
        dataset=str(folder_of_images),
        batch_size=6,
        image_size=4,
        likelihood="normal",
    )
    assert this.model.image_shape == (4, 4, 3)
    assert Image.open(tmp_path / "run" / "samples.png").mode == "RGB"
    figures = tiny.results(tmp_path / "run")
    assert figures["test_images"] == 2 and "bits_per_dim" not in figures


def test_labels_are_needed_for_a_conditional_run(tmp_path, folder_of_images):
    with pytest.raises(ValueError, match="data set with labels.*faces, which has none"):
        train(tmp_path / "run", dataset=str(folder_of_images), conditional=True)
    assert not (tmp_path / "run").exists()


def test_an_autoencoder_of_an_npz_in_the_default_folder(tmp_path, monkeypatch, digits):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "few.npz", images=digits[0], labels=digits[1])
    this = runs.train(
        "autoencoder", "few.npz", epochs=1, batch_size=30, latent_dim=2, learning_rate=0.25
    )
    assert this.folder == os.path.join("runs", "autoencoder-few")
    names = files(tmp_path / "runs" / "autoencoder-few")
    assert {"model.keras", "reconstructions.png", "results.json"} < set(names)
    assert not [name for name in names if name.startswith("samples")]
    assert float(this.model.optimizer.learning_rate) == 0.25
    loaded = runs.load(this.folder)
    assert isinstance(loaded.model, kgen.Autoencoder)
    assert float(loaded.model.optimizer.learning_rate) == 0.25
    with pytest.raises(ValueError, match="a model that can log_likelihood"):
        runs.evaluate(this.folder, num_samples=5)


@pytest.mark.full
def test_an_info_gan_run_goes_on_and_shows_its_codes(tmp_path):
    settings = {"model": "infogan", "categorical": (3,), "continuous": 1, "learning_rate": 1e-3}
    train(tmp_path, epochs=1, **settings)
    assert "codes.png" in files(tmp_path)
    rates = [o.learning_rate for o in runs.load(str(tmp_path)).model.optimizer.optimizers]
    rates = [float(keras.ops.convert_to_numpy(rate)) for rate in rates]
    np.testing.assert_allclose(rates, [1e-3, 5e-3], rtol=1e-5)  # in the paper's ratio
    train(tmp_path, epochs=2, **settings)
    assert len(rows(tmp_path)) == 1 + 2
    with pytest.raises(ValueError, match=r"categorical: \[3\] in the folder, \[4\] now"):
        train(tmp_path, epochs=3, **settings | {"categorical": (4,)})


@pytest.mark.one_backend
@pytest.mark.parametrize("case", in_tiers(COMMANDS, quick=[ZOO["gan"]], on_each=[]), ids=repr)
def test_every_model_runs(tmp_path, digits, case):
    images, labels = digits
    np.savez(tmp_path / "few.npz", images=images[:44], labels=labels[:44])
    folder = tmp_path / "run"
    arguments = {"dataset": str(tmp_path / "few.npz"), "batch_size": 10} | case.settings
    runs.train(case.command, run=str(folder), epochs=1, **arguments)
    expected = {"samples.png"} if case.samples else {"reconstructions.png"}
    assert {"model.keras", "results.json"} | expected <= {f.name for f in folder.iterdir()}
    figures = tiny.results(folder)
    assert figures["test_images"] == 4 and np.isfinite(list(figures.values())).all()
    assert len(rows(folder)) == 1 + 1


def test_a_run_has_the_callbacks_that_report(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(kgen.GAN, "fit", lambda *_, callbacks, **__: seen.extend(callbacks))
    monkeypatch.setattr(training, "write_results", lambda *_: None)
    train(tmp_path, model="gan")
    assert {callbacks.StopOnNaN, callbacks.StuckDiscriminator} <= {type(each) for each in seen}
    assert isinstance(seen[-1], callbacks.Backup)


@pytest.mark.parametrize(
    ("model", "batch_size", "conditional"),
    [("cgan", 128, True), ("wgan_gp", 250, False), ("gan", 100, False), ("vae", 50, False)],
)
def test_defaults_of_a_model(tmp_path, monkeypatch, model, batch_size, conditional):
    monkeypatch.setattr(training, "_fit", lambda *_: None)
    monkeypatch.setattr(training, "write_results", lambda *_: None)
    run = runs.train(model, run=str(tmp_path))
    assert run.config["data"]["batch_size"] == batch_size
    assert run.config["conditional"] is conditional
    assert (run.model.num_classes == 10) is conditional
