"""Schedules: the papers' numbers at their ends and within, to ten digits."""

import numpy as np
import pytest

from kgen.models.diffusion import schedule
from kgen.models.diffusion.schedule import Schedule

pytestmark = pytest.mark.anywhere


def test_linear():
    s = schedule.get("linear")
    bar = [0.9999, 0.9997800921, 0.5214230306, 0.07779665837, 0.003300158362, 4.035829765e-05]
    np.testing.assert_allclose(s.alphas_bar[[0, 1, 250, 500, 750, 999]], bar, rtol=1e-9)
    variance = [5.453187661e-05, 0.01005133578, 0.01999998353]
    np.testing.assert_allclose(s.posterior_variance[[1, 500, 999]], variance, rtol=1e-9)
    np.testing.assert_allclose(s.of_x0[[1, 500]], [0.5452914995, 0.003058057076], rtol=1e-9)
    np.testing.assert_allclose(s.of_xt[[1, 500]], [0.454708499, 0.9941043508], rtol=1e-9)
    snr = np.square(s.signal / s.noise)[[0, 999]]
    np.testing.assert_allclose(np.log(snr), [9.210240367, -10.11767318], rtol=1e-9)
    sigma = s.noise / s.signal
    np.testing.assert_allclose(sigma[[0, 999]], [0.01000050004, 157.4072808], rtol=1e-9)
    assert (s.of_x0[0], s.of_xt[0], s.posterior_variance[0]) == (pytest.approx(1.0), 0.0, 0.0)
    assert s.log_small[0] == s.log_small[1] == s.log_large[0] == np.log(s.posterior_variance[1])
    np.testing.assert_array_equal(s.log_large[1:], np.log(s.betas[1:]))


def test_cosine():
    s = schedule.get("cosine")
    np.testing.assert_allclose(s.betas[[0, 998, 999]], [4.128422482e-05, 0.7499993929, 0.999])
    assert (s.betas == 0.999).sum() == 1
    bar = [0.9999587158, 0.8458879865, 0.4922851724, 0.1431786464, 2.428766907e-06, 2.428766907e-09]
    np.testing.assert_allclose(s.alphas_bar[[0, 250, 500, 750, 998, 999]], bar, rtol=1e-9)
    assert (s.noise / s.signal)[999] == pytest.approx(20291.16961, rel=1e-9)
    long = schedule.get("cosine", 4000)
    assert long.betas[0] == pytest.approx(9.865818814e-06, rel=1e-9)
    assert long.alphas_bar[3999] == pytest.approx(1.517980469e-10, rel=1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine", "sigmoid"])
@pytest.mark.parametrize("steps", [2, 20, 1000])
def test_any_number_of_steps(name, steps):
    s = schedule.get(name, steps)
    assert len(s) == steps and ((s.betas > 0) & (s.betas <= 0.999)).all()
    assert (np.diff(s.alphas_bar) < 0).all()
    np.testing.assert_allclose(s.signal**2 + s.noise**2, 1.0, rtol=1e-12)
    # The posterior's mean of a point without noise is that of the step before.
    before = np.append(1.0, s.signal[:-1])
    np.testing.assert_allclose(s.of_x0 + s.of_xt * s.signal, before, rtol=1e-9)


def test_times():
    s = schedule.get("linear")
    even = s.times(10)
    assert even.tolist() == [0, 111, 222, 333, 444, 555, 666, 777, 888, 999]
    assert s.times(10, "leading").tolist() == list(range(0, 1000, 100))
    assert s.times(10, "trailing").tolist() == list(range(99, 1000, 100))
    quadratic = [0, 9, 39, 88, 158, 246, 355, 483, 632, 800]
    assert np.abs(s.times(10, "quadratic") - quadratic).max() <= 1  # of 800 less a rounding
    few = schedule.get("linear", 100).times(20, "quadratic")  # of which four would be 0 or 1
    assert len(few) < 20 and (np.diff(few) > 0).all()
    assert s.times().tolist() == s.times(1000, "quadratic").tolist() == list(range(1000))


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_times_as_karras(name):
    s = schedule.get(name)
    times = s.times(18, "karras")
    sigma = (s.noise / s.signal)[times]
    assert times[0] == 0 and len(times) == 18 and (np.diff(times) > 0).all()
    assert sigma[-1] == pytest.approx(80.0, rel=0.1)
    np.testing.assert_allclose(
        np.diff(sigma ** (1 / 7)), np.diff(sigma ** (1 / 7)).mean(), rtol=0.4
    )


def test_a_path_ends_at_images():
    s = schedule.get("linear", 200)
    path = s.path(s.times(7))
    assert path.t[0] == 199 and path.t[-1] == 0 and path.signal[-1] == 1 and path.noise[-1] == 0
    np.testing.assert_array_equal(path.signal[:-1], s.signal[s.times(7)][::-1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedule.get("quadratic"), "linear, cosine, sigmoid.*Received: .*quadratic"),
        (lambda: schedule.get("linear", 1), "timesteps as a whole number of at least 2"),
        (lambda: Schedule([0.1]), "two numbers at least"),
        (lambda: Schedule([0.1, 1.0]), r"in \(0, 1\)"),
        (lambda: Schedule([0.1, np.nan]), r"in \(0, 1\)"),
        (lambda: schedule.get("linear", 10).times(11), "steps as a whole number in 2..10"),
        (lambda: schedule.get("linear", 10).times(5, "odd"), "even, leading"),
    ],
)
def test_what_is_no_schedule(make, message):
    with pytest.raises(ValueError, match=message):
        make()
