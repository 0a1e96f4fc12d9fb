"""Pictures of what a model has learned: `PIL.Image.Image`s, written to a file on request."""

import os

import numpy as np


def grid(images, columns=None, path=None, scale=None, gap=1):
    """Images side by side.

    Args:
        images: array (num, height, width, channels), floats in [0, 1] or uint8, 1 or 3 channels.
        columns: int. Images in a row; the square root of their number by default.
        path: str or None. A PNG file to write as well.
        scale: int. Screen pixels a pixel; by default small images are enlarged to about 48.
        gap: int. Pixels between images, before scaling.

    Returns:
        PIL.Image.Image.

    Example:
    >>> kgen.pictures.grid(np.zeros((6, 8, 8, 1)), columns=3, scale=1).size
    (28, 19)
    """
    from PIL import Image

    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) == 0:
        raise ValueError(
            "Expected images of shape (num, height, width, 1 or 3). Received: an array of shape "
            f"{images.shape}"
        )
    if not np.issubdtype(images.dtype, np.integer):
        images = np.rint(np.clip(images, 0.0, 1.0) * 255.0)
    num, height, width, channels = images.shape
    columns = columns or int(np.ceil(np.sqrt(num)))
    rows = -(-num // columns)
    scale = scale or max(1, round(48 / max(height, width)))
    canvas = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, "uint8"
    )
    for i, image in enumerate(images.astype("uint8")):
        top = gap + (i // columns) * (height + gap)
        left = gap + (i % columns) * (width + gap)
        canvas[top : top + height, left : left + width] = image
    picture = Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.NEAREST)
    if path is not None:
        save(picture, path)
    return picture


def save(picture, path):
    """Writes a picture as PNG, whole or not at all.

    Args:
        picture: PIL.Image.Image.
        path: str. Its folder is made if it is missing.
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{name}.tmp")
    try:
        picture.save(temporary, format="PNG")
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def reconstructions(model, images, labels=None, path=None, columns=8):
    """Originals with their reconstructions below them.

    Args:
        model: an autoencoder.
        images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
        labels: int array (num,), for a conditional model.
        path: str or None. A PNG file to write as well.
        columns: int. Pairs in a row.

    Returns:
        PIL.Image.Image.
    """
    originals = model.prepare_images(images)
    copies = model.reconstruct(images, labels)
    rows = []
    for start in range(0, len(originals), columns):
        for part in (originals[start : start + columns], copies[start : start + columns]):
            blank = np.ones((columns - len(part), *part.shape[1:]), part.dtype)
            rows.append(np.concatenate([part, blank]))
    return grid(np.concatenate(rows), columns, path)


def manifold(model, size=20, dims=(0, 1), label=None, path=None):
    """The latent plane of two dimensions, by equal steps of the prior's probability.

    Rows go down the first dimension and columns along the second, at the normal distribution's
    quantiles; the other dimensions are 0. This is figure 4 of Kingma & Welling 2013.

    Args:
        model: a model with `decode` and `latent_dim`.
        size: int. Images along each dimension.
        dims: pair of int. The two dimensions.
        label: int, for a conditional model.
        path: str or None. A PNG file to write as well.

    Returns:
        PIL.Image.Image.
    """
    from statistics import NormalDist

    _check_dims(model, dims, 2)
    steps = [NormalDist().inv_cdf((i + 0.5) / size) for i in range(size)]
    z = np.zeros((size * size, model.latent_dim), "float32")
    z[:, dims[0]] = np.repeat(steps, size)
    z[:, dims[1]] = np.tile(steps, size)
    return grid(model.decode(z, label), size, path, gap=0)


def traversal(model, z, dims=None, limit=3.0, steps=11, label=None, path=None):
    """One latent dimension varied at a time: a row a dimension.

    Args:
        model: a model with `decode` and `latent_dim`.
        z: array (latent_dim,). Where the other dimensions stay.
        dims: sequence of int. Which dimensions; by default the first ten.
        limit: float. A row goes from -limit to limit.
        steps: int. Images in a row.
        label: int, for a conditional model.
        path: str or None. A PNG file to write as well.

    Returns:
        PIL.Image.Image.
    """
    dims = range(min(10, model.latent_dim)) if dims is None else dims
    _check_dims(model, dims, len(dims))
    rows = np.tile(np.asarray(z, "float32"), (len(dims), steps, 1))
    for row, dim in zip(rows, dims, strict=True):
        row[:, dim] = np.linspace(-limit, limit, steps)
    return grid(model.decode(rows.reshape(-1, model.latent_dim), label), steps, path)


def interpolation(model, start, end, steps=11, spherical=False, labels=None, path=None):
    """The way from each image of `start` to its partner in `end`: a row a pair.

    Args:
        model: an autoencoder.
        start: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
        end: array of the same shape.
        steps: int. Images in a row, both ends' reconstructions among them.
        spherical: bool. Along the great circle instead of the straight line, which keeps to the
            shell where a normal prior has its mass (White 2016, https://arxiv.org/abs/1609.04468).
        labels: int array (num,), for a conditional model.
        path: str or None. A PNG file to write as well.

    Returns:
        PIL.Image.Image.
    """
    path_of = slerp if spherical else lerp
    z_start, z_end = (_codes(model.encode(images, labels)) for images in (start, end))
    t = np.linspace(0.0, 1.0, steps, dtype="float32")[None, :, None]
    z = path_of(z_start[:, None], z_end[:, None], t).reshape(-1, model.latent_dim)
    labels = None if labels is None else np.repeat(labels, steps)
    return grid(model.decode(z, labels), steps, path)


def lerp(start, end, t):
    """The straight line from `start` (t = 0) to `end` (t = 1), along the last axis."""
    return start + t * (end - start)


def slerp(start, end, t):
    """The great circle from `start` (t = 0) to `end` (t = 1), along the last axis.

    Length goes over in equal steps where the ends' differ, and the line is straight where their
    directions are the same or opposite.
    """
    lengths = [np.linalg.norm(v, axis=-1, keepdims=True) for v in (start, end)]
    start_unit, end_unit = (
        v / np.maximum(length, 1e-12) for v, length in zip((start, end), lengths, strict=True)
    )
    cosine = np.clip(np.sum(start_unit * end_unit, axis=-1, keepdims=True), -1.0, 1.0)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    straight = sine < 1e-4
    sine = np.where(straight, 1.0, sine)
    direction = (np.sin((1.0 - t) * angle) * start_unit + np.sin(t * angle) * end_unit) / sine
    return np.where(straight, lerp(start, end, t), lerp(*lengths, t) * direction)


def _codes(encoded):
    """The code of an autoencoder, or the mean of a variational one's posterior."""
    return encoded[0] if isinstance(encoded, (list, tuple)) else encoded


def _check_dims(model, dims, num):
    if len(dims) != num or min(dims) < 0 or max(dims) >= model.latent_dim:
        raise ValueError(
            f"Expected {num} dimensions in 0..{model.latent_dim - 1}. Received: dims={dims}"
        )
