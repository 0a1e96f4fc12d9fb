"""What the distribution asks for, against the stock images' versions."""

import tomllib
from pathlib import Path

import pytest

requirements = pytest.importorskip("packaging.requirements")
ROOT = Path(__file__).parents[1]
PINS = [line for line in (ROOT / ".ci/stock.txt").read_text().splitlines() if line[0] != "#"]
STOCK = dict(line.split("==") for line in PINS)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_lower_bounds_are_what_the_stock_images_have():
    extras = PROJECT["optional-dependencies"]
    lines = PROJECT["dependencies"] + extras["jax"] + extras["augment"]
    asked = map(requirements.Requirement, lines)
    of_stock = [each for each in asked if each.name in STOCK]
    assert len(of_stock) == 11
    for each in of_stock:
        (lowest,) = (bound.version for bound in each.specifier if bound.operator == ">=")
        assert each.specifier.contains(STOCK[each.name])
        assert f"{STOCK[each.name]}.".startswith(f"{lowest}."), each


def test_the_distribution_is_not_the_kgen_of_pypi():
    assert PROJECT["name"] == "kgen-keras"
    assert PROJECT["scripts"] == {"kgen": "kgen.cli:main"}
