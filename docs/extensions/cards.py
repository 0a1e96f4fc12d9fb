"""The zoo: a table of the trained models in saved_models/, of what their cards say."""

import dataclasses
import functools
import pathlib
import re

from grids import grid
from sphinx.util.docutils import SphinxDirective

ROOT = pathlib.Path(__file__).parents[2]
LICENCE = re.compile(r"\s*Licence of the data: (.*?)\.?$")
PARAMETERS = re.compile(r"([\d,]+) trained parameters")
NOT_SAID = "not stated"


def setup(app):
    """Adds the directives, each with the name of its class in small letters."""
    for directive in (Pictures, Trained, Zoo):
        app.add_directive(directive.__name__.lower(), directive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


@dataclasses.dataclass
class Card:
    """What a card, saved_models/NAME/README.md, says of its newest version.

    Attributes:
        path: pathlib.Path. The card.
        said: dict. What its lines `- Key: value` say, by key.
    """

    path: pathlib.Path
    said: dict

    @property
    def name(self):
        """The name by which it is served."""
        return self.path.parent.name

    @property
    def page(self):
        """The card's page on the site."""
        return f"/saved_models/{self.name}/README.md"

    @property
    def class_name(self):
        """The class of the model."""
        return re.match(r"`(\w+)`", self.said["Model"])[1]

    @property
    def link(self):
        """Its name, which leads to the card, and its class."""
        return f"[{self.name}]({self.page}), {{py:obj}}`kgen.{self.class_name}`"

    @property
    def samples(self):
        """The path of its samples, if there are some."""
        there = self.path.with_name("samples.png").exists()
        return f"/saved_models/{self.name}/samples.png" if there else None

    @property
    def picture(self):
        """Its samples as an image that leads to the card, if there are some."""
        return f"[![Samples of {self.name}]({self.samples})]({self.page})" if self.samples else ""

    @property
    def data(self):
        """The data set, without its licence."""
        return LICENCE.sub("", self.said.get("Data", NOT_SAID))

    @property
    def licence(self):
        """The licence of the data."""
        found = LICENCE.search(self.said.get("Data", ""))
        return f"Licence: {found[1] if found else NOT_SAID}"

    @property
    def parameters(self):
        """How many parameters were trained."""
        found = PARAMETERS.search(self.said.get("Settings", ""))
        return f"{found[1] if found else NOT_SAID} parameters"

    @property
    def figures(self):
        """Its figures, with what they are of."""
        found = [f"{key}: {text}" for key, text in self.said.items() if key.startswith("Figures")]
        return "<br>".join(found) or NOT_SAID

    @property
    def training(self):
        """Epochs, batches, seed and versions."""
        return self.said.get("Training", NOT_SAID)

    @property
    def time(self):
        """How long it took, and on which device."""
        return self.said.get("Time", "")

    @property
    def command(self):
        """The command that trained it."""
        return self.said.get("Command", "")

    @property
    def size(self):
        """The sizes of the newest version and of the `.keras` file."""
        folder = self.path.parent
        version = max((each for each in folder.iterdir() if each.name.isdigit()), key=number)
        sizes = {f"version {version.name}": sum(map(size_of, version.rglob("*")))}
        if (keras_file := folder / "model.keras").exists():
            sizes[f"`{keras_file.name}`"] = size_of(keras_file)
        return ", ".join(f"{what} {size / 1e6:.1f} MB" for what, size in sizes.items())


def number(version):
    """The number of a version's folder."""
    return int(version.name)


def size_of(path):
    """The bytes of a file; of a folder none."""
    return path.stat().st_size if path.is_file() else 0


@functools.cache
def cards():
    """The cards of the trained models, by name."""
    paths = sorted((ROOT / "saved_models").glob("*/README.md"))
    return [card for card in map(read, paths) if "Model" in card.said]


def read(path):
    """The card of a file."""
    about, *versions = re.split(r"^## Version \d+$", path.read_text(), flags=re.MULTILINE)
    said = {}
    for line in re.findall(r"^- (.*(?:\n  .*)*)", about + "".join(versions[:1]), re.MULTILINE):
        key, colon, value = " ".join(line.split()).partition(": ")
        if colon:
            said.setdefault(key, value)
    return Card(path, said)


class Zoo(SphinxDirective):
    """The table of all trained models."""

    COLUMNS = {
        "": ("picture",),
        "model": ("link", "parameters", "size"),
        "data": ("data", "licence"),
        "figures": ("figures",),
        "training": ("training", "time", "command"),
    }

    def run(self):
        """Makes the table."""
        lines = [list(self.COLUMNS), ["---"] * len(self.COLUMNS)]
        for card in cards():
            self.env.note_dependency(str(card.path))
            cells = ([getattr(card, name) for name in names] for names in self.COLUMNS.values())
            lines.append(["<br>".join(filter(None, cell)) for cell in cells])
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return self.parse_text_to_nodes(f":::{{container}} zoo\n\n{text}\n:::")


class Pictures(SphinxDirective):
    """The samples of all trained models that have some."""

    def run(self):
        """Makes a card of each."""
        shown = [
            (card.name, card.samples, card.page.strip("/").removesuffix(".md"), card.data)
            for card in cards()
            if card.samples
        ]
        return self.parse_text_to_nodes(grid(shown)) if shown else []


class Trained(SphinxDirective):
    """The trained models of a class: their samples, and where the card is."""

    required_arguments = 1

    def run(self):
        """Makes a paragraph and a picture of each."""
        (class_name,) = self.arguments
        found = [card for card in cards() if card.class_name == class_name]
        return self.parse_text_to_nodes("\n\n".join(map(self._shown, found)))

    @staticmethod
    def _shown(card):
        text = f"Trained: [{card.name}]({card.page}), {card.data} {card.figures}"
        return f"{text}\n\n{card.picture}".rstrip()
