"""The family of models with a bound on the likelihood of images, of samples of their codes."""

import math

import numpy as np

from kgen import distributions
from kgen.checks import whole_number
from kgen.fields import Seed
from kgen.losses import bits_per_dim
from kgen.models.in_batches import with_progress
from kgen.seeds import seeds_of


def distribution_of(likelihood, channels):
    """What `likelihood=` of a model of images of so many channels is, and its distribution."""
    if likelihood is None:
        likelihood = "bernoulli" if channels == 1 else "discretized_logistic"
    return likelihood, distributions.get(likelihood)


class Bounded:
    """A model of p(x|z), with an attribute `distribution`, and of a posterior q(z|x) of its codes.

    A subclass gives `_log_weights_of`, and logs `reconstruction_loss` and `kl_loss`.
    """

    for_8_bits = "likelihood='discretized_logistic'"

    def _log_weights_of(self, y, image, noise, turn, k):
        """Log p(x, z) - log q(z|x) of k samples z ~ q(z|x), (batch, k), in nats.

        Args:
            y: the condition, or None.
            image: tensor (batch, height, width, channels) in [0, 1].
            noise: `kgen.noise.Noise`, of the observation and, at the turn, of the samples.
            turn: int tensor (batch,) or int.
            k: int.
        """
        raise NotImplementedError

    def _numbers_of_each(self):
        """How many numbers `_log_weights_of` holds of each sample."""
        return math.prod(self.image_shape)

    def check_inputs(self, x, y):
        x, y = super().check_inputs(x, y)
        if isinstance(self.distribution, distributions.Bernoulli) and not self.has_told("grey"):
            self._tell_of_grey(x[:64])
        return x, y

    def _tell_of_grey(self, x):
        """Warns, once, of images of which binarization leaves little."""
        x = x / 255.0 if x.dtype.kind in "iu" else x.astype("float32")
        if np.mean(4.0 * x * (1.0 - x)) > 0.7:  # digits of 8x8 have 0.28, photographs 0.75
            self.tell_once(
                "grey",
                "The likelihood 'bernoulli' draws each pixel black or white, and these images are "
                f"mostly grey: {self.for_8_bits} is exact for 8-bit images.",
            )

    def figures(self, logs):
        """The ELBO in nats an image, its two terms, and bits/dim of levels, 3 or more."""
        elbo = -(logs["reconstruction_loss"] + logs["kl_loss"])
        figures = {"elbo": elbo} | {k: v for k, v in logs.items() if k != "loss"}
        if self.distribution.has_bits_per_dim:
            figures["bits_per_dim"] = bits_per_dim(-elbo, self.image_shape)
        return figures

    def elbo(self, images, labels=None, *, num_samples=1, seed=None, batch_size=100):
        """The evidence lower bound of each image, at beta = 1.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            num_samples: int. Samples of z an image.
            seed: int, None, which draws one, or an int array (num,). Seeds z and the binarization.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        total = 0.0
        for log_weights in self._log_weights(images, labels, num_samples, seed, batch_size):
            total += log_weights.sum(axis=1)
        return total / num_samples

    def log_likelihood(self, images, labels=None, *, num_samples=100, seed=None, batch_size=100):
        """The importance-weighted bound on log p(x) of each image.

        log 1/K sum_k p(x, z_k) / q(z_k|x),  z_k ~ q(z|x)   (Burda et al. 2015, eq. 8): the ELBO for
        K = 1, log p(x) in the limit, never falling with K in expectation.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            num_samples: int. K; any number fits in memory.
            seed: int, None, which draws one, or an int array (num,). Seeds z and the binarization.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num,), in nats.
        """
        total = -np.inf
        for log_weights in self._log_weights(images, labels, num_samples, seed, batch_size):
            with np.errstate(invalid="ignore"):  # of weights that are NaN, as the bound then is
                total = np.logaddexp(total, np.logaddexp.reduce(log_weights, axis=1))
        return total - np.log(num_samples)

    def _log_weights(self, images, labels, num_samples, seed, batch_size):
        """Yields log p(x, z) - log q(z|x) of a few samples z at a time, (num, samples)."""
        num_samples = whole_number("num_samples", num_samples)
        x = self.image.check(images)
        seeds = seeds_of(seed, len(x))
        # So many samples that they take 16 MiB in batches of the default size.
        at_a_time = max(1, min(num_samples, 64, 2**22 // (100 * self._numbers_of_each())))
        starts = range(0, num_samples, at_a_time)
        for turn, start in enumerate(with_progress(starts)):
            rows = {"image": x, "seed": seeds, "turn": np.full(len(x), turn, "int32")}
            log_weights = self.run(
                self._log_weights_of,
                rows,
                labels,
                show_progress=False,
                batch_size=batch_size,
                k=at_a_time,
            )
            yield log_weights[:, : num_samples - start].astype("float64")

    def signatures(self):
        def elbo(y, image, noise):
            return {"elbo": self._log_weights_of(y, image, noise, 0, 1)[:, 0]}

        inputs = {"image": self.image, "seed": Seed()}
        return super().signatures() | {"elbo": (elbo, inputs)}
