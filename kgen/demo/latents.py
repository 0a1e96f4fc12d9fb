"""A model's latents: along the directions that tell most, and between two of them."""

import functools
import inspect

import numpy as np

from kgen.demo.controls import Flag, Range, Seed, Sliders
from kgen.demo.directions import directions
from kgen.demo.panel import Made, Panel
from kgen.demo.picture import Picture
from kgen.demo.samples import Codes

NUM_SLIDERS = 10
IN_A_ROW = 12  # images on a way


class Latents(Panel):
    """One image, and sliders along the directions of z that tell most."""

    name, title = "latents", "Latents"
    verbs = ("draw_latents", "decode")

    @classmethod
    def fits(cls, model):
        return super().fits(model) and not Codes.fits(model)

    @property
    def hint(self):
        size = self.model.code_size
        if size <= NUM_SLIDERS:
            return f"The {size} numbers that an image is decoded from."
        return (
            f"An image is decoded from {size} numbers. The sliders go along the {NUM_SLIDERS} "
            "directions in which images change most; the rest is of the seed."
        )

    def _controls(self, sources):
        size = self.model.code_size
        name = "z" if size <= NUM_SLIDERS else "direction "
        names = [f"{name}{i + 1}" for i in range(min(size, NUM_SLIDERS))]
        return [Seed(), Sliders("moves", names, label="latents")]

    @functools.cached_property
    def _directions(self):
        return directions(self.model, NUM_SLIDERS)

    def make(self, seed, moves=None, labels=None):
        axes, low, high = self._directions
        z = self.model.draw_latents(1, labels, seed=seed)
        of_seed = z[0] @ axes.T
        at = of_seed if moves is None else moves
        images = self.model.decode(z + (at - of_seed) @ axes, labels)
        low, high = np.minimum(low, of_seed), np.maximum(high, of_seed)
        ranges = {"low": low.tolist(), "high": high.tolist(), "at": at.tolist()}
        return Made(images, 1, values={"moves": ranges})


def _steps_and_way(interpolate):
    default = inspect.signature(interpolate).parameters
    return [
        Range("steps", default["steps"].default, 2, 24, label="images"),
        Flag(
            "spherical",
            default["spherical"].default,
            label="great circle",
            hint="Instead of the straight line: it keeps to where a normal prior has its mass.",
        ),
    ]


class Interpolation(Panel):
    """The way between two samples."""

    name, title = "interpolation", "Between samples"
    hint = "The way from one sample to another, through z."
    verbs = ("draw_latents", "interpolate")

    def _controls(self, sources):
        ends = Seed("start", 0), Seed("end", 1)
        return [*ends, *_steps_and_way(self.model.interpolate)]

    def make(self, start, end, steps, spherical, labels=None):
        z = [self.model.draw_latents(1, labels, seed=seed) for seed in (start, end)]
        images = self.model.interpolate(*z, labels, steps=steps, spherical=spherical)[0]
        return Made(images, min(steps, IN_A_ROW))


class ImageInterpolation(Panel):
    """The way between two images of one's own."""

    name, title = "morph", "Between images"
    hint = "Both images are encoded, and what lies between their codes is decoded."
    verbs = ("encode", "interpolate")

    def _controls(self, sources):
        ends = (Picture(name, self.model.image, sources) for name in ("start", "end"))
        return [*ends, *_steps_and_way(self.model.interpolate)]

    def make(self, start, end, steps, spherical, labels=None):
        images = self.model.interpolate(
            start[None], end[None], labels, steps=steps, spherical=spherical
        )
        return Made(images[0], min(steps, IN_A_ROW))
