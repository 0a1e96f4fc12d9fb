"""Folders of images: flat or a folder a class, pairs, with or without `train` and `test`."""

import math
from pathlib import Path

import numpy as np

from kgen.data import splits
from kgen.data.files import ImageFiles, map_files, warn_of_broken
from kgen.data.images import read_header
from kgen.data.layout import kinds, lettered, list_classes, list_files, parts, warn_of_others
from kgen.data.names import few, with_reasons
from kgen.data.splits import IndexedSplit, Source, hold_out, unpaired
from kgen.fields import Image, Label
from kgen.printable import printable


def from_folder(folder: Path, image_size: tuple[int, int] | None) -> Source:
    """The images of a folder; with labels if there is a folder for each class."""
    if lettered(folder):
        raise ValueError(
            "Expected paired=True, of files of the same names, or paired=False, of two unpaired "
            f"sets, for a folder with {min(lettered(folder))}A and {min(lettered(folder))}B. "
            f"Received: source={str(folder)!r}, paired=None"
        )
    return _images(folder.resolve().name, parts(folder), image_size)


def pairs(folders: Path | tuple[Path, Path], image_size: tuple[int, int] | None) -> Source:
    """Images of one folder, conditioned on those of the same names in another."""
    if isinstance(folders, Path):
        name, (first, second) = folders.resolve().name, kinds(folders)
    else:
        name = "-".join(folder.resolve().name for folder in folders)
        first, second = map(parts, folders)
    if len(first) != len(second):
        raise ValueError(
            "Expected the same splits of both kinds of images. Received: "
            f"{few(first)} and {few(second)}"
        )
    matched = [_matched(part) for part in zip(first, second, strict=True)]
    part_of = np.repeat(range(len(first)), [len(rows) for rows in matched])
    warn_of_others(first + second)
    return _source(name, first, sum(matched, []), part_of, image_size)


def two_kinds(folder: Path, image_size: tuple[int, int] | None) -> Source:
    """The images of the two folders in a folder, unpaired."""
    sources = [_images(of_kind[0].name, of_kind, image_size) for of_kind in kinds(folder)]
    return unpaired(folder.resolve().name, *sources)


def _images(name, parts, image_size):
    listed = [list_classes(part) for part in parts]
    class_names = tuple(sorted(listed[0]))
    is_flat = class_names == ("",)
    for part, by_class in zip(parts, listed, strict=True):
        unknown = sorted(by_class.keys() - listed[0].keys())
        if unknown:
            train, test = printable(parts[0].name), printable(part.name)
            raise ValueError(
                f"Expected images directly in both {train} and {test}, or a folder for each class "
                f"in both, those of {test} among those of {train}. Received: source="
                f"{str(part.parent)!r} with {few(map(repr, unknown))} in {test} alone"
            )
    warn_of_others(parts)
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
        None if is_flat else Label(len(class_names), map(printable, class_names)),
    )


def _matched(folders):
    """The pairs of files that have one name, but for the extension."""
    by_name = []
    for folder in folders:
        files = list_files(folder)
        names = [path.relative_to(folder).with_suffix("").as_posix() for path in files]
        found = dict(zip(names, files, strict=True))
        if len(found) < len(files):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(
                f"Expected one image of each name in {printable(folder)}. Received: several of "
                f"{twice!r}"
            )
        by_name.append(found)
    first, second = by_name
    alone = sorted(first.keys() ^ second.keys())
    if alone or not first:
        raise ValueError(
            f"Expected images of the same names in both of {few(folders)}. Received: {len(first)} "
            f"and {len(second)} images, {len(alone)} of them alone: {few(map(repr, alone), 3)}"
        )
    return [(first[name], second[name]) for name in sorted(first)]


def _source(name, parts, rows, part_of, image_size, labels=None, label=None):
    """The source of rows of files: one a row, or the two of a pair."""
    width = len(rows[0])
    headers, reasons = map_files(read_header, [path for row in rows for path in row])
    broken = {
        row[number]: reasons[i * width + number]
        for i, row in enumerate(rows)
        for number in range(width)
        if reasons[i * width + number] is not None
    }
    kept = np.array([i for i, row in enumerate(rows) if not broken.keys() & set(row)], int)
    shapes = [
        _image_shape([row[n] for row in rows], headers[n::width], kept, image_size)
        for n in range(width)
        if len(kept)
    ]
    num_pixels = [math.prod(header[:2]) if header else 0 for header in headers]
    files = ImageFiles(rows, labels, shapes, np.reshape(num_pixels, (-1, width)))
    if len(kept) * sum(map(math.prod, shapes)) <= splits.MEMORY_LIMIT:
        images, reasons = files.decode(kept)
        broken |= {rows[kept[row]][number]: reason for (row, number), reason in reasons.items()}
        if reasons:
            bad = {row for row, _ in reasons}
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
            raise ValueError(
                "Expected an image that can be read. Received: source="
                f"{str(part)!r} with {with_reasons(broken)}"
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
                f"scaled and cropped. Received: {printable(paths[first])} of {h1}x{w1}, "
                f"{printable(paths[i])} of {h2}x{w2}, image_size=None"
            )
    return (*headers[first][:2], channels)
