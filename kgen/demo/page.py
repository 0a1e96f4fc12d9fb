"""What a page asks, and what it is answered: dicts that JSON can hold."""

import base64
import contextlib
import functools
import io
import math
import os
import random

import keras
import numpy as np
from PIL import Image

from kgen.data.tfds import no_downloads
from kgen.demo.panels import panels_of
from kgen.demo.picture import Picture
from kgen.fields import Label
from kgen.pictures.grids import to_bytes


@contextlib.contextmanager
def silent():
    """Keeps a verb's progress off the terminal."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


class Page:
    """The panels of a model, and what they are asked.

    Args:
        model: `kgen.models.image_model.ImageModel`.
        name: str. What the user calls it.
        data: callable that gives the `kgen.data.Dataset` it was trained on, or None.
    """

    def __init__(self, model, name, data=None):
        self.model = model
        self.name = name
        self.panels = {panel.name: panel for panel in panels_of(model, data is not None)}
        self._data = data

    def about(self):
        """What the page is made of."""
        height, width, channels = self.model.image_shape
        num = sum(math.prod(v.shape) for v in self.model.trainable_variables)
        return {
            "name": self.name,
            "facts": [
                type(self.model).__name__,
                f"{height}x{width} {'grey' if channels == 1 else 'colour'}",
                f"{num:,} parameters",
                keras.backend.backend(),
            ],
            "panels": [panel.describe() for panel in self.panels.values()],
        }

    @silent()
    def make(self, panel, values):
        """The images of a panel, by what its controls are set to.

        Args:
            panel: str. Its name.
            values: dict by the controls' names; a control that is missing has its default.
        """
        if not isinstance(values, dict):
            raise ValueError(f"Expected values by name. Received: {values!r:.80}")
        made = self._panel(panel).answer(values)
        images = [{"src": url} for url in _urls(made.images)]
        more = {"caption": made.captions, "seed": map(str, made.seeds)}
        more["class"] = map(int, made.labels)
        for name, column in more.items():
            for image, value in zip(images, column, strict=False):
                image[name] = value
        return {"columns": made.columns, "images": images, "values": made.values}

    def image(self, panel, control, contents):
        """An image file, as a panel's control has it.

        Args:
            panel: str.
            control: str. The name of a `Picture`.
            contents: bytes.
        """
        pixels = self._picture(panel, control).of_file(contents)
        return {"src": next(_urls(pixels[None]))}

    @silent()
    def example(self, source):
        """Another image each time, with its class where it has one.

        Args:
            source: "test", which takes one of the test images, or "sample".
        """
        draw = {"test": self._test_image, "sample": self._sample}.get(source)
        if draw is None:
            raise ValueError(f"Expected an image of 'test' or 'sample'. Received: {source!r:.80}")
        image, label = draw()
        of_class = {} if label is None else {"class": int(label)}
        return {"src": next(_urls(image[None]))} | of_class

    def _sample(self):
        condition, label = self.model.condition, None
        if isinstance(condition, Label):
            label = random.randrange(condition.num_classes)
        given = None if condition is None else condition.example()[0]
        return self.model.sample(1, given if label is None else label)[0], label

    def _test_image(self):
        if self._data is None:
            raise ValueError("Expected a run folder, whose data has test images. Received: a model")
        images, labels = self._tests
        i = random.randrange(len(images))
        is_class = labels is not None and isinstance(self.model.condition, Label)
        return images[i], labels[i] if is_class else None

    @functools.cached_property
    def _tests(self):
        with no_downloads():
            data = self._data()
        return self.model.examples(data, min(100, data.num_test))

    def _panel(self, name):
        if name not in self.panels:
            raise ValueError(f"Expected a panel of {list(self.panels)}. Received: {name!r:.80}")
        return self.panels[name]

    def _picture(self, panel, name):
        for control in self._panel(panel).controls:
            if isinstance(control, Picture) and control.name == name:
                return control
        raise ValueError(f"Expected a picture of {panel}. Received: {name!r:.80}")


def _urls(images):
    """Yields each image as the data URL of a PNG."""
    for image in to_bytes(np.asarray(images)):
        file = io.BytesIO()
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
        yield f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
