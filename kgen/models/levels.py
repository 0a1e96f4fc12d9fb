"""Models of images of so many levels: a likelihood that is a probability."""

import numpy as np


class OfLevels:
    """An image model with `levels`, the values of a pixel and colour, that tells of others."""

    binarizes = False  # whether it draws pixels black or white, so that any grey is right

    def check_inputs(self, x, y):
        x, y = super().check_inputs(x, y)
        self.tell_of_levels(x)
        return x, y

    def tell_of_integers(self, x):
        """Nothing: `check_inputs` tells of integers up to the model's levels."""

    def tell_of_levels(self, x):
        """Warns, once, of images that are not of the model's levels."""
        is_integer = np.issubdtype(x.dtype, np.integer)
        if is_integer and 0 < x.max() < self.levels <= 32:
            self.tell_once(
                "integers",
                f"The images are integers up to {x.max()}, which count as of 255. If they are "
                f"the model's {self.levels} levels, divide them by {self.levels - 1}.",
            )
        if self.binarizes:
            return
        in_255 = x if is_integer else 255.0 * x
        is_8_bit = np.abs(in_255 - np.rint(in_255)).max() < 1e-3
        step = (self.levels - 1) / 255
        distance = np.abs(in_255 * step - np.rint(in_255 * step)).max()
        if distance > (0.5 * step if is_8_bit else 0.0) + 1e-3:  # more than 8 bits round
            self.tell_once(
                "between",
                f"The images have values between the {self.levels} levels: the model sees the "
                "nearest.",
            )
