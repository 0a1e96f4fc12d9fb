"""Runs side by side: one row a setting, seeds as a spread, the same real images for all."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import kgen
from kgen import cli, metrics, runs
from kgen.metrics.features import Pixels

pytestmark = pytest.mark.anywhere

SETTINGS = {"dataset": "digits", "batch_size": 300, "epochs": 1}
GIVEN = {"metrics": ("frechet_distance",), "num": 40, "features": "pixels"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs a and b of two seeds, c of another setting, and d of other data."""
    folder = tmp_path_factory.mktemp("runs")
    for name, seed, latent_dim in (("a", 0, 2), ("b", 1, 2), ("c", 0, 3)):
        runs.train("vae", run=str(folder / name), seed=seed, latent_dim=latent_dim, **SETTINGS)
    other = SETTINGS | {"image_size": 12}
    runs.train("vae", run=str(folder / "d"), latent_dim=2, **other)
    return folder


def compared(folder, *names, **given):
    out = str(folder / "out" / "table.md")
    runs.compare(*(str(folder / name) for name in names), out=out, **(GIVEN | given))
    return open(out).read()


def rows(text):
    """The cells of a Markdown table, by the first of each row."""
    table = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return {cells[0].strip(): [each.strip() for each in cells[1:]] for cells in table[2:]}


def test_seeds_are_one_row_with_their_spread_the_best_first(folder):
    text = compared(folder, "a", "c", "b")
    found = rows(text)
    data = runs.load(str(folder / "a")).data()
    evaluation = metrics.Evaluation(data, ["frechet_distance"], Pixels(), num=40)
    a, b, c = (
        evaluation(runs.load(str(folder / name)).model).values["frechet_distance"] for name in "abc"
    )
    expected = f"{np.mean([a, b]):.4g} ± {np.std([a, b], ddof=1):.2g}"
    assert found["a (2 seeds)"] == ["5", expected] and found["c"] == ["5", f"{c:.4g}"]
    assert "features pixels" in text and "num_fake 40" in text and "num_real 40" in text
    is_first = (a + b) / 2 < c
    order = ["a (2 seeds)", "c"] if is_first else ["c", "a (2 seeds)"]
    assert list(found) == [*order, "real images in the samples' place"]
    order = "a; b; c" if is_first else "c; a; b"
    assert f"![Samples, a row a run: {order}](table.png)" in text
    reverse = rows(compared(folder, "a", "c", "b", metrics=("precision_recall",)))
    precision = [float(cells[1].split(" ")[0]) for cells in reverse.values()]
    assert precision[:2] == sorted(precision[:2], reverse=True)


def test_only_other_seeds_are_a_row(folder, tmp_path):
    here = shutil.copytree(folder, tmp_path / "runs")
    runs.train("vae", run=str(here / "b"), seed=1, latent_dim=2, **(SETTINGS | {"epochs": 2}))
    shutil.copytree(here / "c", here / "c" / "best")
    text = compared(here, "a", "b", "a", "c/best", "c")
    assert sorted(list(rows(text))[:-1]) == ["a", "b", "c", "c/best"]  # a twice
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 7


def test_the_pictures_are_a_row_a_run(folder):
    compared(folder, "a", "b", "c")
    with Image.open(folder / "out" / "table.png") as picture:
        width, height = picture.size
    assert round(width / height) == 3  # ten samples of each of three


def test_a_figure_over_subsets_says_so(folder):
    assert "(subsets ± " in rows(compared(folder, "a", metrics=("kid",)))["a"][1]


def test_the_classifier_is_the_first_runs(folder, tmp_path, monkeypatch):
    train = metrics.features.Classifier.train
    monkeypatch.setattr(
        "kgen.metrics.evaluation.Classifier.train", lambda data: train(data, steps=3)
    )
    here = shutil.copytree(folder, tmp_path / "runs")
    text = compared(here, "b", "a", features=None)
    kept = metrics.features.Classifier.load(here / "b" / "classifier.npz")
    assert kept.notes["sha256"] in text and not (here / "a" / "classifier.npz").exists()


