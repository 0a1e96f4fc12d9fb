"""Trained models: by name, and published."""

import os
import pathlib
import shutil

import keras
import numpy as np
import pytest

import kgen
from kgen import runs
from kgen.cli import main
from kgen.runs import named, trained
from kgen.runs.config import require_config
from tests.runs.tiny import train
from tests.tiers import in_tiers

REPOSITORY = pathlib.Path(__file__).parents[2] / "saved_models"
TRAINED = sorted(each.parent.name for each in REPOSITORY.glob("*/model.keras"))
QUICK = ("digits", "mnist_dcgan", "mnist_gated_pixelcnn")


@pytest.mark.each_backend
@pytest.mark.parametrize("name", in_tiers(TRAINED, quick=QUICK, on_each=QUICK))
def test_the_repositorys_models_are_loaded(name):
    """With the oldest Keras too, where CI runs it."""
    model = kgen.load(str(REPOSITORY / name))
    images = model.sample(1, None if model.condition is None else 0, seed=0)
    assert images.shape == (1, *model.image_shape) and 0.01 < images.mean() < 0.99


@pytest.fixture
def published(run, tmp_path, monkeypatch):
    """The folder of a published model of the name "toy", in the current folder's saved_models."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(named, "_folders", lambda: [tmp_path / "saved_models"])
    return tmp_path / runs.publish(str(run), "saved_models/toy")


def test_a_published_model_has_no_optimizers_and_the_same_weights(run, published):
    before, after = runs.load(str(run)).model, kgen.load(str(published))
    assert all(map(np.array_equal, before.get_weights(), after.get_weights()))
    assert before.compiled and not after.compiled
    size = (run / "model.keras").stat().st_size
    assert (published / "model.keras").stat().st_size < 0.8 * size
    assert (published / "samples.png").exists() == (run / "samples.png").exists()
    assert not (published / "checkpoint").exists()


def test_a_name_is_loaded(published):
    images = np.zeros((2, 8, 8, 1), "float32")
    expected = kgen.load(str(published)).encode(images)
    np.testing.assert_array_equal(kgen.load("toy").encode(images), expected)
    file = kgen.load(str(published / "model.keras"))
    np.testing.assert_array_equal(file.encode(images), expected)
    assert require_config("toy")["model"] == "autoencoder"


def test_commands_take_a_name_and_write_beside_nothing(run, published, capsys):
    held = sorted(os.listdir(published))
    assert main(["kgen", "reconstruct", "toy", "--num", "4"]) == 0
    assert os.path.isfile("toy-reconstructions-of-4.png")
    assert sorted(os.listdir(published)) == held
    assert runs.evaluate("toy") == pytest.approx(runs.evaluate(str(run)))


def test_a_folder_comes_before_a_name(published, run):
    shutil.copytree(run, "toy")
    assert named.folder_of("toy") == "toy"
    assert named.written("toy", "a.png") == os.path.join("toy", "a.png")


def test_a_folder_of_something_else_hides_no_name(published):
    os.mkdir("toy")
    assert named.folder_of("toy") == str(published)
    assert named.written("toy", "a.png") == "toy-a.png"
    os.mkdir("tyo")
    with pytest.raises(FileNotFoundError, match="Received: tyo. Trained models: toy. Did you mean"):
        require_config("tyo")


@pytest.mark.parametrize("load", [kgen.load, require_config])
def test_the_nearest_names_of_an_unknown_one(published, load):
    with pytest.raises(FileNotFoundError, match="Received: tyo. Trained models: toy. Did you mean"):
        load("tyo")
    with pytest.raises(FileNotFoundError) as error:
        load("some/tyo")
    assert "Trained" not in str(error.value)


def test_where_there_are_none_it_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(named, "_folders", lambda: [tmp_path / "nothing"])
    with pytest.raises(FileNotFoundError, match="saved_models/ of kgen's repository.*KGEN_SAVED"):
        kgen.load("mnist_dcgan")


def test_the_variable_comes_first(published, tmp_path, monkeypatch):
    monkeypatch.undo()
    shutil.copytree(published, tmp_path / "others" / "toy")
    monkeypatch.chdir(tmp_path / "others")
    assert "toy" not in named.names()
    monkeypatch.setenv("KGEN_SAVED_MODELS", str(tmp_path / "others"))
    assert "toy" in named.names()
    monkeypatch.chdir(tmp_path)
    assert named.folder_of("toy") == str(tmp_path / "others" / "toy")


def test_a_published_model_is_not_trained_further(published):
    with pytest.raises(ValueError, match="published model without it. Go on with the run"):
        train(published, epochs=3)


def test_a_published_model_is_published_again(published):
    again = runs.publish("toy", "saved_models/again")
    assert kgen.load(again).get_weights()[0].tolist() == kgen.load("toy").get_weights()[0].tolist()
    with pytest.raises(ValueError, match="not a run's own"):
        runs.publish("toy", str(published))


def test_a_run_is_not_published_over_another(run, finished, published):
    other = shutil.copytree(finished, run.parent / "other")
    with pytest.raises(ValueError, match="not a run's own. Received: path=.*other"):
        runs.publish(str(run), str(other))
    assert runs.load(str(other)).model.compiled
    runs.publish(str(run), "saved_models/toy")  # again


@pytest.mark.parametrize("name", ["model.keras", "results.json"])
def test_files_of_others_are_not_written_over(run, tmp_path, name):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / name).write_text("precious")
    with pytest.raises(ValueError, match=f"own, which holds {name}"):
        runs.publish(str(run), str(tmp_path / "own"))
    assert (tmp_path / "own" / name).read_text() == "precious"
    (tmp_path / "own" / name).rename(tmp_path / "own" / "1")  # as an export's version
    runs.publish(str(run), str(tmp_path / "own"))


def test_a_longer_training_is_told_of(run, tmp_path, capsys):
    (run / "checkpoint" / "epoch-0009-batch-000000.keras").write_bytes(b"")
    runs.publish(str(run), str(tmp_path / "published"))
    assert "has 9 epochs of a training that is not finished" in capsys.readouterr().out


def test_arguments_that_older_keras_lacks_are_left_out(tmp_path):
    config = {"config": {"input_axes": None, "renorm": False, "units": 3}, "list": [{"renorm": 1}]}
    expected = {"config": {"units": 3}, "list": [{"renorm": 1}]}
    assert trained._without_later(config) == expected


def test_an_export_does_not_hide_a_name(published, tmp_path, monkeypatch):
    (tmp_path / "exports" / "toy" / "1").mkdir(parents=True)
    folders = [tmp_path / "exports", tmp_path / "saved_models", tmp_path / "saved_models"]
    monkeypatch.setattr(named, "_folders", lambda: folders)
    assert named.folder_of("toy") == str(published) and named.names() == ["toy"]


def test_only_a_finished_run_is_published(run):
    os.remove(run / "model.keras")
    with pytest.raises(FileNotFoundError, match="Expected a finished training"):
        runs.publish(str(run), "elsewhere")
    assert not os.path.exists("elsewhere")


@pytest.mark.parametrize("content", [b"", b"text"])
def test_a_file_that_is_no_model(tmp_path, content):
    (tmp_path / "a.keras").write_bytes(content)
    with pytest.raises(ValueError, match="Expected a model of this kgen.*a.keras"):
        kgen.load(str(tmp_path / "a.keras"))


def test_a_model_of_others(tmp_path):
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="model of kgen's.*a Sequential"):
        kgen.load(str(tmp_path / "a.keras"))


def test_averaged_weights_take_the_place_of_the_others(tmp_path):
    images = np.random.default_rng(0).random((32, 8, 8, 1), "float32")
    gan = kgen.DCGAN((8, 8, 1), latent_dim=4, width=4, ema_decay=0.9, seed=0)
    gan.compile()
    gan.fit(images, batch_size=16, verbose=0)
    published = gan.published()
    assert len(published.weights) < len(gan.weights) and published.ema_decay is None
    published.save(tmp_path / "a.keras")
    loaded = kgen.load(str(tmp_path / "a.keras"))
    for each in (published, loaded):
        np.testing.assert_allclose(each.sample(4, seed=1), gan.sample(4, seed=1), atol=1e-6)
