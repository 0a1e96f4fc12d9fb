"""What a model makes of an image that it is given."""

import numpy as np

from kgen.demo.controls import Range, Seed
from kgen.demo.panel import Made, Panel
from kgen.demo.picture import Picture
from kgen.demo.signatures import of_arguments

HIDDEN = 0.5  # what is shown in a hole


class Reconstruction(Panel):
    """An image, encoded and decoded again."""

    name, title = "reconstruction", "Reconstruct"
    hint = "Your image, encoded and decoded again. Draw on it, or open a file."
    verbs = ("reconstruct",)

    def _controls(self, sources):
        return [Picture("image", self.model.image, sources)]

    def make(self, image, labels=None):
        decoded = self.model.reconstruct(image[None], labels)
        images = np.concatenate([self.model.image.check(image[None]), decoded])
        return Made(images, 2, ("image", "reconstruction"))


class Completion(Panel):
    """An image with a hole, and what the model makes of it."""

    name, title = "completion", "Complete"
    hint = "Paint a hole into the image: the model draws what is in it, given all that is above."
    verbs = ("complete",)
    is_live = False

    def _controls(self, sources):
        return [
            Picture("image", self.model.image, sources, has_hole=True),
            Range("copies", 4, 1, 16, label="completions"),
            Seed(picks=False),
            *of_arguments(self.model.complete, "copies"),
        ]

    def make(self, image, copies, seed, labels=None, **given):
        image, hidden = image
        made = self.model.complete(image[None], hidden, labels, copies=copies, seed=seed, **given)
        shown = np.where(hidden[..., None], HIDDEN, self.model.image.check(image[None]))
        return Made(np.concatenate([shown, made[0]]), min(copies + 1, 5), ("shown",))
