"""Samplers in a world that is known: of Gaussian data every step is linear.

Of x_0 ~ N(0, v) the best guess of it is k x_t, k = signal v / (signal^2 v + noise^2), so that the
variance of x goes from step to step by a number that `rows` has: the papers' digits, in float64.
"""

import numpy as np
import pytest

from kgen import samplers
from kgen.models.diffusion import schedule
from kgen.samplers import DDIM, Ancestral, DPMSolver, Heun, Path

LINEAR = schedule.get("linear")
pytestmark = pytest.mark.anywhere


class Noise:
    """One that draws nothing: what is drawn is counted by its variance."""

    def normal(self, shape):
        return 0.0


def guess(v, row):
    return row["signal"] * v / (row["signal"] ** 2 * v + row["noise"] ** 2)


def variance_at_the_end(sampler, path, v, log_variance="log_small"):
    """Of x after all steps, from 1 before them."""
    rows = sampler.rows(path) | {"t": path.t, "signal": path.signal[:-1], "noise": path.noise[:-1]}
    x, last, variance = np.float64(1.0), 0.0, 0.0
    for i in range(len(path.t)):
        row = {name: float(column[i]) for name, column in rows.items()}

        def x0_of(x, row):
            return guess(v, row) * x, np.float64(row.get(log_variance, 0.0))

        added = row.get("std", 0.0) ** 2
        if "draws" in row:
            added = row["draws"] * np.exp(row[log_variance])
        if sampler.is_random:  # each draw is as if x began at 1
            factor, _ = sampler.step(np.float64(1.0), row, x0_of, 0.0, Noise())
            x, variance = x * float(factor), float(factor) ** 2 * variance + added
        else:
            x, last = sampler.step(x, row, x0_of, last, Noise())
    return x**2 + variance


def of(sampler, v, **kwargs):
    times = LINEAR.times(sampler.steps, sampler.spacing or "even")
    return variance_at_the_end(sampler, LINEAR.path(times), v, **kwargs)


@pytest.mark.parametrize(
    ("v", "log_variance", "expected"),
    [
        (1.0, "log_large", 0.9999),
        (0.25, "log_large", 0.250752075),
        (0.0, "log_large", 0.0),
        (1.0, "log_small", 0.9910673764),
        (0.25, "log_small", 0.2461252114),
    ],
)
def test_ancestral(v, log_variance, expected):
    assert of(Ancestral(), v, log_variance=log_variance) == pytest.approx(expected, abs=1e-6)


DDIMS = {
    (0.25, 0.0): [0.1399721299, 0.188125549, 0.2231987155, 0.2361771118, 0.2484975472],
    (1.0, 0.0): [0.6917180315, 0.8327141177, 0.9294488416, 0.9640310613, 0.9962521063],
    (0.25, 1.0): [0.1110643028, 0.1532444181, 0.197245113, 0.219263565, 0.2461252114],
    (1.0, 1.0): [0.5482073402, 0.7107259191, 0.8574339089, 0.9215991648, 0.9910673764],
}


@pytest.mark.parametrize(("v", "eta"), DDIMS)
def test_ddim(v, eta):
    found = [of(DDIM(s, "leading", eta), v) for s in (10, 20, 50, 100, 1000)]
    np.testing.assert_allclose(found, DDIMS[v, eta], rtol=1e-9)


def test_ddim_of_trailing_steps():
    assert of(DDIM(10, "trailing"), 0.25) == pytest.approx(0.1368665608, rel=1e-9)


def test_ddim_with_noise_is_ancestral():
    for steps, path in (
        (7, LINEAR.path(LINEAR.times(7))),
        (1000, LINEAR.path(LINEAR.times(1000))),
        (18, edm_path(18)),  # of a noise that is added to a whole signal
    ):
        a, b = Ancestral(steps).rows(path), DDIM(steps, eta=1.0).rows(path)
        for name in ("of_x", "of_x0"):
            np.testing.assert_allclose(a[name], b[name], rtol=1e-7, atol=1e-12)
        std = a["draws"] * np.exp(0.5 * a["log_small"])
        np.testing.assert_allclose(b["std"], std, rtol=1e-7, atol=1e-12)


