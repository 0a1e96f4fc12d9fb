"""Formulas as MathML, which browsers draw by themselves: no script, nothing is loaded."""

import html
import re

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def setup(app):
    """Adds the renderer `mathml`."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def visit_math(translator, node):
    """Writes a formula in a line."""
    translator.body.append(rendered(node))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    """Writes a formula by itself, with its number if it has one."""
    number = f'<span class="eqno">({node["number"]})</span>' if node["number"] else ""
    ids = "".join(f' id="{each}"' for each in node["ids"][:1])
    translator.body.append(f'<div class="math"{ids}>{number}{rendered(node, as_block=True)}</div>')
    raise nodes.SkipNode


def rendered(node, as_block=False):
    """The MathML of a formula, or its TeX where there is none, with a warning."""
    tex = re.sub(r"\\dots\b", r"\\ldots", node.astext())  # which docutils does not know
    try:
        return latex2mathml.tex2mathml(tex, as_block=as_block)
    except MathError as error:
        LOGGER.warning("no MathML of %s: %s", tex, error, location=node)
        return f"<code>{html.escape(tex)}</code>"
