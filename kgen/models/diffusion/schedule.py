"""How much noise there is at each time, and the times that a sampler takes."""

import numpy as np

from kgen import checks
from kgen.samplers import Path

MOST = 0.999  # of a beta, as in the code of Nichol & Dhariwal


class Schedule:
    """The noise of T steps: q(x_t|x_0) = N(sqrt(alpha_bar_t) x_0, (1 - alpha_bar_t) I).

    t is 0 ... T - 1, with one step of noise at 0. All arrays are of float64, (T,).

    Args:
        betas: array (T,) in (0, 1), the variance that each step adds; T at least 2.

    Attributes:
        betas: beta_t.
        alphas_bar: alpha_bar_t, the product of 1 - beta up to t.
        signal: sqrt(alpha_bar_t).
        noise: sqrt(1 - alpha_bar_t).
        of_x0: c_1 of the mean c_1 x_0 + c_2 x_t of q(x_{t-1}|x_t, x_0).
        of_xt: c_2 of it.
        posterior_variance: the variance of q(x_{t-1}|x_t, x_0); 0 at 0.
        log_small: its logarithm, with that of t = 1 at 0.
        log_large: log beta_t, with `log_small` at 0.

    Reference: Ho et al., Denoising Diffusion Probabilistic Models, 2020, eq. 4, 6 and 7.
    https://arxiv.org/abs/2006.11239
    """

    def __init__(self, betas):
        betas = np.asarray(betas, "float64")
        if betas.ndim != 1 or len(betas) < 2 or not ((betas > 0) & (betas < 1)).all():
            raise ValueError(
                "Expected a schedule as betas, two numbers at least, in (0, 1): the variance that "
                f"each step adds. Received: {betas!r:.80}"
            )
        self.betas = betas
        log = np.cumsum(np.log1p(-betas))
        before = np.concatenate([[0.0], log[:-1]])
        variance, variance_before = -np.expm1(log), -np.expm1(before)
        self.alphas_bar = np.exp(log)
        self.signal, self.noise = np.exp(log / 2), np.sqrt(variance)
        self.of_x0 = np.exp(before / 2) * betas / variance
        self.of_xt = np.sqrt(1.0 - betas) * variance_before / variance
        self.posterior_variance = betas * variance_before / variance
        self.log_small = np.log(np.maximum(self.posterior_variance, self.posterior_variance[1]))
        self.log_small[1:] = np.log(self.posterior_variance[1:])
        self.log_large = np.concatenate([self.log_small[:1], np.log(betas[1:])])

    def __len__(self):
        return len(self.betas)

    def times(self, steps=None, spacing="even"):
        """The steps that so many of them stand for, rising.

        Args:
            steps: int of at most T, or None for all.
            spacing: "even" from 0 to T - 1 (Nichol & Dhariwal); "leading", which begins at 0 and
                ends before T - 1, and "quadratic", which ends at about 0.8 T (Song et al.);
                "trailing", which ends at T - 1 (Lin et al. 2023);
                "karras", those nearest to equal steps of (noise / signal)^(1/7), up to 80^(1/7)
                (Karras et al. 2022, eq. 5). Where two are the same there are fewer.
        """
        total = len(self)
        steps = checks.whole_number("steps", steps, 2, total, optional=True)
        if spacing not in (*_SPACINGS, "karras"):
            raise ValueError(
                f"Expected spacing among {', '.join(_SPACINGS)}, karras. Received: {spacing=}"
            )
        if spacing == "karras":
            return self._as_karras(steps or total)
        if steps in (None, total):
            return np.arange(total)
        return np.unique(_SPACINGS[spacing](total, steps))

    def _as_karras(self, steps):
        sigma = self.noise / self.signal
        ends = [sigma[0] ** (1 / 7), min(sigma[-1], 80.0) ** (1 / 7)]
        wanted = np.linspace(*ends, steps) ** 7
        return np.unique(np.abs(np.log(sigma) - np.log(wanted)[:, None]).argmin(axis=1))

    def path(self, times):
        """Back from the last of some times to images."""
        times = times[::-1]
        signal, noise = (np.append(a[times], end) for a, end in ((self.signal, 1), (self.noise, 0)))
        return Path(times.astype("float64"), signal, noise)


_SPACINGS = {
    "even": lambda total, n: np.round(np.arange(n) * (total - 1) / (n - 1)).astype(int),
    "leading": lambda total, n: np.arange(0, total, total // n)[:n],
    "trailing": lambda total, n: np.round(np.arange(1, n + 1) * total / n).astype(int) - 1,
    "quadratic": lambda total, n: np.square(np.linspace(0, (0.8 * total) ** 0.5, n)).astype(int),
}


def linear(steps=1000):
    """Betas from 1e-4 to 0.02 in 1,000 steps; in T of them both are 1000 / T times as large.

    Reference: Ho et al. 2020, section 4.
    """
    scale = 1000.0 / steps
    return np.minimum(np.linspace(1e-4 * scale, 0.02 * scale, steps), MOST)


def cosine(steps=1000):
    """alpha_bar(u) = cos^2((u + 0.008) / 1.008 pi / 2), u in [0, 1], with betas up to 0.999.

    Reference: Nichol & Dhariwal, Improved Denoising Diffusion Probabilistic Models, 2021, eq. 17.
    https://arxiv.org/abs/2102.09672
    """
    return _of_bar(lambda u: np.square(np.cos((u + 0.008) / 1.008 * np.pi / 2)), steps)


def sigmoid(steps=1000):
    """alpha_bar(u) = (s(3) - s(6 u - 3)) / (s(3) - s(-3)), s(v) = 1 / (1 + exp(-v)).

    Reference: Jabri et al., Scalable Adaptive Computation for Iterative Generation, 2022.
    https://arxiv.org/abs/2212.11972
    """

    def s(v):
        return 1.0 / (1.0 + np.exp(-v))

    return _of_bar(lambda u: (s(3.0) - s(6.0 * u - 3.0)) / (s(3.0) - s(-3.0)), steps)


def _of_bar(alpha_bar, steps):
    bar = alpha_bar(np.arange(steps + 1) / steps)
    return np.minimum(1.0 - bar[1:] / bar[:-1], MOST)


_BY_NAME = {"linear": linear, "cosine": cosine, "sigmoid": sigmoid}


def get(schedule, steps=1000):
    """A `Schedule` by its name, or of a user's betas.

    Args:
        schedule: "linear", "cosine", "sigmoid", or an array of betas.
        steps: int. T of a name; an array has its own.
    """
    if not isinstance(schedule, str):
        return Schedule(schedule)
    if schedule not in _BY_NAME:
        raise ValueError(
            f"Expected a schedule of {', '.join(_BY_NAME)}, or an array of betas. Received: "
            f"schedule={schedule!r}"
        )
    return Schedule(_BY_NAME[schedule](checks.whole_number("timesteps", steps, at_least=2)))