def test_the_command(folder, tmp_path, capsys):
    out = str(tmp_path / "table.md")
    flags = ["--metrics", "frechet_distance", "--num", "20", "--features", "pixels", "--out", out]
    subjects = [str(folder / name) for name in "ac"]
    assert cli.main(["kgen", "compare", *subjects, *flags]) == 0
    assert sorted(list(rows(open(out).read()))[:-1]) == ["a", "c"]
    printed = capsys.readouterr().out
    assert f"{subjects[1]}: frechet_distance " in printed and f"Wrote {out}" in printed
    assert cli.main(["kgen", "compare"]) == 2
    assert "Expected `kgen compare RUN ...` and flags" in capsys.readouterr().err
    assert cli.main(["kgen", "evaluate", *subjects]) == 2


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        ("ad", {}, "Expected runs of one data set, as .*Received: .*d"),
        ("a", {"metrics": ("fid",)}, "Received: fid"),
        ("", {}, "at least one run"),
        ("ac", {"out": "table.png"}, "a text file, such as comparison.md. Received: 'table.png'"),
    ],
)
def test_what_cannot_be_compared(folder, tmp_path, names, given, message):
    given = GIVEN | {"out": str(tmp_path / "table.md")} | given
    with pytest.raises(ValueError, match=message):
        runs.compare(*(str(folder / name) for name in names), **given)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def diverged(monkeypatch):
    """Chooses the latent size of which samples are no images, or raise an error."""
    errors, sample = {}, kgen.VAE.sample

    def sampled(model, num, *args, **kwargs):
        images = sample(model, num, *args, **kwargs)
        if errors.get(model.latent_dim):
            raise errors[model.latent_dim]
        return np.full_like(images, np.nan) if model.latent_dim in errors else images

    monkeypatch.setattr(kgen.VAE, "sample", sampled)
    return lambda size, error=None: errors.update({size: error})


def test_a_run_without_figures_leaves_the_others_theirs(folder, diverged):
    alone = compared(folder, "a", "b")
    diverged(3)
    with pytest.warns(UserWarning, match=r"No figures of .*c: Expected finite"):
        text = compared(folder, "c", "a", "b")
    assert rows(text) == rows(alone)
    assert f"No figures of {folder / 'c'}: Expected finite" in text
    assert "a row a run: a; b]" in text


def test_whatever_a_run_fails_by_the_others_have_their_figures(folder, diverged):
    alone = compared(folder, "a", "b")
    diverged(3, MemoryError("no room"))
    with pytest.warns(UserWarning, match="No figures of .*c: MemoryError no room"):
        assert rows(compared(folder, "c", "a", "b")) == rows(alone)


def test_a_likelihood_has_its_standard_error_and_its_samples_are_images(folder, diverged):
    diverged(3)  # whose likelihood is one all the same
    with pytest.warns(UserWarning, match=r"No figures of .*c: Expected finite images"):
        text = compared(folder, "a", "c", metrics=("log_likelihood",), num=20, features=None)
    assert len(rows(text)["a"]) == 2 and "(standard error " in rows(text)["a"][1]
    assert "log_likelihood_of a bound of 100 draws" in text and "c" not in rows(text)


def test_data_are_the_same_wherever_they_lie(folder, tmp_path):
    here = shutil.copytree(folder, tmp_path / "runs")
    config = json.loads((here / "c" / "config.json").read_text())
    config["data"]["data_dir"] = "elsewhere"
    (here / "c" / "config.json").write_text(json.dumps(config))
    assert {"a", "c"} <= rows(compared(here, "a", "c")).keys()
    config["data_set"]["train_images"] -= 1
    (here / "c" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="runs of one data set"):
        compared(here, "a", "c")


def test_rows_of_one_name_are_told_apart(folder, tmp_path):
    for name in ("x", "y"):
        shutil.copytree(folder / "ac"[name == "y"], tmp_path / name / "vae")
    found = rows(compared(tmp_path, "x/vae", "y/vae"))
    assert {str(tmp_path / name / "vae") for name in ("x", "y")} <= found.keys()


def test_no_run_with_figures(folder, diverged, tmp_path):
    diverged(2)
    names = [str(folder / name) for name in "ab"]
    with (
        pytest.warns(UserWarning, match="No figures of"),
        pytest.raises(
            ValueError, match=r"a: Expected finite.* No figures of .*b: Expected"
        ) as raised,
    ):
        runs.compare(*names, out=str(tmp_path / "table.md"), **GIVEN)
    assert "Expected finite" in str(raised.value.__cause__)
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_none(folder):
    with pytest.raises(FileNotFoundError):
        compared(folder, "a", "none")
