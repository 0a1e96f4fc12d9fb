"""The module `my_models` of docs/your_own_model.md: what the page's blocks of Python define."""

import pathlib
import re

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "your_own_model.md"


def blocks():
    """Pairs of the number of the lines before a block of the page's Python, and its source."""
    page = PAGE.read_text()
    for found in re.finditer(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        yield page.count("\n", 0, found.start(1)), found[1]


def is_session(source):
    """Whether a block is a session of what the others define."""
    return source.startswith(">>>")


for _before, _source in blocks():
    if not is_session(_source):  # with the page's lines in tracebacks
        exec(compile("\n" * _before + _source, PAGE, "exec"), globals())
