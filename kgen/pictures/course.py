"""How a training went: its losses, and its pictures one after another."""

import csv
import os

import numpy as np

from kgen.checks import number, whole_number
from kgen.pictures.files import check_path, path_first, save
from kgen.whole_file import replacing

_PANEL, _LEFT, _TOP, _BOTTOM, _RIGHT = (320, 200), 70, 26, 22, 12
_TRAINING, _VALIDATION, _INK = (31, 78, 160), (214, 96, 18), (60, 60, 60)


@path_first
def losses(history, path=None):
    """The curve of each logged number over the epochs: a panel each, what is of validation in it.

    Args:
        history: what `fit` returns, its `history`, a model after `fit`, or the path of a
            `history.csv`.
        path: str or None. A file to write as well, in the format of its ending.

    Returns:
        PIL.Image.Image.

    Example:
    >>> kgen.pictures.losses({"loss": [3.0, 2.0], "val_loss": [3.1, 2.2]}).size
    (320, 200)
    """
    from PIL import Image

    curves = _curves(history)
    names = [name for name in curves if name.removeprefix("val_") not in curves.keys() - {name}]
    columns = min(3, len(names))
    width, height = _PANEL
    rows = -(-len(names) // columns)
    picture = Image.new("RGB", (columns * width, rows * height), "white")
    for i, name in enumerate(names):
        pair = [(curves[name], _VALIDATION if name.startswith("val_") else _TRAINING)]
        if f"val_{name}" in curves:
            pair.append((curves[f"val_{name}"], _VALIDATION))
        panel = _panel(name, pair)
        picture.paste(panel, (i % columns * width, i // columns * height))
    if path is not None:
        save(picture, path)
    return picture


def animation(pictures, path, seconds=0.2, most=50):
    """Writes pictures one after another, such as those of `kgen.callbacks.SampleGrid`.

    Args:
        pictures: sequence of str or PIL.Image.Image. The pictures, or their files, of one size.
        path: str. The file, .gif or .webp.
        seconds: float. How long each is shown; the last ten times as long.
        most: int. Of more pictures so many, evenly spaced, the first and the last among them.
    """
    picture_format = check_path(path)
    if picture_format not in ("GIF", "WEBP"):
        raise ValueError(f"Expected a file ending in .gif or .webp. Received: path={path!r}")
    seconds, most = number("seconds", seconds, above=0), whole_number("most", most, at_least=2)
    if not pictures:
        raise ValueError(f"Expected at least one picture. Received: {pictures=}")
    last = len(pictures) - 1
    shown = np.unique(np.linspace(0, last, min(most, len(pictures))).round().astype(int))
    frames = []
    for i in shown:
        frames.append(_opened(pictures[i]))
        if frames[-1].size != frames[0].size:
            raise ValueError(
                f"Expected pictures of one size. Received: {pictures[shown[0]]} of "
                f"{frames[0].size}, {pictures[i]} of {frames[-1].size}"
            )
    milliseconds = [round(1000 * seconds)] * len(frames)
    milliseconds[-1] *= 10
    with replacing(path) as temporary:
        frames[0].save(
            temporary,
            format=picture_format,
            save_all=True,
            append_images=frames[1:],
            duration=milliseconds,
            loop=0,
        )


def _opened(picture):
    from PIL import Image

    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    with Image.open(picture) as file:
        return file.convert("RGB")


def _curves(history):
    """The numbers of each epoch by name, NaN where there is none."""
    if isinstance(history, (str, os.PathLike)):
        with open(history, newline="") as file:
            rows = list(csv.DictReader(file))
        history = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
    while hasattr(history, "history"):  # of a model that was trained, and of what fit returned
        history = history.history
    named = history if isinstance(history, dict) else {}
    curves = {name: np.array([_number(each) for each in of]) for name, of in named.items()}
    curves = {name: of for name, of in curves.items() if name != "epoch" and len(of)}
    if not curves:
        raise ValueError(
            "Expected what fit returned, or a history.csv, of at least one epoch. Received: "
            f"history={history!r:.80}"
        )
    return curves


def _number(value):
    """A float; a logger writes NA for what an epoch lacks, and a row cut short has None."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return np.nan


def _panel(name, curves):
    from PIL import Image, ImageDraw, ImageFont

    width, height = _PANEL
    panel = Image.new("RGB", _PANEL, "white")
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default()
    box = left, top, right, bottom = _LEFT, _TOP, width - _RIGHT, height - _BOTTOM
    draw.rectangle(box, outline=_INK)
    draw.text((left, 8), name, curves[0][1], font)
    if len(curves) == 2:
        draw.text((left + draw.textlength(f"{name}   ", font), 8), f"val_{name}", _VALIDATION, font)
    num = max(len(values) for values, _ in curves)
    seen = np.concatenate([values[np.isfinite(values)] for values, _ in curves])
    low, high = (seen.min(), seen.max()) if len(seen) else (0.0, 0.0)
    for value, y in ((high, top), (low, bottom - 10)):
        text = f"{value:.4g}"
        draw.text((left - 6 - draw.textlength(text, font), y), text, _INK, font)
    draw.text((left, bottom + 4), "1", _INK, font)
    draw.text((right - draw.textlength(str(num), font), bottom + 4), str(num), _INK, font)
    for values, colour in curves:
        x = left + (right - left) * (np.arange(len(values)) / max(1, num - 1))
        y = bottom - 4 - (bottom - top - 8) * (values - low) / ((high - low) or 1.0)
        _draw_curve(draw, x, y, colour)
    return panel


def _draw_curve(draw, x, y, colour):
    """Lines between neighbours that both are there, and a dot at those that stand alone."""
    there = np.isfinite(y)
    for i in np.flatnonzero(there):
        if i + 1 < len(y) and there[i + 1]:
            draw.line([(x[i], y[i]), (x[i + 1], y[i + 1])], colour, width=2)
        elif i == 0 or not there[i - 1]:
            draw.ellipse((x[i] - 2, y[i] - 2, x[i] + 2, y[i] + 2), colour)
