"""What pages say of a model from its class: one sentence, the reference, the picture."""

import ast
import inspect
import pathlib
import re

from cards import cards
from grids import grid
from sphinx.util.docutils import SphinxDirective

import kgen
from kgen.models.autoencoders.reconstructs import Reconstructs
from kgen.runs.catalog import MODELS

ROOT = pathlib.Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = ROOT / "docs" / "models"
MIXTURES = ROOT / "benchmarks" / "results" / "mixtures.md"
FAMILIES = {
    "Autoencoders": Reconstructs,
    "Adversarial models": kgen.AdversarialModel,
    "Autoregressive models": kgen.AutoregressiveModel,
    "Flows": kgen.FlowModel,
    "Diffusion": kgen.DiffusionModel,
}
PAPER = re.compile(r"Reference: (?P<who>.*?), (?P<what>.*), (?P<year>\d{4})\. (?P<url>\S+)")


def setup(app):
    """Adds the directives, each with the name of its class in small letters."""
    for directive in (Example, Gallery, Measured, Model, Models):
        app.add_directive(directive.__name__.lower(), directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def sentence(model_class):
    """What a class is, without its name."""
    said = paragraphs(model_class)[0].partition(": ")[2]
    return said[0].upper() + said[1:]


def reference(model_class):
    """The paper of a class: who, what, when and where."""
    (found,) = (each for each in paragraphs(model_class) if each.startswith("Reference: "))
    return re.fullmatch(
        r"Reference: (?P<who>.*?), (?P<what>.*), (?P<year>\d{4})\. (?P<url>\S+)", found
    )


def paragraphs(model_class):
    """The paragraphs of a class' docstring."""
    return [" ".join(each.split()) for each in inspect.getdoc(model_class).split("\n\n")]


def families():
    """The models of each family, by their names on the command line."""
    classes = {name: getattr(kgen, class_name) for name, class_name in MODELS.items()}
    return {
        family: sorted((item for item in classes.items() if issubclass(item[1], base)), key=when)
        for family, base in FAMILIES.items()
    }


def when(item):
    """The order of the papers: the year, and arXiv's number, which begins with year and month."""
    paper = reference(item[1])
    return paper["year"], paper["url"]


def variants():
    """The rows of the README's table of papers that are arguments of a class."""
    classes = {f"`kgen.{class_name}`" for class_name in MODELS.values()}
    rows = re.finditer(r"^\| (.+?) \| .+ \| \d{4} \| .+ \|$", README.read_text(), re.MULTILINE)
    return [row[0] for row in rows if row[1] not in classes]


def page_of(name):
    """The page of a model."""
    return f"docs/models/{name}"


def picture_of(name):
    """The samples of a trained model, of MNIST if there are some; else its page's first picture."""
    trained = [card.samples for card in cards() if card.class_name == MODELS[name] and card.samples]
    found = re.search(r"!\[[^]]*\]\(\.\.(/images/\S+)\)", (PAGES / f"{name}.md").read_text())
    return max(trained, key=lambda path: "/mnist_" in path, default=f"/docs{found[1]}")


class Model(SphinxDirective):
    """What a model is, its paper, and its name on the command line."""

    required_arguments = 1

    def run(self):
        """Makes two paragraphs."""
        (name,) = self.arguments
        model_class = getattr(kgen, MODELS[name])
        paper = reference(model_class)
        self.env.note_dependency(inspect.getfile(model_class))
        return self.parse_text_to_nodes(
            f"{sentence(model_class)}\n\n"
            f"{paper['who']}, [{paper['what']}]({paper['url']}), {paper['year']}. In Python "
            f"{{py:class}}`kgen.{MODELS[name]}`, on the command line `kgen train {name}`."
        )


class Models(SphinxDirective):
    """A table of all models, and of the papers that are arguments of theirs, as the README has."""

    def run(self):
        """Makes the table."""
        lines = ["| class | what | year | reference |", "|---|---|---|---|"]
        for models in families().values():
            for name, model_class in models:
                paper = reference(model_class)
                lines.append(
                    f"| [{MODELS[name]}](/{page_of(name)}.md) | {sentence(model_class)} | "
                    f"{paper['year']} | [{paper['who']}]({paper['url']}) |"
                )
        self.env.note_dependency(str(README))
        return self.parse_text_to_nodes("\n".join([*lines, *variants()]))


class Gallery(SphinxDirective):
    """A card for each model, a family after the other."""

    def run(self):
        """Makes the cards."""
        lines = []
        for family, models in families().items():
            pictures = [
                (MODELS[name], picture_of(name), page_of(name), sentence(model_class))
                for name, model_class in models
            ]
            lines += [f"## {family}", grid(pictures)]
        return self.parse_text_to_nodes("\n\n".join(lines), allow_section_headings=True)


class Measured(SphinxDirective):
    """What was measured of a GAN: its row of examples/gan.py, and those of the mixtures."""

    required_arguments = 1

    def run(self):
        """Makes a table of each, where there are rows."""
        (name,) = self.arguments
        text = []
        for source, key, words in (
            (ROOT / "examples" / "gan.py", name, f"`python examples/gan.py --model {name}`"),
            (MIXTURES, MODELS[name], f"[Mixtures of Gaussians](/{MIXTURES.relative_to(ROOT)})"),
        ):
            if rows := rows_of(source, key):
                self.env.note_dependency(str(source))
                text += [f"{words}:", "", *rows, ""]
        return self.parse_text_to_nodes("\n".join(text))


class Example(SphinxDirective):
    """What a script of examples/ says of itself: the command, the time, the figures."""

    required_arguments = 1

    def run(self):
        """Renders its docstring."""
        path = ROOT / "examples" / self.arguments[0]
        self.env.note_dependency(str(path))
        return self.parse_text_to_nodes(ast.get_docstring(ast.parse(path.read_text())))


def rows_of(path, key):
    """The head of a file's first table, and the rows whose first word is a key; or nothing."""
    text = re.sub(r"--[a-z]\w*", r"`\g<0>`", path.read_text()) if path.exists() else ""
    table = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    rows = [row for row in table[2:] if row.split()[1] == key]
    return [*table[:2], *rows] if rows else []
