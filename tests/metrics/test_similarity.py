import numpy as np
import pytest

from kgen import metrics

pytestmark = pytest.mark.anywhere

IMAGES = np.random.default_rng(0).random((3, 16, 20, 2))


def test_psnr():
    """-10 log10 of an error of 0.1^2."""
    found = metrics.psnr(np.clip(IMAGES, 0.2, 0.8) + 0.1, np.clip(IMAGES, 0.2, 0.8))
    np.testing.assert_allclose(found, 20.0, rtol=1e-12)
    assert metrics.psnr(IMAGES, IMAGES).tolist() == [np.inf] * 3


def test_the_range_is_that_of_the_dtype():
    x = np.random.default_rng(1).integers(0, 256, (2, 12, 12, 1), dtype="uint8")
    y = np.roll(x, 1, axis=1)
    for figure in (metrics.psnr, metrics.ssim):
        np.testing.assert_allclose(figure(x, y), figure(x / 255.0, y / 255.0), rtol=1e-12)
        np.testing.assert_allclose(figure(x, y), figure(x, y / 255.0), rtol=1e-12)


def test_ssim_by_hand():
    """A window that is the image: one mean, variance and covariance."""
    x, y = np.random.default_rng(2).random((2, 1, 3, 3, 1))
    w = np.exp(-0.5 * np.square(np.arange(-1, 2) / 1.5))
    w = np.outer(w, w) / w.sum() ** 2
    a, b = x[0, ..., 0], y[0, ..., 0]
    mean_a, mean_b = (w * a).sum(), (w * b).sum()
    var_a, var_b = (w * (a - mean_a) ** 2).sum(), (w * (b - mean_b) ** 2).sum()
    both = (w * (a - mean_a) * (b - mean_b)).sum()
    expected = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
    expected /= (mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)
    assert metrics.ssim(x, y, size=3)[0] == pytest.approx(expected, rel=1e-9)


def test_ssim_of_the_same_and_of_worse():
    assert metrics.ssim(IMAGES, IMAGES) == pytest.approx(1.0)
    noise = np.random.default_rng(3).standard_normal(IMAGES.shape)
    found = [
        metrics.ssim(np.clip(IMAGES + by * noise, 0, 1), IMAGES).mean() for by in (0, 0.1, 0.3)
    ]
    assert found == sorted(found, reverse=True) and found[-1] < 0.8


@pytest.mark.parametrize(
    ("images", "others", "message"),
    [
        (IMAGES, IMAGES[:2], "of one shape"),
        (IMAGES * 2, IMAGES, r"images in \[0, 1\]"),
        (IMAGES[0], IMAGES[0], "along 4 axes"),
    ],
)
def test_bad_input(images, others, message):
    for figure in (metrics.psnr, metrics.ssim):
        with pytest.raises(ValueError, match=message):
            figure(images, others)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 17}, "Received: size=17 and images of 16x20"),
        ({"size": 3.0}, "size as a whole number"),
        ({"std": 0.0}, "std as a finite number above 0"),
    ],
)
def test_bad_windows(given, message):
    with pytest.raises(ValueError, match=message):
        metrics.ssim(IMAGES, IMAGES, **given)
