"""What the pages for users show: blocks of code by language, and commands for a shell."""

import pathlib
import re
import shlex

ROOT = pathlib.Path(__file__).parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")))
}


def blocks(page, language):
    """Pairs of the number of the lines before a block of a page, and its source."""
    text = page.read_text()
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text.count("\n", 0, found.start(1)), found[1]


def shell(page):
    """The lines of a page that are indented, and so for a shell; a line that goes on is one."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = "\n".join(re.findall(r"^    +(.*)$", prose, re.MULTILINE))
    return re.sub(r"\\\n\s*", "", text).splitlines()


def commands(page):
    """The arguments of `kgen` wherever a page calls it, in order."""
    inline = re.findall(r"`(kgen [^`]*)`", re.sub(r"\s+", " ", page.read_text()))
    for line in [*shell(page), *inline]:
        words = shlex.split(line, comments=True) if calls_kgen(line) else []
        for start in [i for i, word in enumerate(words) if word in ("kgen", "kgen.cli")]:
            yield list(until_the_end(words[start + 1 :]))


def calls_kgen(line):
    """Whether a line has the command, and not the package, a folder or an option's name alone."""
    return bool(re.search(r"(?:^|&& |until |-- |; )kgen(?:\.cli)? [a-z-]", line))


def until_the_end(words):
    """The words of one command, without the dots that stand for more of them."""
    for word in words:
        if word in ("&&", "|", ";", "do"):
            return
        if word != "...":
            yield word.removesuffix(";")
        if word.endswith(";"):
            return


def requests(page):
    """The JSON of each request that a page sends by curl."""
    text = "\n".join(shell(page))
    for found in re.finditer(r"-d '(\{.*?\})'|<<END.*?\n(.*?)\nEND", text, re.DOTALL):
        yield re.sub(r"\$\(.*?\)", "", found[1] or found[2])
