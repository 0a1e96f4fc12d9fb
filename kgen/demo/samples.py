"""Samples of a model, and of the codes that it found."""

import numpy as np

from kgen.demo.controls import Choice, Range, Seed
from kgen.demo.panel import Made, Panel
from kgen.demo.signatures import of_arguments
from kgen.fields import Label
from kgen.seeds import seeds_of

MAX_COLUMNS = 16  # of classes side by side


class Samples(Panel):
    """A grid of samples; of a model of classes a column each, or one class."""

    name, title = "samples", "Samples"
    hint = "Images that the model makes up."
    verbs = ("sample",)

    def _controls(self, sources):
        columns = self._num_columns
        return [
            Seed(picks=False, hint="The same seed gives the same images."),
            Range("num", 4 * columns, 1, 8 * columns, label="images"),
            *of_arguments(self.model.sample),
        ]

    def __init__(self, model, sources=()):
        super().__init__(model, sources)
        if isinstance(model.condition, Label):
            classes, *others = self.controls
            options = ["all", *classes.options]
            self.controls = [Choice(classes.name, options, label=classes.label), *others]

    @property
    def _num_columns(self):
        num = self.model.num_classes
        return num if num is not None and 2 <= num <= MAX_COLUMNS else 8

    def make(self, seed, num, labels=None, **given):
        captions = classes = ()
        if isinstance(self.model.condition, Label):
            captions, classes = self._classes(labels, num)
            labels = classes
        seeds = seeds_of(seed, num)
        images = self.model.sample(num, labels, seed=seeds, **given)
        return Made(images, self._num_columns, captions, seeds, classes)

    def _classes(self, choice, num):
        """Captions, and a class for each image: one for all, or in turn."""
        condition = self.model.condition
        if choice:
            return (), np.full(num, choice - 1)
        classes = np.arange(num) % condition.num_classes
        heads = classes[: self._num_columns] if condition.num_classes <= MAX_COLUMNS else classes
        return [condition.names[i] if condition.names else str(i) for i in heads], classes


class Codes(Panel):
    """Images of the same codes, each with noise of its own."""

    name, title = "codes", "Codes"
    hint = "Images of the codes that are set, each with noise of its own."
    verbs = ("set_code",)

    def _controls(self, sources):
        categorical, continuous = self.model.categorical, self.model.continuous
        return [
            Seed(picks=False),
            Range("num", 16, 1, 64, label="images"),
            *(
                Choice(f"code_{i}", range(num), label=f"category {i + 1}")
                for i, num in enumerate(categorical)
            ),
            *(
                Range(f"code_{len(categorical) + i}", 0, -1, 1, 0.01, label=f"number {i + 1}")
                for i in range(continuous)
            ),
        ]

    def make(self, seed, num, labels=None, **codes):
        row = [codes[f"code_{i}"] for i in range(len(codes))]
        return Made(self.model.sample(num, labels, codes=row, seed=seed), 8)
