"""What a model makes, as pictures."""

import functools

import numpy as np

from kgen.checks import number, whole_number, whole_numbers
from kgen.pictures.course import animation
from kgen.pictures.files import path_first
from kgen.pictures.grids import grid, in_rows


def _made_by(*names):
    """Lets a picture's function check, before it works, its path and what its model has."""

    def decorate(function):
        @functools.wraps(function)
        def checked(model, *args, **kwargs):
            for name in names:
                if not hasattr(model, name):
                    raise ValueError(
                        f"Expected a model with {name}, for kgen.pictures.{function.__name__}. "
                        f"Received: {type(model).__name__}"
                    )
            return function(model, *args, **kwargs)

        return path_first(checked)

    return decorate


@_made_by("sample")
def samples(model, num, labels=None, seed=None, path=None, **kwargs):
    """A grid of samples; of a conditional model a row a class or condition, in turn.

    Rows of more than 12 are broken into several.

    Args:
        model: a model with `sample`.
        num: int. About how many images: a conditional model's rows are as long as it allows, and
            at least 1.
        labels: sequence of classes or other conditions, a conditional model's rows; by default all
            classes.
        seed: int or None. Seeds the draws.
        path: str or None. A file to write as well, in the format of its ending.
        **kwargs: further ones of the model's `sample`.

    Returns:
        PIL.Image.Image.
    """
    num = whole_number("num", num)
    if model.condition is None:
        return grid(model.sample(num, labels, seed=seed, **kwargs), path=path)
    if labels is None:
        labels = range(model.num_classes) if model.num_classes else model.conditions(None, 1)
    labels, columns = in_rows(labels, num)
    return grid(model.sample(len(labels), labels, seed=seed, **kwargs), columns, path)


@_made_by("reconstruct")
def reconstructions(model, images, labels=None, path=None, columns=8):
    """Originals with their reconstructions below them.

    Args:
        model: an autoencoder.
        images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
        labels: int array (num,), for a conditional model.
        path: str or None. A file to write as well, in the format of its ending.
        columns: int. Pairs in a row.

    Returns:
        PIL.Image.Image.
    """
    columns = whole_number("columns", columns)
    originals = model.image.check(images)
    copies = model.reconstruct(images, labels)
    rows = []
    for start in range(0, len(originals), columns):
        for part in (originals[start : start + columns], copies[start : start + columns]):
            blank = np.ones((columns - len(part), *part.shape[1:]), part.dtype)
            rows.append(np.concatenate([part, blank]))
    return grid(np.concatenate(rows), columns, path)


@_made_by("complete")
def completions(model, images, mask, labels=None, copies=4, seed=None, path=None, **kwargs):
    """What a model makes of images of which a part is hidden: a row an image.

    The first column shows what is left of it, the next ones are completions, the last is the image.
    This is figure 1 of van den Oord et al. 2016 (https://arxiv.org/abs/1601.06759).

    Args:
        model: a model with `complete`.
        images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
        mask: bool array (height, width) or (num, height, width), True where a pixel is hidden.
        labels: int array (num,), for a conditional model.
        copies: int. Completions of each image.
        seed: int or None. Seeds the completions.
        path: str or None. A file to write as well, in the format of its ending.
        **kwargs: further ones of the model's `complete`.

    Returns:
        PIL.Image.Image.
    """
    made = model.complete(images, mask, labels, copies=copies, seed=seed, **kwargs)
    originals = model.image.check(images)
    hidden = np.broadcast_to(mask, originals.shape[:3])[..., None]
    occluded = np.where(hidden, 0.5, originals)
    rows = np.concatenate([occluded[:, None], made, originals[:, None]], axis=1)
    return grid(rows.reshape(-1, *rows.shape[2:]), copies + 2, path)


@_made_by("chain")
def chain(model, num, labels=None, frames=10, seed=None, path=None, **kwargs):
    """The way from noise to each image, in a row; of a conditional model one image a class.

    This is figure 6 of Ho et al. 2020 (https://arxiv.org/abs/2006.11239), of x itself.

    Args:
        model: a model with `chain`.
        num: int. Images, and rows: at most so many of a conditional model without `labels`.
        labels: sequence of classes or other conditions, of each row; by default all classes.
        frames: int. Images in a row.
        seed: int or None. Seeds the noise.
        path: str or None. A file to write as well, in the format of its ending.
        **kwargs: further ones of the model's `chain`.

    Returns:
        PIL.Image.Image.
    """
    made = _chains(model, num, labels, frames, seed, kwargs)
    return grid(made.reshape(-1, *made.shape[2:]), made.shape[1], path)


@_made_by("chain")
def film(model, num, path, labels=None, frames=30, seed=None, seconds=0.1, **kwargs):
    """The way from noise to images as a film: `chain`, one time after another.

    Args:
        model: a model with `chain`.
        num: int. Images: at most so many of a conditional model without `labels`.
        path: str. The file, .gif or .webp.
        labels: sequence of classes or other conditions, of each image; by default all classes.
        frames: int. Times.
        seed: int or None. Seeds the noise.
        seconds: float. How long each time is shown; the last ten times as long.
        **kwargs: further ones of the model's `chain`.
    """
    made = _chains(model, num, labels, frames, seed, kwargs)
    animation([grid(made[:, i]) for i in range(made.shape[1])], path, seconds, most=frames)


def _chains(model, num, labels, frames, seed, kwargs):
    if labels is None and model.num_classes is not None:
        labels = np.arange(min(whole_number("num", num), model.num_classes))
    num = num if labels is None else len(labels)
    return model.chain(num, labels, frames=frames, seed=seed, **kwargs)


