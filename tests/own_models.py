"""The module `my_models` of docs/your_own_model.md: what the page's blocks of Python define."""

import pathlib
import re

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "your_own_model.md"


def blocks(page):
    """Pairs of the number of the line before a block of Python and its source; no sessions."""
    for found in re.finditer(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if not found[1].startswith(">>>"):
            yield page.count("\n", 0, found.start(1)), found[1]


for _before, _source in blocks(PAGE.read_text()):
    # Errors and tracebacks are of the page's lines.
    exec(compile("\n" * _before + _source, PAGE, "exec"), globals())
