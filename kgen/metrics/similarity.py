"""How alike two images are: PSNR and SSIM."""

import numpy as np

from kgen.checks import number, whole_number
from kgen.metrics.arrays import checked


def psnr(images, others):
    """The peak signal-to-noise ratio of each image: -10 log10 of the mean squared error, in dB.

    Args:
        images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
        others: array of the same shape, such as reconstructions.

    Returns:
        float64 array (num,), infinite of equal images.

    Example:
    >>> kgen.metrics.psnr(np.zeros((1, 2, 2, 1)), np.full((1, 2, 2, 1), 0.1)).round(9).tolist()
    [20.0]
    """
    x, y = _pair(images, others)
    error = np.square(x - y).mean(axis=(1, 2, 3))
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(error)


def ssim(images, others, size=11, std=1.5):
    """The structural similarity of each image, averaged over its pixels and channels.

    Args:
        images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
        others: array of the same shape, such as reconstructions.
        size: int, odd. The side of the Gaussian window; smaller images need a smaller one. Defaults
            to the paper's 11.
        std: float above 0. The window's standard deviation in pixels. Defaults to the paper's 1.5.

    Returns:
        float64 array (num,) in [-1, 1], 1 of equal images.

    Reference: Wang et al., Image Quality Assessment: From Error Visibility to Structural
    Similarity, 2004, eq. 13 to 16. https://doi.org/10.1109/TIP.2003.819861
    """
    x, y = _pair(images, others)
    size, std = whole_number("size", size), number("std", std, above=0.0)
    if size % 2 == 0 or size > min(x.shape[1:3]):
        raise ValueError(
            "Expected size as an odd number of pixels that the images have in height and width. "
            f"Received: {size=} and images of {x.shape[1]}x{x.shape[2]}"
        )
    window = np.exp(-0.5 * np.square((np.arange(size) - size // 2) / std))
    window /= window.sum()

    def smooth(a):
        for axis in (1, 2):
            a = np.lib.stride_tricks.sliding_window_view(a, size, axis=axis) @ window
        return a

    c1, c2 = 0.01**2, 0.03**2
    mean_x, mean_y = smooth(x), smooth(y)
    var_x, var_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    likeness = (2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return likeness.mean(axis=(1, 2, 3))


def _pair(images, others):
    x, y = (_unit_range(*each) for each in (("images", images), ("others", others)))
    if x.shape != y.shape:
        raise ValueError(
            f"Expected images of one shape. Received: images {x.shape} and others {y.shape}"
        )
    return x, y


def _unit_range(name, images):
    images = np.asarray(images)
    if images.dtype.kind in "iu":
        return checked(name, images, 4, low=0, high=255) / 255.0
    return checked(name, images, 4, low=0, high=1)