@_made_by("decode", "code_size")
def manifold(model, size=20, dims=(0, 1), label=None, path=None):
    """The latent plane of two dimensions, by equal steps of the prior's probability.

    Rows go down the first dimension and columns along the second, at the normal distribution's
    quantiles; the other dimensions are 0. This is figure 4 of Kingma & Welling 2013.

    Args:
        model: a model with `decode` and a normal prior.
        size: int. Images along each dimension.
        dims: pair of int. The two dimensions.
        label: int, for a conditional model.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.
    """
    from statistics import NormalDist

    size = whole_number("size", size)
    dims = whole_numbers("dims", dims, "a pair", 2, 0, model.code_size - 1)
    steps = [NormalDist().inv_cdf((i + 0.5) / size) for i in range(size)]
    z = np.zeros((size * size, model.code_size), "float32")
    z[:, dims[0]] = np.repeat(steps, size)
    z[:, dims[1]] = np.tile(steps, size)
    return grid(model.decode(z, label), size, path, gap=0)


@_made_by("decode", "code_size")
def traversal(model, z, dims=None, limit=3.0, steps=11, label=None, path=None):
    """One latent dimension varied at a time: a row a dimension.

    Args:
        model: a model with `decode`.
        z: array (code_size,). Where the other dimensions stay.
        dims: sequence of int. Which dimensions; by default the first ten.
        limit: float. A row goes from -limit to limit: at most 1 for a uniform prior.
        steps: int. Images in a row.
        label: int, for a conditional model.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.
    """
    steps, limit = whole_number("steps", steps), number("limit", limit)
    dims = range(min(10, model.code_size)) if dims is None else dims
    dims = whole_numbers("dims", dims, "a sequence", None, 0, model.code_size - 1)
    rows = np.tile(np.asarray(z, "float32"), (len(dims), steps, 1))
    for row, dim in zip(rows, dims, strict=True):
        row[:, dim] = np.linspace(-limit, limit, steps)
    return grid(model.decode(rows.reshape(-1, model.code_size), label), steps, path)


@_made_by("interpolate")
def interpolation(model, start, end, steps=11, spherical=None, labels=None, path=None):
    """The way from each of `start` to its partner in `end`: a row a pair.

    Args:
        model: a model with `interpolate`.
        start: latent vectors (num, code_size), or the images (num, height, width, channels) of an
            autoencoder, floats in [0, 1] or integers in 0..255.
        end: array of the same shape.
        steps: int. Images in a row, both ends among them.
        spherical: bool or None. Along the great circle instead of the straight line, which keeps to
            the shell where a normal prior has its mass (White 2016,
            https://arxiv.org/abs/1609.04468). Defaults to the model's own.
        labels: int array (num,), for a conditional model.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.
    """
    given = {} if spherical is None else {"spherical": spherical}
    rows = model.interpolate(start, end, labels, steps=steps, **given)
    return grid(rows.reshape(-1, *rows.shape[2:]), steps, path)


@_made_by("decode")
def arithmetic(model, a, b, c, labels=None, path=None):
    """Latent arithmetic, a - b + c: three rows of what goes in, and a row of results.

    The last column is that of the means, which are steadier than single vectors. This is figure 7
    of Radford et al. 2015, where the mean of three men with glasses less that of three men without
    plus that of three women without gives women with glasses.

    Args:
        model: a model with `decode`.
        a: array (num, code_size). Latents of images with something.
        b: array of the same shape. Latents of images without it.
        c: array of the same shape. Latents that get it.
        labels: int, or three of them for a, b and c, for a conditional model; results have c's.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.
    """
    rows = np.stack([np.concatenate([z, np.mean(z, axis=0, keepdims=True)]) for z in (a, b, c)])
    rows = np.concatenate([rows, rows[:1] - rows[1:2] + rows[2:]])
    columns = rows.shape[1]
    if labels is not None:
        labels = np.broadcast_to(labels, (3,))[[0, 1, 2, 2]].repeat(columns)
    return grid(model.decode(rows.reshape(4 * columns, -1), labels), columns, path)


@_made_by("set_code")
def codes(model, rows=10, steps=10, seed=None, label=None, path=None):
    """Samples of an InfoGAN, one code varied along each row: a block of `rows` rows a code.

    The blocks are, from the top, those of the categorical codes in the order of `categorical`, and
    then of the continuous ones. In a block each row has its own noise, and the columns are the
    categories of a categorical code, 0 to the left, or equal steps from -1 to 1 of a number. This
    is figure 2 of Chen et al. 2016.

    Args:
        model: a `kgen.InfoGAN`.
        rows: int. Samples of each code.
        steps: int. Columns, of which a categorical code fills as many as it has categories.
        seed: int or None. Seeds the noise.
        label: int, for a conditional model.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.
    """
    rows, steps = whole_number("rows", rows), whole_number("steps", steps)
    columns = max([steps, *model.categorical])
    blocks = []
    for code in range(len(model.categorical) + model.continuous):
        is_category = code < len(model.categorical)
        values = range(model.categorical[code]) if is_category else np.linspace(-1, 1, steps)
        z = np.repeat(model.draw_latents(rows, seed=seed), len(values), axis=0)
        z = model.set_code(z, code, np.tile(values, rows))
        images = model.decode(z, label).reshape(rows, len(values), *model.image_shape)
        blank = np.ones((rows, columns - len(values), *model.image_shape), images.dtype)
        blocks.append(np.concatenate([images, blank], axis=1))
    images = np.concatenate(blocks).reshape(-1, *model.image_shape)
    return grid(images, columns, path)
