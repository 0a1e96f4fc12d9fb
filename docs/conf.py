"""The site: python -m sphinx -W --keep-going -c docs . build/site, from the repository's root.

The root is Sphinx' source folder, so that links between pages, notebooks and the cards of trained
models are the same in the repository and on the site.
"""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

from kgen.installed import BACKENDS, is_installed  # noqa: E402
from kgen.version import __version__  # noqa: E402

os.environ.setdefault("KERAS_BACKEND", next(filter(is_installed, reversed(BACKENDS))))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "kgen"
version = release = __version__
root_doc = "docs/index"
include_patterns = [
    "docs/**",
    "examples/notebooks/*.ipynb",
    "saved_models/*/README.md",
    "benchmarks/results/*.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "tests/README.md",
]
exclude_patterns = [".*", "build", "dist", "kgen", "runs", "**/.*"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "cards",
    "docstrings",
    "mathml",
    "models",
]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
highlight_language = "sh"
smartquotes_action = "D"  # dashes alone

default_role = "py:obj"
autodoc_default_options = {
    "members": True,
    "inherited-members": "GenerativeModel, Layer, Model, Callback",
}
autodoc_inherit_docstrings = False  # what a subclass overrides is said once
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_preprocess_types = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"kgen {release}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]
html_show_copyright = html_show_sphinx = html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True
