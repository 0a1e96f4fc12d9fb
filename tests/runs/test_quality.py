"""Figures of samples of a run: while it trains, after it, and the best model by them."""

import json
import os
import shutil
from contextlib import nullcontext

import numpy as np
import pytest

import kgen
from kgen import runs
from kgen.callbacks import evaluate as callback
from kgen.keras_file import read_notes
from kgen.metrics.features import Classifier
from kgen.runs import exporting, quality
from kgen.runs.config import require_config
from kgen.runs.folder import read_history

SETTINGS = {"dataset": "digits", "batch_size": 300, "latent_dim": 2}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A classifier of few steps."""
    train = Classifier.train
    monkeypatch.setattr(
        "kgen.metrics.evaluation.Classifier.train",
        lambda data, steps=30: train(data, steps=steps),
    )


def train(folder, epochs=2, **kwargs):
    return runs.train("vae", run=str(folder), epochs=epochs, **(SETTINGS | kwargs))


def column(folder, name):
    header, rows = read_history(folder / "history.csv")
    return [float(row[header.index(name)]) for row in rows]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        original = Classifier.train
        patch.setattr(
            "kgen.metrics.evaluation.Classifier.train", lambda data: original(data, steps=30)
        )
        folder = tmp_path_factory.mktemp("runs") / "vae"
        train(folder, epochs=3, evaluate=("kid", "log_likelihood"), evaluate_every=1)
    return folder


def test_a_training_logs_the_figures_and_keeps_its_best(run):
    kid = column(run, "val_kid")
    assert len(set(kid)) == 3 and len(column(run, "val_log_likelihood")) == 3
    assert read_notes(run / "best" / "model.keras")["figures"]["val_kid"] == min(kid)
    assert (run / "classifier.npz").exists()
    best = kgen.load(str(run / "best"))
    found = kgen.metrics.Evaluation(
        kgen.data.load("digits"), ["kid"], Classifier.load(run / "classifier.npz"), num=1000
    )(best)
    assert found.values["kid"] == pytest.approx(min(kid), rel=1e-3)


def test_a_training_that_goes_on_keeps_the_better(tmp_path, monkeypatch):
    values = iter([2.0, 1.0, 1.5, 0.5, 0.75])

    def played(self, model):
        return kgen.metrics.SampleFigures({"kid": next(values)}, {}, {})

    monkeypatch.setattr(callback.Evaluation, "__call__", played)
    for epochs, best in ((2, 1.0), (3, 1.0), (5, 0.5)):
        train(tmp_path / "run", epochs, evaluate=("kid",), evaluate_every=1)
        notes = read_notes(tmp_path / "run" / "best" / "model.keras")
        assert notes["figures"]["val_kid"] == best
    assert column(tmp_path / "run", "val_kid") == [2.0, 1.0, 1.5, 0.5, 0.75]


def test_a_run_without_figures_is_as_it_was(tmp_path):
    train(tmp_path / "run", 1)
    assert not (tmp_path / "run" / "best").exists()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    del config["evaluate"]  # as of an earlier kgen
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    train(tmp_path / "run", 2)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["evaluate"] is None


def test_a_training_goes_on_with_other_figures(tmp_path, monkeypatch):
    values = iter(
        [
            {"kid": 2.0},
            {"kid": 3.0},
            {"class_score": 0.5, "kid": 4.0},
            {"class_score": 0.25, "kid": 1.0},
        ]
    )

    def played(self, model):
        return kgen.metrics.SampleFigures(next(values), {}, {})

    monkeypatch.setattr(callback.Evaluation, "__call__", played)
    folder = tmp_path / "run"

    def goes_on(epochs, *kept, **given):
        """Trains on, to `best` of these figures; returns what the folder evaluates."""
        every = {"evaluate_every": 1} if kept and given.get("evaluate") != () else {}
        train(folder, epochs, **every | given)
        best = folder / "best" / "model.keras"
        figures = read_notes(best)["figures"] if best.exists() else {}
        assert (figures.get("val_kid"), figures.get("val_class_score")) == (kept or (None, None))
        return json.loads((folder / "config.json").read_text())["evaluate"]

    assert goes_on(1) is None
    assert goes_on(2, 2.0, None, evaluate=("kid",)) == ["kid"]
    assert goes_on(3, 2.0, None) == ["kid"]
    assert goes_on(5, 4.0, 0.5, evaluate=("class_score", "kid")) == ["class_score", "kid"]
    assert goes_on(6, 4.0, 0.5, evaluate=()) is None
    header, rows = read_history(folder / "history.csv")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    assert columns["epoch"] == tuple("012345")
    assert columns["val_kid"] == ("NA", "2.0", "3.0", "4.0", "1.0", "NA")
    assert columns["val_class_score"] == ("NA", "NA", "NA", "0.5", "0.25", "NA")
    assert "NA" not in columns["loss"] + columns["val_loss"]


def test_the_figures_of_a_run(run, capsys):
    found = runs.evaluate(str(run), metrics=("frechet_distance", "class_score"), num=50)
    samples = found["samples"]
    assert samples["protocol"]["num_fake"] == 50 and samples["protocol"]["num_real"] == 50
    assert samples["values"].keys() == {"frechet_distance", "class_score", "class_score_std"}
    written = json.loads((run / "results.json").read_text())
    assert len(written.pop("weights")) == 64 and written == found
    printed = capsys.readouterr().out
    assert "real images" in printed and "features a classifier of digits, accuracy" in printed
    assert f"{samples['values']['frechet_distance']:.6g}" in printed
    again = runs.evaluate(str(run), metrics=("frechet_distance",), num=50, out=str(run / "o.json"))
    assert again["samples"]["protocol"].items() <= samples["protocol"].items()  # of one classifier


def test_features_beside_a_likelihood_alone_are_refused(run):
    with pytest.raises(ValueError, match="Expected no features beside log_likelihood alone"):
        runs.evaluate(str(run), metrics=("log_likelihood",), num=20, features="pixels")


def test_figures_of_the_same_weights_are_added(run, tmp_path):
    out = tmp_path / "o.json"

    def evaluate(**given):
        runs.evaluate(str(run), out=str(out), features="pixels", **given)
        return json.loads(out.read_text())

    first = evaluate(metrics=("kid",), num=20)
    second = evaluate(metrics=("sliced_wasserstein",), num=20)
    assert second["samples"]["values"].keys() == {"kid", "kid_std", "sliced_wasserstein"}
    assert second["samples"]["protocol"] == first["samples"]["protocol"]
    third = evaluate(metrics=("memorization_distance",), num=20)["samples"]
    assert third["values"].keys() == second["samples"]["values"].keys() | {"memorization_distance"}
    assert third["protocol"].items() > first["samples"]["protocol"].items()
    fourth = evaluate(metrics=("sliced_wasserstein",), num=20)["samples"]
    assert fourth == third
    others = evaluate(metrics=("kid",), num=30)["samples"]  # by another protocol
    assert others["values"].keys() == {"kid", "kid_std"} and others["protocol"]["num_fake"] == 30
    out.write_text(json.dumps(first | {"steps": 0}))
    assert evaluate(metrics=("sliced_wasserstein",), num=20)["samples"]["values"].keys() == {
        "sliced_wasserstein"
    }
    out.write_text(json.dumps(first | {"weights": "of another run of as many steps"}))
    assert "kid" not in evaluate(metrics=("sliced_wasserstein",), num=20)["samples"]["values"]
    for another in ("[", "[1]", '{"mine": {}}', json.dumps(first | {"samples": {}})):
        out.write_text(another)
        assert evaluate(metrics=("kid",), num=20) == first


def test_a_training_that_had_nothing_left_to_do_keeps_the_figures(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    runs.evaluate(str(copy), metrics=("kid",), num=20, features="pixels")
    before = json.loads((copy / "results.json").read_text())
    train(copy, epochs=3)
    assert json.loads((copy / "results.json").read_text()) == before
    train(copy, epochs=4)
    assert "samples" not in json.loads((copy / "results.json").read_text())


def test_a_classifier_that_cannot_be_kept_judges_all_the_same(run, tmp_path, monkeypatch):
    def save(self, path):
        raise OSError(30, "Read-only file system", path)

    copy = shutil.copytree(run, tmp_path / "run")
    (copy / "classifier.npz").unlink()
    monkeypatch.setattr(Classifier, "save", save)
    with pytest.warns(UserWarning, match="classifier is not kept.*Read-only"):
        found = runs.evaluate(str(copy), metrics=("kid",), num=20, out=str(tmp_path / "o"))
    assert "a classifier of digits" in found["samples"]["protocol"]["features"]


@pytest.mark.parametrize("features", ["pixels", "classifier.npz"])
def test_features_by_name(run, features, tmp_path):
    name = str(run / features) if "." in features else features
    found = runs.evaluate(
        str(run), metrics=("kid",), num=20, features=name, split="train", out=str(tmp_path / "o")
    )
    assert found["samples"]["protocol"]["split"] == "train"
    expected = "pixels" if features == "pixels" else "a classifier of digits"
    assert found["samples"]["protocol"]["features"] == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metrics": ("fid",)}, "Received: fid"),
        ({"metrics": ("kid",), "features": "inception"}, "features of classifier, efficientnet"),
        ({"metrics": ("kid",), "features": "inception.pth"}, "existing file: .*the .pth of FID's"),
        ({"metrics": ("kid",), "split": "all"}, "'test' or 'train'"),
        ({"metrics": ("kid",), "num": 1}, "num as a whole number"),
        ({"features": "pixels"}, "Expected metrics, for features"),
        ({"num": 3, "split": "train"}, "Expected metrics, for num and split"),
    ],
)
def test_what_cannot_be_evaluated(run, given, message):
    before = (run / "results.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        runs.evaluate(str(run), **given)
    assert (run / "results.json").read_bytes() == before


@pytest.mark.parametrize("command", [runs.evaluate, runs.compare])
def test_a_folder_in_the_files_place_is_refused_first(run, tmp_path, monkeypatch, command):
    monkeypatch.setattr(f"kgen.runs.{command.__module__.split('.')[-1]}.load", pytest.fail)
    with pytest.raises(IsADirectoryError, match="which is a folder"):
        command(str(run), metrics=("kid",), out=str(tmp_path))
    assert os.listdir(tmp_path) == []


def test_the_best_model_is_exported_and_published(run, tmp_path):
    best = str(run / "best")
    with exporting.copied(exporting.trained_file(best)) as (_, notes):
        about = exporting._about(require_config(best), notes)
    kid = notes["figures"]["val_kid"]
    assert f"kid {kid:.6g}" in about and "val_" not in about and "1500 images" in about
    published = runs.publish(best, str(tmp_path / "published"))
    again = kgen.load(published).get_weights()
    assert all(map(np.array_equal, kgen.load(best).get_weights(), again))
    runs.sample(best, num=2, seed=0, out=str(tmp_path / "many"))
    assert len(list((tmp_path / "many").glob("*.png"))) == 2


def test_epochs_between_evaluations_go_on_where_a_training_stopped(tmp_path, monkeypatch):
    """Whether it stopped or not, an epoch is evaluated, or logs what the last one had."""
    values = iter(range(1, 9))

    def played(self, model):
        return kgen.metrics.SampleFigures({"kid": next(values) / 3, "kid_std": 0.0}, {}, {})

    monkeypatch.setattr(callback.Evaluation, "__call__", played)
    folder, given = tmp_path / "run", {"evaluate": ("kid",), "evaluate_every": 3}
    given["backup_steps"] = 5  # an epoch
    stop_at = [None]

    def stop(self, epoch, logs=None):
        if epoch + 1 == stop_at[0]:
            raise KeyboardInterrupt

    monkeypatch.setattr(callback.Evaluate, "on_epoch_begin", stop, raising=False)
    for stop_at[0] in (3, 6):
        with pytest.raises(KeyboardInterrupt):
            train(folder, 7, **given)
    stop_at[0] = None
    train(folder, 7, **given)
    thirds = [value * 3 for value in column(folder, "val_kid")]
    assert thirds == pytest.approx([1, 1, 2, 2, 2, 3, 4])


def test_figures_of_earlier_weights_choose_no_best(tmp_path, monkeypatch):
    """As of a training that was killed between an evaluation and the writing of its best."""
    values = iter([1.0, 3.0, 2.0])

    def played(self, model):
        return kgen.metrics.SampleFigures({"kid": next(values), "kid_std": 0.0}, {}, {})

    monkeypatch.setattr(callback.Evaluation, "__call__", played)
    train(tmp_path / "run", 1, evaluate=("kid",), evaluate_every=3)
    shutil.rmtree(tmp_path / "run" / "best")
    train(tmp_path / "run", 5, evaluate=("kid",), evaluate_every=3)
    assert column(tmp_path / "run", "val_kid") == [1.0, 1.0, 3.0, 3.0, 2.0]
    notes = read_notes(tmp_path / "run" / "best" / "model.keras")
    assert (notes["epoch"], notes["figures"]["val_kid"]) == (5, 2.0)


def test_a_training_of_unknown_metrics_leaves_no_folder(tmp_path):
    with pytest.raises(ValueError, match="Received: fid"):
        train(tmp_path / "run", evaluate=("fid",))
    assert not (tmp_path / "run").exists()


def test_epochs_whose_figures_fail_have_their_row(tmp_path, monkeypatch):
    values = iter([None, 1.0, 2.0, None, 3.0])

    def played(self, model):
        value = next(values)
        if value is None:
            raise ValueError("no images")
        return kgen.metrics.SampleFigures({"kid": value, "kid_std": 0.0}, {}, {})

    monkeypatch.setattr(callback.Evaluation, "__call__", played)
    folder = tmp_path / "run"
    for epochs in (1, 3, 5):
        with pytest.warns(UserWarning, match="no figures") if epochs != 3 else nullcontext():
            train(folder, epochs, evaluate=("kid",), evaluate_every=1)
    header, rows = read_history(folder / "history.csv")
    kid = [row[header.index("val_kid")] for row in rows]
    assert kid == ["NA", "1.0", "2.0", "NA", "3.0"]
    assert (folder / "losses.png").exists()


def test_a_best_model_is_judged_as_its_run_is(run, tmp_path):
    before = (run / "classifier.npz").read_bytes()
    found = runs.evaluate(str(run / "best"), metrics=("kid",), num=20, out=str(tmp_path / "o"))
    sha = Classifier.load(run / "classifier.npz").notes["sha256"]
    assert found["samples"]["protocol"]["sha256"] == sha
    assert not (run / "best" / "classifier.npz").exists()
    assert (run / "classifier.npz").read_bytes() == before


def test_a_classifier_that_is_damaged_or_of_other_data_is_trained_anew(run, tmp_path):
    here = shutil.copytree(run, tmp_path / "run")
    (here / "classifier.npz").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="takes the place of one that is damaged"):
        runs.evaluate(str(here), metrics=("kid",), num=20)
    rng = np.random.default_rng(0)
    other = kgen.data.load((rng.random((40, 8, 8, 1)), np.arange(40) % 10))
    Classifier.train(other, steps=1).save(here / "classifier.npz")
    found = runs.evaluate(str(here), metrics=("kid",), num=20)
    assert found["samples"]["protocol"]["features"] == "a classifier of digits"
    assert Classifier.load(here / "classifier.npz").name == "a classifier of digits"
    another = kgen.data.load((rng.random((40, 8, 8, 1)), np.arange(40) % 10))
    made = Classifier.train(other, steps=1)
    assert made.is_of(other) and not made.is_of(another)  # though both are "arrays"


def test_a_likelihood_needs_no_classifier(run, tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "features_of", None)
    found = runs.evaluate(
        str(run), metrics=("log_likelihood",), num=10, out=str(tmp_path / "o.json")
    )
    names = {"log_likelihood", "log_likelihood_standard_error"}
    assert found["samples"]["values"].keys() == names


def test_a_gan_has_no_likelihood(tmp_path):
    with pytest.raises(ValueError, match="a model that can log_likelihood"):
        runs.train(
            "gan", run=str(tmp_path / "run"), epochs=1, batch_size=300, evaluate="log_likelihood"
        )
    assert not (tmp_path / "run").exists()


def test_the_table_says_what_figures_are_of():
    figures = kgen.metrics.SampleFigures(
        {"kid": 1.5, "log_likelihood": -80.25}, {"kid": 0.125}, {"features": "x", "sha256": "0"}
    )
    lines = quality.table(figures).splitlines()
    assert [line.split() for line in lines] == [
        ["samples", "real", "images"],
        ["kid", "1.5", "0.125"],
        ["log_likelihood", "-80.25"],
        ["of", "features", "x"],
    ]
    assert np.all([line == line.rstrip() for line in lines])
