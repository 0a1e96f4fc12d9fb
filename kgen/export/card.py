"""The model card, README.md beside a model's versions."""

import inspect
import math
import os
import re

from kgen.fields import Field
from kgen.version import __version__
from kgen.whole_file import replacing


def of_model(model):
    """What the card says of a model, in Markdown."""
    paragraphs = [" ".join(p.split()) for p in inspect.getdoc(type(model)).split("\n\n")]
    reference = next((p for p in paragraphs if p.startswith("Reference: ")), "")
    plain = (int, float, str, tuple, type(None), Field)
    config = {k: v for k, v in model.get_config().items() if k not in ("name", "seed", "trainable")}
    settings = ", ".join(f"{k}={v!r}" for k, v in config.items() if isinstance(v, plain))
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    return (
        f"- Model: `{type(model).__name__}`. {paragraphs[0]} {reference}\n"
        f"- Settings: {settings}; {parameters:,} trained parameters."
    )


def tensors(described):
    """Tensors by name, with their dtype and a row's shape, as words."""
    return ", ".join(
        f"{name} {dtype}{list(shape) if shape else ''}"
        for name, (dtype, *shape) in described.items()
    )


def write(path, version, model, about, signatures):
    """Puts a version's section on top of a model's card; what else is there stays.

    Args:
        path: str. The model's folder.
        version: int.
        model: str. What `of_model` gives.
        about: str or None. What it says of data, training and figures.
        signatures: dict of "inputs" and "outputs" of each by name, as `saved_model.write` gives it.
    """
    section = [
        f"## Version {version}\n",
        model,
        about or "- Data, training, figures and the licence of the data: not stated.",
        f"- Exported by kgen {__version__}.\n",
        "| signature | takes | gives |\n|---|---|---|",
    ]
    for name, of in signatures.items():
        section.append(f"| `{name}` | {tensors(of['inputs'])} | {tensors(of['outputs'])} |")
    card = os.path.join(path, "README.md")
    start, heading, earlier = f"# {os.path.basename(path)}\n\n", "", ""
    if os.path.exists(card):
        with open(card) as file:
            start, heading, earlier = file.read().partition("## Version ")
    # A section of the same number is of a version that is gone.
    same = rf"^## Version {version}\n.*?(?=^## |\Z)"
    earlier = re.sub(same, "", heading + earlier, flags=re.M | re.S)
    with replacing(card) as temporary, open(temporary, "w") as file:
        file.write(start + "\n".join(section) + "\n\n" * bool(earlier) + earlier.rstrip() + "\n")
