"""Makes the notebooks of their sources, and runs them.

    pip install '.[notebooks]'
    python examples/notebooks/build.py [NAME ...]

NAME.py in Jupyter's percent format becomes NAME.ipynb with the outputs of one run from a clean
kernel; a cell `# %% first_cell.py` stands for the cells of that file. Nobody edits an .ipynb. Where
the text alone changed, `--prose` keeps the outputs.

    python examples/notebooks/build.py --kaggle USERNAME [NAME ...]
    kaggle kernels push -p runs/kaggle/NAME

writes the .ipynb as it is, with the metadata of a kernel of that user, to runs/kaggle/NAME.
"""

import json
import os
import pathlib
import re
import shutil
import tempfile
import time
import tomllib

import jupytext
import nbformat
from absl import app, flags
from nbclient import NotebookClient

HERE = pathlib.Path(__file__).parent
PROJECT = HERE.parents[1] / "pyproject.toml"
NOTEBOOKS = {  # and their titles on Kaggle
    "vae": "kgen variational autoencoder",
    "what_a_latent_knows": "kgen what a latent knows",
    "gans": "kgen GAN to WGAN GP",
    "conditional": "kgen conditional GAN and InfoGAN",
    "pixelcnn": "kgen PixelCNN",
    "belief_nets": "kgen belief nets to PixelCNN",
    "diffusion": "kgen diffusion and flow matching",
    "your_own_images": "kgen on your own images",
    "your_own_model": "kgen models of your own",
    "serving": "kgen from notebook to TensorFlow Serving",
}
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}

PROSE = flags.DEFINE_boolean("prose", False, "Keep the outputs, where the text alone changed.")
KAGGLE = flags.DEFINE_string("kaggle", None, "A user of Kaggle, who gets kernels to push.")


def cells_of(name):
    """The cells of a source, without outputs."""
    cells = []
    for cell in jupytext.read(HERE / f"{name}.py", fmt="py:percent").cells:
        cells += cells_of("first_cell") if cell.metadata.get("title") == "first_cell.py" else [cell]
    return cells


def notebook(name):
    """The notebook of a source, without outputs."""
    cells = cells_of(name)
    cells[0].source += f"\n\n{how_to_open(name, repository())}"
    for number, cell in enumerate(cells):
        cell.id, cell.metadata = f"{name}-{number}", {}
        cell.source = cell.source.replace('NAME = "first_cell"', f'NAME = "{name}"')
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})


def repository():
    """OWNER/NAME of the project on GitHub, or None where pyproject.toml does not say it."""
    urls = tomllib.loads(PROJECT.read_text())["project"].get("urls", {})
    found = re.search(r"github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?$", urls.get("Repository", ""))
    return found and found[1]


def how_to_open(name, repository):
    """Badges that open a notebook in Kaggle and Colab, or how to do so with its file."""
    if repository is None:
        return (
            f"To run it elsewhere, give `{name}.ipynb` to Kaggle by *File > Import Notebook* or to "
            "Colab by *File > Upload notebook*."
        )
    path = f"{repository}/blob/main/examples/notebooks/{name}.ipynb"
    kaggle = f"https://kaggle.com/kernels/welcome?src=https://github.com/{path}"
    colab = f"https://colab.research.google.com/github/{path}"
    return (
        f"[![Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]({kaggle})\n"
        f"[![Colab](https://colab.research.google.com/assets/colab-badge.svg)]({colab})"
    )


def run(notebook):
    """Runs a notebook's cells in a clean kernel and an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=None,
            kernel_name=KERNEL["name"],
            resources={"metadata": {"path": folder}},
        ).execute()


def tidy(notebook):
    """Leaves outputs that a reader looks at: no progress bars or logs, a picture once."""
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("image/jpeg", None)
            if output.output_type == "stream":
                output.text = re.sub(r".*━.*\n?", "", output.text) * (output.name == "stdout")
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("text") != ""]
    notebook.metadata = {"kernelspec": KERNEL}


def keep_outputs(made, stored):
    """Takes over the outputs of a stored notebook whose code is the same."""
    cells = [[c for c in each.cells if c.cell_type == "code"] for each in (made, stored)]
    if [cell.source for cell in cells[0]] != [cell.source for cell in cells[1]]:
        raise app.UsageError("Expected the code as it was last run. Received: --prose")
    for new, old in zip(*cells, strict=True):
        new.outputs, new.execution_count = old.outputs, old.execution_count


def write_kernel(name, user):
    """Writes what `kaggle kernels push` takes."""
    folder = pathlib.Path("runs/kaggle", name)
    os.makedirs(folder, exist_ok=True)
    title = NOTEBOOKS[name]
    metadata = {
        "id": f"{user}/{title.lower().replace(' ', '-')}",
        "title": title,
        "code_file": f"{name}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        "enable_internet": True,
        "dataset_sources": [],
        "competition_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }
    (folder / "kernel-metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    shutil.copy(HERE / f"{name}.ipynb", folder)
    print(f"Wrote {folder}: kaggle kernels push -p {folder}")


def main(arguments):
    """Builds the notebooks that are named, or all."""
    names = arguments[1:] or NOTEBOOKS
    for name in names:
        if name not in NOTEBOOKS:
            raise app.UsageError(f"Expected some of {', '.join(NOTEBOOKS)}. Received: {name}")
    for name in names:
        if KAGGLE.value:
            write_kernel(name, KAGGLE.value)
            continue
        path, made, started = HERE / f"{name}.ipynb", notebook(name), time.monotonic()
        if PROSE.value:
            keep_outputs(made, nbformat.read(path, as_version=4))
        else:
            run(made)
        tidy(made)
        nbformat.write(made, path)
        seconds = time.monotonic() - started
        print(f"{path}: {seconds:.0f} s, {path.stat().st_size / 1024:.0f} KiB", flush=True)


if __name__ == "__main__":
    app.run(main)
