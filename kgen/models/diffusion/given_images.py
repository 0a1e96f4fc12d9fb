"""What a diffusion model makes of images that it is given."""

import numpy as np
from keras import ops

from kgen import pictures, samplers
from kgen.checks import flag, whole_number
from kgen.fields import Mask, Noisy, Seed
from kgen.models.latents import lerp, slerp
from kgen.seeds import seeds_of


class OfGivenImages:
    """The verbs of a `DiffusionModel` that begin with images."""

    inverting = "ddim"  # the sampler of `decode`
    can_complete = True  # whether noise is normal, which may take the place of what is shown

    def noisy(self, images, t, *, seed=None, batch_size: int = 64):
        """Images with as much noise as there is at a time: x_t = signal x_0 + noise eps.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            t: array (num,) or one number, as the model counts: `time` says how.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels), about black at -1 and white at 1 where there
            is little noise.
        """
        x = self.image.check(images)
        t, seeds = self.time.rows(t, len(x)), seeds_of(seed, len(x))
        rows = {"image": x, "t": t, "seed": seeds}
        labels = None if self.condition is None else self.condition.example()[0]
        return self.run(self._noisy, rows, labels, batch_size=batch_size)

    def _noisy(self, y, image, t, noise):
        row = self.level(t)
        x_0 = 2.0 * image - 1.0
        return row["signal"] * x_0 + row["noise"] * self.start(noise, noise.num)

    def denoise(self, x, t, labels=None, *, batch_size: int = 64):
        """The images that are expected below noise: E[x_0 | x_t].

        Args:
            x: array (num, height, width, channels), as `noisy` gives it.
            t: array (num,) or one number: the time of x, as the model counts.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        x = Noisy(self.image_shape).check(x)
        given = {"x": x, "t": self.time.rows(t, len(x))}
        return self.answer("denoise", labels, batch_size=batch_size, **given)["image"]

    def complete(
        self,
        images,
        mask,
        labels=None,
        *,
        copies: int = 1,
        steps: int | None = None,
        resamplings: int = 1,
        seed=None,
        batch_size: int = 64,
    ):
        """Images whose hidden pixels are drawn beside what is shown, which stays.

        At each time what is shown takes the place of what was drawn there, with as much noise as
        all else (Song et al. 2021, appendix I). Alone that lets the rest agree with it little: with
        `resamplings` each step is taken so often, with the noise of one put back in between.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            copies: int. Completions of each image.
            steps: int. Times at which the network is asked. Defaults to the model's sampler's.
            resamplings: int. How often each step is taken. Defaults to 1; the paper's is 10.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, copies, height, width, channels) in [0, 1].

        Reference: Lugmayr et al., RePaint: Inpainting using Denoising Diffusion Probabilistic
        Models, 2022, algorithm 1. https://arxiv.org/abs/2201.09865
        """
        x = self.image.check(images)
        copies = whole_number("copies", copies)
        rows = {
            "image": np.repeat(x, copies, axis=0),
            "mask": np.repeat(Mask(self.image_shape[:2]).rows(mask, len(x)), copies, axis=0),
            "seed": seeds_of(seed, len(x), copies),
        }
        y = self._repeated(labels, len(x), copies)
        steps, repeats = self._completing(steps), whole_number("resamplings", resamplings)
        given = {"batch_size": batch_size, "steps": steps, "repeats": repeats}
        found = self.run(self._complete, rows, y, **given)
        return found.reshape(len(x), copies, *self.image_shape)

    def _completing(self, steps=None):
        """The steps of a completion, which draws in each."""
        found = self.own_sampler(None, steps).steps
        if steps is None and found is not None:
            found = max(found, samplers.Ancestral.fewest)
        self.path(samplers.Ancestral(found))
        return found

    def _complete(self, y, image, mask, noise, steps, repeats=1):
        x = self.start(noise, noise.num)
        known = 2.0 * image - 1.0, 1.0 - ops.cast(mask, "float32")[..., None]
        x = self.walk(x, y, noise, samplers.Ancestral(steps), 1.0, known, repeats)
        return ops.where(ops.cast(mask, "bool")[..., None], 0.5 * (x + 1.0), image)

    def _repeated(self, labels, num, times):
        """The conditions of a verb, each so often, or None."""
        y = self.conditions(labels, num)
        return None if y is None else np.repeat(y, times, axis=0)

    def encode(self, images, labels=None, *, steps: int | None = None, batch_size: int = 64):
        """The noise from which `decode` makes about these images: the ODE backwards.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Times at which the network is asked; the more, the nearer. Defaults to 50,
                of an EDM to 18, at most to the model's own.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels), about of the prior, which is N(0, 1) unless
            a `kgen.FlowMatching` has another.

        Reference: Song et al., Denoising Diffusion Implicit Models, 2020, section 4.3.
        https://arxiv.org/abs/2010.02502
        """
        rows, sampler = {"image": self.image.check(images)}, self.own_sampler(self.inverting, steps)
        return self.run(self._encode, rows, labels, batch_size=batch_size, sampler=sampler)

    def _encode(self, y, image, sampler):
        return self.walk_back(2.0 * image - 1.0, y, self.path(sampler))

    def decode(self, noise, labels=None, *, steps: int | None = None, batch_size: int = 64):
        """The images that the ODE makes of noise, of which it draws no more.

        Args:
            noise: array (num, height, width, channels), as `encode` gives it.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Times at which the network is asked. Defaults to those of `encode`.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        rows = {"x": Noisy(self.image_shape).check(noise, "noise")}
        sampler = self.own_sampler(self.inverting, steps)
        return self.run(self._decode, rows, labels, batch_size=batch_size, sampler=sampler)

    def _decode(self, y, x, sampler):
        return 0.5 * (self.walk(x, y, None, sampler) + 1.0)

    def interpolate(
        self,
        start,
        end,
        labels=None,
        *,
        steps: int = 11,
        spherical: bool = True,
        sampler_steps: int | None = None,
        batch_size: int = 64,
    ):
        """The images on the way from each of `start` to its partner in `end`.

        Args:
            start: images (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            end: array of the same shape.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            steps: int. Images on a way, both ends among them.
            spherical: bool. Along the great circle, which keeps to where noise is.
            sampler_steps: int. Times at which the network is asked, on the way to noise and back.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, steps, height, width, channels) in [0, 1].
        """
        given = {"steps": sampler_steps, "batch_size": batch_size}
        ends = [self.encode(each, labels, **given) for each in (start, end)]
        steps, num = whole_number("steps", steps, at_least=2), len(ends[0])
        flat = (each.reshape(num, 1, -1) for each in ends)
        between = slerp if flag("spherical", spherical) else lerp
        way = between(*flat, np.linspace(0.0, 1.0, steps)[None, :, None]).astype("float32")
        y = self._repeated(labels, num, steps)
        images = self.decode(way.reshape(-1, *self.image_shape), y, **given)
        return images.reshape(num, steps, *self.image_shape)

    def report(self, data):
        if not self.can_complete:
            return super().report(data)
        images, labels = self.examples(data, 8)
        given = {"labels": labels, "seed": 0}
        return super().report(data) | {
            "completions.png": pictures.completions(self, images, self.lower_half(), **given),
        }

    def signatures(self):
        def complete(y, image, mask, noise):
            return {"image": self._complete(y, image, mask, noise, self._completing())}

        def denoise(y, x, t):
            image = self.guess(x, self.level(t), y)[0]
            return {"image": ops.clip(0.5 * (image + 1.0), 0.0, 1.0)}

        found = {"denoise": (denoise, {"x": Noisy(self.image_shape), "t": self.time})}
        if self.can_complete:
            mask = {"image": self.image, "mask": Mask(self.image_shape[:2]), "seed": Seed()}
            found["complete"] = complete, mask
        return super().signatures() | found
