"""Folders of images: flat or a folder a class, pairs, with or without `train` and `test`."""

import math
import os
from pathlib import Path

import numpy as np

from kgen.data import splits
from kgen.data.files import ImageFiles, map_files, warn_of_broken
from kgen.data.images import read_header
from kgen.data.splits import IndexedSplit, Source, hold_out, unpaired
from kgen.fields import Image, Label

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
_TESTS = ("test", "val", "valid", "validation")


def from_folder(folder: Path, image_size: tuple[int, int] | None) -> Source:
    """The images of a folder; with labels if there is a folder for each class."""
    return _images(folder.resolve().name, _parts(folder), image_size)


def pairs(folders: Path | tuple[Path, Path], image_size: tuple[int, int] | None) -> Source:
    """Images of one folder, conditioned on those of the same names in another."""
    if isinstance(folders, Path):
        name, parts = folders.resolve().name, _two_kinds(folders)
    else:
        name = "-".join(folder.resolve().name for folder in folders)
        each = [_parts(folder) for folder in folders]
        parts = list(zip(*each, strict=True)) if len(each[0]) == len(each[1]) else [folders]
    matched = [_matched(part) for part in parts]
    part_of = np.repeat(range(len(parts)), [len(rows) for rows in matched])
    return _source(name, [first for first, _ in parts], sum(matched, []), part_of, image_size)


def two_kinds(folder: Path, image_size: tuple[int, int] | None) -> Source:
    """The images of the two folders in a folder, unpaired."""
    kinds = zip(*_two_kinds(folder), strict=True)
    sources = [_images(parts[0].name, parts, image_size) for parts in kinds]
    return unpaired(folder.resolve().name, *sources)


def _images(name, parts, image_size):
    listed = [_list_classes(part) for part in parts]
    class_names = tuple(sorted(set().union(*listed)))
    is_flat = class_names == ("",)
    if "" in class_names and not is_flat:
        raise ValueError(
            f"Expected images directly in both {parts[0].name} and {parts[1].name}, or a folder "
            f"for each class in both. Received: source={str(parts[0].parent)!r}"
        )
    rows, labels, part_of = [], [], []
    for part, by_class in enumerate(listed):
        for class_name, files in by_class.items():
            rows += [(path,) for path in files]
            labels += [class_names.index(class_name)] * len(files)
            part_of += [part] * len(files)
    return _source(
        name,
        parts,
        rows,
        np.array(part_of),
        image_size,
        None if is_flat else np.array(labels, "int32"),
        None if is_flat else Label(len(class_names), class_names),
    )


def _two_kinds(folder):
    """For each split of a folder the folders of the two kinds of images in it."""
    as_cycle_gan = [(folder / f"{part}A", folder / f"{part}B") for part in ("train", "test")]
    if all(each.is_dir() for pair in as_cycle_gan for each in pair):
        return as_cycle_gan
    parts = []
    for part in _parts(folder):
        found = sorted(f for f in part.iterdir() if f.is_dir() and not f.name.startswith("."))
        if len(found) != 2:
            raise ValueError(
                "Expected a folder that holds two folders, one of each kind of images. "
                f"Received: source={str(part)!r} with {[each.name for each in found]}"
            )
        parts.append(tuple(found))
    return parts


def _parts(folder):
    """The folders of the training and the test split, or the folder itself."""
    test = next((folder / name for name in _TESTS if (folder / name).is_dir()), None)
    return [folder / "train", test] if test and (folder / "train").is_dir() else [folder]


def _matched(folders):
    """The pairs of files that have one name, but for the extension."""
    by_name = []
    for folder in folders:
        files = _list_files(folder)
        names = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
        found = dict(zip(names, files, strict=True))
        if len(found) < len(files):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"Expected one image of each name in {folder}. Received: several of {twice!r}"
            )
        by_name.append(found)
    first, second = by_name
    alone = sorted(first.keys() ^ second.keys())
    if alone or not first:
        raise ValueError(
            f"Expected images of the same names in {folders[0]} and {folders[1]}. Received: "
            f"{len(first)} and {len(second)} images, {len(alone)} of them alone: {alone[:3]} ..."
        )
    return [(first[name], second[name]) for name in sorted(first)]


def _source(name, parts, rows, part_of, image_size, labels=None, label=None):
    """The source of rows of files: one a row, or the two of a pair."""
    width = len(rows[0])
    headers, errors = map_files(read_header, [path for row in rows for path in row])
    broken = {
        row[number]: errors[i * width + number]
        for i, row in enumerate(rows)
        for number in range(width)
        if errors[i * width + number] is not None
    }
    kept = np.array([i for i, row in enumerate(rows) if not broken.keys() & set(row)], int)
    shapes = [
        _image_shape([row[n] for row in rows], headers[n::width], kept, image_size)
        for n in range(width)
        if len(kept)
    ]
    files = ImageFiles(rows, labels, shapes)
    if len(kept) * sum(map(math.prod, shapes)) <= splits.MEMORY_LIMIT:
        images, errors = files.decode(kept)
        broken |= {rows[kept[row]][number]: error for (row, number), error in errors.items()}
        if errors:
            bad = {row for row, _ in errors}
            good = [row for row in range(len(kept)) if row not in bad]
            images, kept = [column[good] for column in images], kept[good]
        if labels is not None:
            images.append(labels[kept])

        def take(indices):
            return tuple(column[indices] for column in images)

        numbers = np.arange(len(kept))
    else:
        take, numbers = files, kept

    for number, part in enumerate(parts):
        if not (part_of[kept] == number).any():
            reasons = ", ".join(f"{path} ({error})" for path, error in list(broken.items())[:10])
            raise ValueError(
                f"Expected an image that can be read. Received: source={str(part)!r} with {reasons}"
            )
    warn_of_broken(broken, "the rest is used")
    if len(parts) == 2:
        train, test = (numbers[part_of[kept] == number] for number in range(2))
    else:
        train, test = (numbers[held] for held in hold_out(len(numbers), name))
    return Source(
        name,
        shapes[0],
        IndexedSplit(take, train),
        IndexedSplit(take, test),
        Image(shapes[1]) if width == 2 else label,
    )


def _list_classes(folder: Path) -> dict[str, list[Path]]:
    """The image files by class; a flat folder is one class without a name."""
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
            "Expected images directly in the folder, or a folder for each class, not both. "
            f"Received: source={str(folder)!r} with {flat[0].name} beside the folder "
            f"{next(iter(by_class))}"
        )
    if not flat and not by_class:
        raise ValueError(
            f"Expected a folder with images ({', '.join(EXTENSIONS)}). "
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
                f"Expected images of one size (height x width), or `image_size`, to which each is "
                f"scaled and cropped. Received: {paths[first]} of {h1}x{w1}, {paths[i]} of "
                f"{h2}x{w2}, image_size=None"
            )
    return (*headers[first][:2], channels)
