"""Images in another size, without the losses that figures are known to differ by."""

import numpy as np
from PIL import Image


def resized(x, size):
    """Images scaled by Pillow's bicubic filter, each channel in floats, without rounding.

    Args:
        x: float32 array (num, height, width, channels).
        size: (height, width).

    Returns:
        float32 array (num, *size, channels), which may leave the range of x beside sharp edges.

    Reference: Parmar et al., On Aliased Resizing and Surprising Subtleties in GAN Evaluation, 2021.
    https://arxiv.org/abs/2104.11222
    """
    if x.shape[1:3] == tuple(size):
        return x
    height, width = size
    scaled = np.empty((len(x), height, width, x.shape[3]), "float32")
    for i, image in enumerate(x):
        for channel in range(x.shape[3]):
            one = Image.fromarray(np.ascontiguousarray(image[..., channel]))
            scaled[i, ..., channel] = one.resize((width, height), Image.Resampling.BICUBIC)
    return scaled


def resized_as_tensorflow_1(x, size):
    """Images scaled as the graphs of TensorFlow 1 did it: bilinear, corners first, no antialiasing.

    Args:
        x: float32 array (num, height, width, channels).
        size: (height, width).

    Returns:
        float32 array (num, *size, channels).
    """
    for axis, length in enumerate(size, start=1):
        known = x.shape[axis]
        at = np.arange(length, dtype="float32") * np.float32(known / length)
        low = at.astype(int)
        part = (at - low.astype("float32")).reshape(-1, *(1,) * (3 - axis))
        lower, upper = (x.take(rows, axis) for rows in (low, np.minimum(low + 1, known - 1)))
        x = lower + (upper - lower) * part
    return x


def to_rgb(x):
    """Images with three channels: grey ones three times.

    Raises:
        ValueError: the images have other channels.
    """
    if x.shape[3] not in (1, 3):
        raise ValueError(
            "Expected images of 1 or 3 channels, for features of colour pictures. Received: "
            f"images of {x.shape[3]} channels"
        )
    return np.repeat(x, 3, axis=3) if x.shape[3] == 1 else x
