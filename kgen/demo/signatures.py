"""Controls of what a model's verbs take."""

from kgen import fields
from kgen.demo.controls import Choice, Flag, Number, Numbers, Ticks
from kgen.demo.picture import Picture
from kgen.runs.arguments import description, plain_arguments


def of_condition(field):
    """The controls of what a model is conditional on: one, or none."""
    name, label = "condition", None if field is None else field.input_name
    if field is None:
        return []
    if isinstance(field, fields.Label):
        return [Choice(name, field.names or range(field.num_classes), label=label)]
    if isinstance(field, fields.Attributes):
        return [Ticks(name, field.names or range(field.shape[0]), label=label)]
    if isinstance(field, fields.Image):
        return [Picture(name, field, label=label)]
    return [Numbers(name, field, label=label)]


def of_arguments(verb, *but):
    """A control for each further argument of a verb that is a number or a flag.

    Args:
        verb: a model's method.
        *but: str. The arguments that have another control.
    """
    found = []
    for name, (kind, default) in plain_arguments(verb).items():
        if name in ("batch_size", *but) or default is None:
            continue
        hint = description(name, verb.__doc__).partition(". ")[2]
        if kind is bool:
            found.append(Flag(name, default, hint=hint))
        elif kind in (int, float):
            found.append(Number(name, default, is_whole=kind is int, hint=hint))
    return found
