"""examples/notebooks: what is stored is of the sources, fit to be shown, and runs."""

import json
import os
import re

import keras
import pytest

jupytext = pytest.importorskip("jupytext")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")

from tests.examples.conftest import EXAMPLES  # noqa: E402

FOLDER = EXAMPLES / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
ON = {"serving": "tensorflow", "vae": "tensorflow", "diffusion": "jax"}  # others on PyTorch
MACHINE_PATHS = re.compile(
    r"/(home|root|tmp|work|usr|opt|Users|mnt|var)/|site-packages|ipykernel_\d"
)


@pytest.fixture(scope="module")
def build(script):
    return script("notebooks/build.py")


@pytest.fixture(scope="module", params=NAMES)
def stored(request):
    return request.param, nbformat.read(FOLDER / f"{request.param}.ipynb", as_version=4)


def outputs(notebook):
    return [each for cell in notebook.cells for each in cell.get("outputs", ())]


def text_of(output):
    """What an output says in words, of every form it has."""
    data = {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
    return json.dumps([output.get("text"), data, output.get("traceback")])


def test_every_source_has_a_notebook(build):
    sources = {path.stem for path in FOLDER.glob("*.py")} - {"build", "first_cell"}
    assert sources == set(NAMES) == set(build["NOTEBOOKS"]) and len(NAMES) >= 7


def test_a_notebook_is_what_its_source_gives(stored, build):
    name, notebook = stored
    made = build["notebook"](name)
    assert [(c.cell_type, c.id, c.source) for c in notebook.cells] == [
        (c.cell_type, c.id, c.source) for c in made.cells
    ]
    nbformat.validate(notebook)


def test_the_first_cell_is_that_of_all(stored):
    name, notebook = stored
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    source = (FOLDER / "first_cell.py").read_text().split("# %%\n")[1].strip()
    assert first == source.replace('"first_cell"', f'"{name}"')


def test_every_cell_was_run_without_an_error(stored):
    _, notebook = stored
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [each for each in outputs(notebook) if each.output_type == "error"]
    assert any("image/png" in each.get("data", ()) for each in outputs(notebook))


def test_outputs_tell_nothing_of_the_machine_and_have_each_picture_once(stored):
    for output in outputs(stored[1]):
        assert not MACHINE_PATHS.search(text_of(output)), text_of(output)
        assert output.get("name") != "stderr"
        assert sum(form.startswith("image/") for form in output.get("data", ())) <= 1


def test_notebooks_are_small():
    sizes = [(FOLDER / f"{name}.ipynb").stat().st_size for name in NAMES]
    assert max(sizes) < 700_000 and sum(sizes) < 3_000_000, sizes


def test_badges_are_of_the_repository(build):
    badges = build["how_to_open"]("vae", "someone/kgen")
    path = "github.com/someone/kgen/blob/main/examples/notebooks/vae.ipynb"
    assert f"(https://kaggle.com/kernels/welcome?src=https://{path})" in badges
    assert f"(https://colab.research.google.com/{path.replace('.com', '', 1)})" in badges
    assert "`vae.ipynb`" in build["how_to_open"]("vae", None)


def test_kernels_for_kaggle(build, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build["write_kernel"]("vae", "someone")
    folder = tmp_path / "runs" / "kaggle" / "vae"
    metadata = json.loads((folder / "kernel-metadata.json").read_text())
    slug = re.sub(r"[^a-z0-9]+", "-", metadata["title"].lower())  # Kaggle's, which warns of another
    assert metadata["id"] == f"someone/{slug}" and len(metadata["title"]) >= 5
    assert metadata["kernel_type"] == "notebook" and metadata["language"] == "python"
    assert (folder / metadata["code_file"]).read_bytes() == (FOLDER / "vae.ipynb").read_bytes()


@pytest.mark.full
@pytest.mark.each_backend
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_from_a_clean_kernel(name, build, monkeypatch):
    wanted = ON.get(name, "torch")
    if keras.backend.backend() != wanted:
        pytest.skip(f"runs on {wanted}")
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent), prepend=os.pathsep)
    monkeypatch.setenv("KGEN_NOTEBOOK_QUICK", "1")
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    notebook = build["notebook"](name)
    build["run"](notebook)
    assert not [each for each in outputs(notebook) if each.output_type == "error"]
