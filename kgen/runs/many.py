"""Many samples, written as they are made: a PNG each in a folder, or all in an `.npz`."""

import os
import re
import zipfile

import numpy as np
from PIL import Image

from kgen.callbacks.differences import check_same
from kgen.checks import whole_number
from kgen.fields import Label
from kgen.models.in_batches import with_progress
from kgen.pictures.grids import to_bytes
from kgen.runs.config import read_json
from kgen.runs.folder import settings_of, write_json
from kgen.seeds import seeds_of
from kgen.whole_file import check_can_hold, check_can_write, remove_unfinished, replacing

SETTINGS = "samples.json"
"""What a folder's images are of: the same command adds to them, another is refused."""


def is_folder(path: str) -> bool:
    """Whether a path is of a folder, to be made or not: without an ending, or with a / at it."""
    return os.path.isdir(path) or path.endswith(("/", os.sep)) or not os.path.splitext(path)[1]


def is_archive(path: str) -> bool:
    """Whether a path is of an `.npz`."""
    return path.lower().endswith(".npz")


def check_path(path: str):
    """Raises an OSError where nothing can be written, or something else is there."""
    if not is_folder(path):
        if os.path.exists(path):
            raise FileExistsError(f"Expected a file that is not there yet. Received: {path}")
        check_can_write(path)
        return
    check_can_hold(os.path.abspath(path), f"Received: {path}")
    held = os.listdir(path) if os.path.isdir(path) else []
    if SETTINGS not in held and any(not name.startswith(".") for name in held):
        raise FileExistsError(
            f"Expected a new or empty folder, or one of samples with a {SETTINGS}. Received: {path}"
        )


def seed_of(folder: str) -> int | None:
    """The seed of the samples in a folder, None where there are none."""
    path = os.path.join(folder, SETTINGS)
    return _read_settings(path)["seed"] if os.path.exists(path) else None


def _read_settings(path):
    types = {"run": dict, "steps": int, "seed": int, "arguments": dict}
    way_out = "Bring back a copy, or take another folder."
    return read_json(path, "the settings of samples", types, way_out)


def conditions(model, labels, num):
    """Of `num` images what each is conditioned on, `labels` in turn; None if unconditional."""
    if labels is not None and len(labels):
        labels = np.asarray(labels)[np.arange(num) % len(labels)]
    return model.conditions(labels, num)


def write(run, num: int, labels, seed: int, path: str, **arguments):
    """Writes samples, image i of the seed and of label i modulo their number.

    Args:
        run: `kgen.runs.Run`.
        num: int.
        labels: what the images are conditioned on, in turn; None if the model is unconditional.
        seed: int.
        path: str. A folder or an `.npz`.
        **arguments: further ones of the model's `sample`.
    """
    num = whole_number("num", num)
    model, seeds = run.model, seeds_of(seed, num)
    rows = conditions(model, labels, num)

    def made(which):
        """The images of some numbers, a batch at a time."""
        size = whole_number("batch_size", arguments.get("batch_size", 256))
        for start in with_progress(range(0, len(which), size)):
            part = which[start : start + size]
            y = None if rows is None else rows[part]
            more = arguments | {"batch_size": size}
            yield part, to_bytes(model.sample(len(part), y, seed=seeds[part], **more))

    if is_archive(path) and not is_folder(path):
        _write_archive(model, num, rows, path, made)
        return
    settings = {
        "run": settings_of(run.config),
        "steps": run.steps,
        "seed": seed,
        "labels": None if labels is None else np.asarray(labels).tolist(),
        "arguments": {name: value for name, value in arguments.items() if name != "batch_size"},
    }
    _write_files([os.path.join(path, name) for name in _names(model, num, rows)], settings, made)


def _write_files(paths, settings, made):
    folder = os.path.dirname(paths[0])
    described = os.path.join(folder, SETTINGS)
    if os.path.exists(described):
        check_same(_read_settings(described), settings, f"the samples in {folder}", "in the folder")
    missing = np.array([i for i, path in enumerate(paths) if not os.path.exists(path)], int)
    for part, images in made(missing):
        write_json(described, settings)
        for i, image in zip(part, images, strict=True):
            with replacing(paths[i]) as temporary:
                picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
                picture.save(temporary, format="PNG")
    remove_unfinished(folder, rf"\d{{6,}}(-[\w.]+)?\.png|{re.escape(SETTINGS)}")


def _names(model, num, rows):
    condition = model.condition
    if not isinstance(condition, Label):
        return [f"{i:06}.png" for i in range(num)]
    classes = condition.names or range(condition.num_classes)
    classes = [re.sub(r"[^\w.]+", "_", str(each)) for each in classes]
    kinds = ("unknown" if row < 0 else classes[row] for row in rows)
    return [f"{i:06}-{kind}.png" for i, kind in enumerate(kinds)]


def _write_archive(model, num, rows, path, made):
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        if rows is not None:
            what = model.condition.what
            with archive.open(f"{'images2' if what == 'images' else what}.npy", "w") as file:
                np.lib.format.write_array(file, rows)
        with archive.open("images.npy", "w", force_zip64=True) as file:
            shape = (num, *model.image_shape)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for _, images in made(np.arange(num)):
                file.write(images.tobytes())
    folder, name = os.path.split(os.path.abspath(path))
    remove_unfinished(folder, re.escape(name))
