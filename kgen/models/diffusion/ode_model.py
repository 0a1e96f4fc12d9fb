"""Models of an ordinary differential equation from images to noise, and its exact likelihood."""

import math

import numpy as np
from keras import ops

from kgen import backend
from kgen.checks import whole_number
from kgen.fields import Seed
from kgen.losses import bits_per_dim
from kgen.models.diffusion.diffusion_model import DiffusionModel, rows_of
from kgen.seeds import seeds_of


class OdeModel(DiffusionModel):
    """A diffusion model that says how an image moves, dx / du, and so what its density is.

    A subclass gives `slope`, `grid` and `log_prior`.
    """

    has_likelihood = True  # whether all that the ODE may come to has a density

    def slope(self, x, u, y):
        """Dx / du of the way that `walk` goes, at u, which `grid` is of.

        Args:
            x: tensor (batch, height, width, channels).
            u: float32 scalar.
            y: the condition, or None.
        """
        raise NotImplementedError

    def grid(self, path):
        """The u of a path, float64, from images to noise."""
        raise NotImplementedError

    def log_prior(self, x):
        """Log p of the noise at the end, (batch,), in nats."""
        raise NotImplementedError

    def walk_back(self, x, y, path):
        x, _ = self._integrated(lambda x, u: (self.slope(x, u, y), 0.0 * x[:, 0, 0, 0]), x, path)
        return x / path.scale

    def _integrated(self, slopes, x, path):
        """X at the noise, and what was added up on the way there: Heun's method.

        Args:
            slopes: callable of x and u that gives dx / du and, (batch,), another derivative.
            x: tensor (batch, height, width, channels).
            path: `kgen.samplers.Path`.
        """
        u = self.grid(path)
        row_of = rows_of({"u": u[:-1], "next": u[1:], "h": np.diff(u)})

        def turn(i, state):
            x, total = state
            row = row_of(i)
            v, rate = slopes(x, row["u"])
            later, later_rate = slopes(x + row["h"] * v, row["next"])
            half = 0.5 * row["h"]
            return x + half * (v + later), total + half * (rate + later_rate)

        return ops.fori_loop(0, len(u) - 1, turn, (x, ops.zeros_like(x[:, 0, 0, 0])))

    def log_density(self, x, y, probe, path):
        """Log p(x) of images in [-1, 1], (batch,), in nats: exact up to the steps and the probe.

        Along the way log p changes by the trace of dv/dx, of which e' (dv/dx) e is an unbiased
        estimate.

        Args:
            x: tensor (batch, height, width, channels).
            y: the condition, or None.
            probe: tensor like x, e of mean 0 and variance 1.
            path: `kgen.samplers.Path`.

        Reference: Grathwohl et al., FFJORD, 2018, eq. 8. https://arxiv.org/abs/1810.01367
        """

        def slopes(x, u):
            def along(x):
                v = self.slope(x, u, y)
                return v * probe, v

            gradient, v = backend.input_gradient(along, x, has_aux=True)
            trace = ops.sum(gradient * probe, axis=(1, 2, 3))
            return ops.stop_gradient(v), ops.stop_gradient(trace)

        x, trace = self._integrated(slopes, x, path)
        return self.log_prior(x) + trace

    def log_likelihood(
        self,
        images,
        labels=None,
        *,
        num_samples: int = 1,
        steps: int | None = None,
        seed=None,
        batch_size: int = 64,
    ):
        """A bound on log P(x) of each image of 8 bits, by its density with noise in its last bit.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            num_samples: int. Draws of that noise, and of the trace's probe, that are averaged.
            steps: int. Of the ODE, each of which asks the network twice. Defaults to the model's
                sampler's.
            seed: int, None, which draws one, or an int array (num,).
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        if not self.has_likelihood:
            raise ValueError(
                "Expected a prior of which all numbers have a density above 0, as 'normal', for a "
                f"likelihood. Received: a prior {type(self.prior).__name__}"
            )
        x, copies = self.image.check(images), whole_number("num_samples", num_samples)
        rows = {"image": np.repeat(x, copies, axis=0), "seed": seeds_of(seed, len(x), copies)}
        y, sampler = self._repeated(labels, len(x), copies), self.own_sampler(None, steps)
        found = self.run(self._log_likelihood, rows, y, batch_size=batch_size, sampler=sampler)
        return found.reshape(len(x), copies).mean(axis=1, dtype="float64")

    def _log_likelihood(self, y, image, noise, sampler):
        shape = ops.shape(image)
        in_256 = ops.round(255.0 * image) + noise.uniform(shape)
        probe = ops.where(noise.uniform(shape) < 0.5, -1.0, 1.0)
        nats = self.log_density(in_256 / 128.0 - 1.0, y, probe, self.path(sampler))
        return nats - math.prod(self.image_shape) * math.log(128.0)

    def signatures(self):
        def log_likelihood(y, image, noise):
            nats = self._log_likelihood(y, image, noise, self.own_sampler())
            return {"nats": nats, "bits_per_dim": bits_per_dim(-nats, self.image_shape)}

        found = super().signatures()
        if self.has_likelihood:
            found["log_likelihood"] = log_likelihood, {"image": self.image, "seed": Seed()}
        return found
