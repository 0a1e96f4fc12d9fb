"""The site builds without a warning, and has what the package has."""

import importlib.util
import os
import re
import subprocess
import sys
import zlib

import keras
import pytest

import kgen
from kgen.runs.catalog import MODELS
from tests.docs import pages

EXTENSIONS = ("furo", "myst_nb", "sphinx", "sphinx_copybutton", "sphinx_design")
pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="one site is of all backends"),
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, EXTENSIONS)),
        reason="The site needs the extra `docs`: pip install '.[docs]'",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built by the command of CONTRIBUTING.md."""
    folder = tmp_path_factory.mktemp("site")
    (line,) = (line for line in pages.shell(pages.PAGES["CONTRIBUTING.md"]) if "sphinx" in line)
    command = [sys.executable, *line.split()[1:-1], str(folder)]
    env = os.environ | {"PYTHONPATH": str(pages.ROOT)}
    done = subprocess.run(
        command, cwd=pages.ROOT, capture_output=True, text=True, check=False, env=env
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def test_it_has_every_public_name(site):
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    documented = {line.split()[0] for line in zlib.decompress(inventory).decode().splitlines()}
    for room in kgen.__all__:
        names = getattr(getattr(kgen, room), "__all__", ())
        found = {f"kgen.{room}.{name}" for name in names if not name.isupper()} or {f"kgen.{room}"}
        assert found <= documented, found - documented


@pytest.mark.parametrize("name", MODELS)
def test_a_models_page_has_its_paper_and_its_arguments(site, name):
    page = (site / "docs" / "models" / f"{name}.html").read_text()
    model_class = getattr(kgen, MODELS[name])
    url = re.search(r"https://\S+", model_class.__doc__.partition("Reference:")[2])[0]
    assert f'href="{url}"' in page
    assert f'id="kgen.{MODELS[name]}"' in page and "image_shape" in page
    assert "*args" not in page
    assert "<math" in page or name == "dcgan"


def test_the_zoo_is_of_the_cards(site):
    page = (site / "docs" / "zoo.html").read_text()
    for card in pages.ROOT.glob("saved_models/*/README.md"):
        name, text = card.parent.name, card.read_text()
        parameters = re.search(r"([\d,]+) trained parameters", text)[1]
        assert f"saved_models/{name}/README.html" in page and parameters in page
        has_picture = (card.parent / "samples.png").exists()
        assert (f'alt="Samples of {name}"' in page) == has_picture


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = (
        r'<(?:script|img)[^>]* src="https?:[^"]*"|<link[^>]* href="https?:[^"]*"[^>]* rel="styl'
    )
    for page in site.glob("docs/**/*.html"):
        assert not re.findall(loaded, page.read_text()), page
