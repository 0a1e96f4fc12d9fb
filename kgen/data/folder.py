"""A folder of images: flat or a folder a class, with or without `train` and `test` at the top."""

import math
import os
from pathlib import Path

import numpy as np

from kgen.data import splits
from kgen.data.files import ImageFiles, map_files, warn_of_broken
from kgen.data.images import read_header
from kgen.data.splits import IndexedSplit, Source, hold_out, in_memory

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")


def from_folder(folder: Path, image_size: tuple[int, int] | None) -> Source:
    """Give the images of a folder; with labels if there is a folder for each class."""
    parts = [folder / "train", folder / "test"]
    if not all(part.is_dir() for part in parts):
        parts = [folder]
    paths, labels, part_of, class_names = _list_parts(parts)

    headers, errors = map_files(read_header, paths)
    broken = {p: e for p, e in zip(paths, errors, strict=True) if e is not None}
    kept = np.array([i for i, error in enumerate(errors) if error is None], int)
    image_shape = _image_shape(paths, headers, kept, image_size) if len(kept) else (0, 0, 0)

    files = ImageFiles(paths, labels, image_shape)
    if len(kept) * math.prod(image_shape) <= splits.MEMORY_LIMIT:
        images, errors = files.decode(kept)
        broken |= {paths[kept[row]]: error for row, error in errors.items()}
        if errors:
            good = [row for row in range(len(kept)) if row not in errors]
            images, kept = images[good], kept[good]
        take = in_memory(images, None if labels is None else labels[kept])
        numbers = np.arange(len(kept))
    else:
        take, numbers = files, kept

    for number, part in enumerate(parts):
        if not (part_of[kept] == number).any():
            reasons = ", ".join(f"{path} ({error})" for path, error in list(broken.items())[:10])
            raise ValueError(
                f"None of the images can be read: {reasons}. Received: source={str(part)!r}"
            )
    warn_of_broken(broken, "the rest is used")
    if len(parts) == 2:
        train, test = (numbers[part_of[kept] == number] for number in range(2))
    else:
        train, test = (numbers[held] for held in hold_out(len(numbers), str(folder)))
    return Source(
        folder.resolve().name,
        image_shape,
        IndexedSplit(take, train),
        IndexedSplit(take, test),
        None if class_names is None else len(class_names),
        class_names,
    )


def _list_parts(parts):
    """List paths, labels, numbers of the part, and class names (None, as the labels, if flat)."""
    listed = [_list_classes(part) for part in parts]
    class_names = tuple(sorted(set().union(*listed)))
    is_flat = class_names == ("",)
    if "" in class_names and not is_flat:
        raise ValueError(
            "Expected images directly in both `train` and `test`, or a folder for each class in "
            f"both. Received: source={str(parts[0].parent)!r}"
        )
    paths, labels, part_of = [], [], []
    for part, by_class in enumerate(listed):
        for name, files in by_class.items():
            paths += files
            labels += [class_names.index(name)] * len(files)
            part_of += [part] * len(files)
    if is_flat:
        return paths, None, np.array(part_of), None
    return paths, np.array(labels, "int32"), np.array(part_of), class_names


def _list_classes(folder: Path) -> dict[str, list[Path]]:
    """List the image files by class; a flat folder is one class without a name."""
    flat, by_class = [], {}
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            files = _list_files(child)
            if files:
                by_class[child.name] = files
        elif _is_image(child.name):
            flat.append(child)
    if flat and by_class:
        raise ValueError(
            "Expected images directly in the folder, or a folder for each class, not both: found "
            f"{flat[0].name} beside the folder {next(iter(by_class))}. "
            f"Received: source={str(folder)!r}"
        )
    if not flat and not by_class:
        raise ValueError(
            f"Found no images ({', '.join(EXTENSIONS)}) in the folder. "
            f"Received: source={str(folder)!r}"
        )
    return by_class or {"": flat}


def _list_files(folder: Path) -> list[Path]:
    files = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(root, name) for name in names if _is_image(name)]
    return sorted(files)


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(EXTENSIONS)


def _image_shape(paths, headers, kept, image_size):
    channels = 1 if all(headers[i][2] for i in kept) else 3
    if image_size is not None:
        return (*image_size, channels)
    first = kept[0]
    for i in kept:
        if headers[i][:2] != headers[first][:2]:
            (h1, w1, _), (h2, w2, _) = headers[first], headers[i]
            raise ValueError(
                f"The images differ in size (height x width): {paths[first]} is {h1}x{w1}, "
                f"{paths[i]} is {h2}x{w2}. Give `image_size`, to which each is scaled and "
                "cropped. Received: image_size=None"
            )
    return (*headers[first][:2], channels)
