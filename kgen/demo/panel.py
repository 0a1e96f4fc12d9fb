"""What every panel of a page has: some controls, and what is made of them."""

import dataclasses

import numpy as np

from kgen.demo.signatures import of_condition


@dataclasses.dataclass
class Made:
    """What a panel answers.

    Attributes:
        images: array (num, height, width, channels) in [0, 1].
        columns: int. Images in a row.
        captions: sequence of str, one an image, or fewer.
        seeds: int array of the images' own seeds, or empty.
        labels: int array of the images' own classes, or empty.
        values: dict. What the page is to set controls to, by name.
    """

    images: np.ndarray
    columns: int
    captions: tuple = ()
    seeds: tuple = ()
    labels: tuple = ()
    values: dict = dataclasses.field(default_factory=dict)


class Panel:
    """A part of the page: some controls, and what is made of them.

    Attributes:
        name: str.
        title: str.
        hint: str. What it shows, in a sentence.
        verbs: tuple of str. What a model must have.
        is_live: bool. The page shows each change at once, and has no button.
        controls: list of `Control`.
    """

    name = title = hint = ""
    verbs = ()
    is_live = True

    def __init__(self, model, sources=()):
        self.model = model
        self.controls = [*of_condition(model.condition), *self._controls(sources)]

    def _controls(self, sources):
        raise NotImplementedError

    def make(self, labels=None, **given):
        """What the panel shows.

        Args:
            labels: the condition of all images, or None.
            **given: what the controls read, by name.

        Returns:
            `Made`.
        """
        raise NotImplementedError

    @classmethod
    def fits(cls, model):
        """Whether a model can do this."""
        return all(hasattr(model, verb) for verb in cls.verbs)

    def describe(self):
        """What the page makes of it: a dict that JSON can hold."""
        return {
            "name": self.name,
            "title": self.title,
            "hint": self.hint,
            "live": self.is_live,
            "controls": [control.describe() for control in self.controls],
        }

    def answer(self, values):
        """What is made of what the page sent, by the controls' names.

        Raises:
            ValueError: a value is none that its control, or the model, takes.
        """
        read = {each.name: each.read(values.get(each.name, each.default)) for each in self.controls}
        return self.make(labels=read.pop("condition", None), **read)
