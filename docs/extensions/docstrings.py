"""Docstrings of kgen, which are plain text with backticks and sections, as reStructuredText."""

import inspect
import re

CODE = re.compile(r"(`+[^`]*`+)(\w?)")
ARGUMENT = re.compile(r"\s+\*{0,2}\w+: ")


def setup(app):
    """Translates before Napoleon does."""
    app.connect("autodoc-process-docstring", translate, priority=400)
    app.connect("autodoc-process-signature", of_init)
    app.connect("autodoc-skip-member", skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def skip(app, what, name, obj, skipped, options):
    """Leaves out what is inherited from Keras and others."""
    module = getattr(getattr(obj, "fget", None) or obj, "__module__", None) or "kgen"
    return True if module.partition(".")[0] != "kgen" else None


def of_init(app, what, name, obj, options, signature, returns):
    """The arguments of a class that Keras gives a `__new__` of any arguments."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    _, *parameters = inspect.signature(obj.__init__).parameters.values()
    plain = [each.replace(annotation=each.empty) for each in parameters]
    return str(inspect.Signature(plain)), None


def translate(app, what, name, obj, options, lines):
    """Keeps what is written as it is: no asterisk, bar or underscore of a formula is markup."""
    lines[:] = [line if is_session(line) else translated(line) for line in with_lists(lines)]


def with_lists(lines):
    """Yields the lines, with the empty ones before a list's points and a session."""
    before = ""
    for line in lines:
        if line.lstrip().startswith(("- ", ">>>")) and before.strip() and not is_session(before):
            yield ""
        yield line
        before = line


def is_session(line):
    """Whether a line is of a doctest."""
    return line.lstrip().startswith((">>>", "..."))


def translated(line):
    """A line with its formulas, which two spaces set off, as literals."""
    indent, text = re.match(r"( *)(.*)", line).groups()
    parts = re.split(r" {2,}", text)
    if len(parts) > 1:
        return indent + " ".join(
            f"``{part}``" if is_formula(part) else escaped(part) for part in parts
        )
    argument = ARGUMENT.match(line)
    start = argument[0] if argument else indent
    return start + escaped(line[len(start) :])


def of_part(part):
    """What two spaces set off: a formula as it is written, or words between two of them."""
    return f"``{part}``" if is_formula(part) else escaped(part)


def is_formula(part):
    """Whether it has what words have not."""
    return bool(re.search(r"[\[\]^|=]|\w\(", part)) and "`" not in part


def escaped(text):
    """Text in which nothing but backticks is markup."""
    *pieces, rest = CODE.split(text)
    marked = "".join(
        without_markup(before) + code + (f"\\ {letter}" if letter else "")
        for before, code, letter in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True)
    )
    return marked + without_markup(rest)


def without_markup(text):
    """Text that reStructuredText takes as it is."""
    return re.sub(r"([*|]|_(?=\W|$))", r"\\\1", text)
