import pathlib
import runpy

import pytest
from absl import flags

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def script():
    """Runs a script of examples/ as a module, by its path, and gives its names."""
    before = set(flags.FLAGS)
    yield lambda path: runpy.run_path(str(EXAMPLES / path))
    for name in set(flags.FLAGS) - before:
        delattr(flags.FLAGS, name)