def test_all_steps_are_the_schedules():
    rows = Ancestral().rows(LINEAR.path(LINEAR.times()))
    for name, expected in (
        ("of_x", LINEAR.of_xt),
        ("of_x0", LINEAR.of_x0),
        ("log_small", LINEAR.log_small),
        ("log_large", LINEAR.log_large),
    ):
        np.testing.assert_allclose(rows[name][::-1], expected, rtol=1e-9, atol=1e-12)


def edm_path(steps):
    """Noise levels of Karras et al. 2022, eq. 5, from 80 to 0.002, beside a whole signal."""
    i = np.arange(steps) / (steps - 1)
    sigma = (80 ** (1 / 7) + i * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    return Path(sigma, np.ones(steps + 1), np.append(sigma, 0.0))


def edm(sampler, steps):
    """Where x = 80 ends, of data N(0, 0.25)."""
    return 80.0 * variance_at_the_end(sampler, edm_path(steps), 0.25) ** 0.5


def test_heun_is_of_second_order():
    found = [edm(Heun(n), n) for n in (18, 36, 72)]
    np.testing.assert_allclose(found, [0.527624637, 0.5060970919, 0.5014256262], rtol=1e-9)
    errors = np.array(found) - 0.4999902347
    np.testing.assert_allclose(errors[:-1] / errors[1:], 4.4, atol=0.2)
    assert edm(DDIM(18), 18) == pytest.approx(0.4230314364, rel=1e-9)  # Euler's


@pytest.mark.parametrize(
    ("kind", "steps", "order"),
    [(DDIM, (100, 200, 400), 1), (DPMSolver, (100, 200, 400), 2), (Heun, (25, 50, 100), 2)],
)
def test_orders_of_the_ode(kind, steps, order):
    """Along the ODE the deviation is that of x_t, and the last step is the guess of x_0."""
    v, of_xt = 0.25, np.square(LINEAR.signal) * 0.25 + np.square(LINEAR.noise)
    row = {"signal": LINEAR.signal[0], "noise": LINEAR.noise[0]}
    exact = of_xt[0] / of_xt[-1] * guess(v, row) ** 2
    errors = np.abs([of(kind(n, "even"), v) - exact for n in steps])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), order, atol=0.15)


def test_dpm_solver_begins_and_ends_as_ddim():
    path = LINEAR.path(LINEAR.times(20))
    first, ddim = DPMSolver(20).rows(path), DDIM(20).rows(path)
    for i in (0, -1):
        assert first["of_x"][i] == pytest.approx(ddim["of_x"][i], rel=1e-9, abs=1e-12)
        assert first["of_x0"][i] == pytest.approx(ddim["of_x0"][i], rel=1e-9)
    np.testing.assert_allclose(first["of_x0"] + first["of_last"], ddim["of_x0"], rtol=1e-9)


@pytest.mark.parametrize("sampler", [Ancestral(10), DDIM(10), DDIM(10, eta=0.5), DPMSolver(10)])
def test_a_known_image_is_reached(sampler):
    """Where x_0 is known, the last step ends there."""
    rows = sampler.rows(LINEAR.path(LINEAR.times(10)))
    last = rows["of_x0"][-1] + rows.get("of_last", np.zeros(10))[-1]
    assert last == pytest.approx(1.0) and rows["of_x"][-1] == pytest.approx(0.0, abs=1e-12)


def test_by_name():
    assert samplers.get("ddim") == DDIM() and samplers.get("heun", 5) == Heun(5)
    mine = DDIM(10, eta=0.5)
    assert samplers.get(mine) is mine and samplers.get(mine, 4) == DDIM(4, eta=0.5)
    for wrong in ("euler", 3):
        with pytest.raises(ValueError, match="sampler"):
            samplers.get(wrong)
    with pytest.raises(ValueError, match="eta"):
        DDIM(eta=-1.0)
    with pytest.raises(ValueError, match="steps"):
        Heun(steps=1)
