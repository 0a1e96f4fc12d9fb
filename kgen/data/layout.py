"""What the names of folders and files say: the splits, the classes, the two kinds, the images."""

import collections
import os
import re
from collections.abc import Iterable
from pathlib import Path

from kgen.data.names import few
from kgen.data.splits import TESTS, TRAINS, split_names, warn_of_unused
from kgen.printable import printable
from kgen.warn import warn

EXTENSIONS = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff")
EXTENSIONS += (".pbm", ".pgm", ".ppm")
# Images too, or arrays and archives of them, which nothing here reads.
_OTHERS = (
    ".avif",
    ".heic",
    ".heif",
    ".jp2",
    ".jxl",
    ".svg",
    ".eps",
    ".pdf",
    ".psd",
    ".tga",
    ".ico",
)
_OTHERS += (".exr", ".hdr", ".raw", ".dng", ".cr2", ".nef", ".arw", ".dcm", ".nii", ".fits")
_OTHERS += (".npy", ".npz", ".mat", ".h5", ".tfrecord", ".zip", ".tar", ".gz")
_OF_A_KIND = re.compile(r"(.+?)[-_ ]?([ab])", re.I)


def parts(folder: Path) -> list[Path]:
    """The folders of the training and the test split, the first alone, or the folder itself."""
    folder = _innermost(folder)
    inside = _classes(folder)
    trains, tests = split_names(inside)
    if not tests and not (trains and (len(inside) == 1 or "" not in _classes(inside[trains[0]]))):
        return [folder]  # a class may be called train
    if len(trains) != 1:
        raise ValueError(
            f"Expected one folder {' or '.join(TRAINS)} beside {' and '.join(tests)}. Received: "
            f"source={str(folder)!r} with {few(map(repr, inside))}"
        )
    train = inside[trains[0]]
    fitting = [name for name in tests if _classes(inside[name]).keys() <= _classes(train).keys()]
    used = trains + (fitting or tests)[:1]
    warn_of_unused(folder, [name or "images" for name in inside if name not in used], used)
    _warn_of_empty(folder, inside)
    return [inside[name] for name in used]


def kinds(folder: Path) -> tuple[list[Path], list[Path]]:
    """Of the two kinds of images in a folder, each one's folders of the training and the test."""
    as_cycle_gan = lettered(folder)
    if as_cycle_gan:
        return _both_letters(folder, as_cycle_gan)
    found = []
    for part in parts(folder):
        names = [child for name, child in _classes(part).items() if name]
        if len(names) != 2:
            raise ValueError(
                "Expected a folder that holds two folders, one of each kind of images. "
                f"Received: source={str(part)!r} with {few(each.name for each in names) or 'none'}"
            )
        found.append(names)
    return tuple(map(parts, found[0]) if len(found) == 1 else map(list, zip(*found, strict=True)))


def lettered(folder: Path) -> dict[str, dict[str, Path]]:
    """The folders trainA, trainB, testA ... in a folder, by split and by letter."""
    found = collections.defaultdict(dict)
    for child in _folders(folder):
        name = _OF_A_KIND.fullmatch(child.name)
        if name and name[1].lower() in TRAINS + TESTS:
            found[name[1]][name[2].lower()] = child
    return found


def _both_letters(folder, found):
    trains, tests = split_names(found)
    if len(trains) != 1 or not all(len(both) == 2 for both in found.values()):
        named = sorted(child.name for both in found.values() for child in both.values())
        raise ValueError(
            "Expected trainA and trainB, and both or none of testA and testB. Received: "
            f"source={str(folder)!r} with {named}"
        )
    used = trains + tests[:1]
    warn_of_unused(folder, [f"{name}A and {name}B" for name in tests[1:]], used)
    return tuple([found[name][letter] for name in used] for letter in "ab")


def list_classes(folder: Path) -> dict[str, list[Path]]:
    """The image files by class; a flat folder is one class without a name."""
    inside = _classes(folder)
    if not inside:
        raise ValueError(
            f"Expected a folder with images ({', '.join(EXTENSIONS)}). "
            f"Received: source={str(folder)!r}{_named_others([folder], ' with ')}"
        )
    if "" in inside and len(inside) > 1:
        raise ValueError(
            "Expected images directly in the folder, or a folder for each class, not both. "
            f"Received: source={str(folder)!r} with {printable(_images(folder)[0].name)} beside "
            f"the folder {printable(max(inside))}"
        )
    for name, child in inside.items():
        if name and all(split_names(_classes(child))):
            raise ValueError(
                f"Expected the classes in the folders of the splits, as {TRAINS[0]}/CLASS and "
                f"{TESTS[0]}/CLASS. Received: source={str(folder)!r} with splits in {name!r}"
            )
    _warn_of_empty(folder, inside)
    return {name: list_files(child) if name else _images(child) for name, child in inside.items()}


def list_files(folder: Path) -> list[Path]:
    """The image files in a folder and those below it."""
    return sorted(Path(root, name) for root, name in _walk(folder) if _is_image(name))


def warn_of_others(folders: Iterable[Path]):
    """Warns of files that hold images and are not read, and of folders that cannot be listed."""
    closed = []
    others = _named_others(folders, onerror=closed.append)
    if others:
        warn(f"Not read, as they are none of {', '.join(EXTENSIONS)}: {others}.")
    if closed:
        warn(f"Not read, as they cannot be listed: {few(error.filename for error in closed)}.")


def _warn_of_empty(folder, inside):
    empty = [child.name for child in _folders(folder) if child.name not in inside]
    if empty:
        warn(f"{printable(folder)} has folders without images, which are left out: {few(empty)}.")


def _named_others(folders, before="", onerror=None):
    names = (name for each in folders for _, name in _walk(each, onerror))
    endings = [os.path.splitext(name)[1].lower() for name in names]
    found = collections.Counter(ending for ending in endings if ending in _OTHERS)
    named = [f"{num} {ending} file{'s' * (num > 1)}" for ending, num in sorted(found.items())]
    return before * bool(named) + ", ".join(named)


def _innermost(folder):
    """What an archive put into folders of nothing else, such as pets/pets/cat."""
    while True:
        inside = _classes(folder)
        if len(inside) != 1 or "" in inside or any(split_names(inside)):
            return folder
        (child,) = inside.values()
        if "" in _classes(child):
            return folder
        folder = child


def _classes(folder) -> dict[str, Path]:
    """The folders in a folder that hold images, by name; "" is the folder, for its own images."""
    own = {"": folder} if _images(folder) else {}
    holding = (child for child in _folders(folder) if any(_is_image(n) for _, n in _walk(child)))
    return own | {child.name: child for child in holding}


def _folders(folder):
    """The folders in a folder, but for links to what it is in itself."""
    real = Path(os.path.realpath(folder))
    found = [child for child, is_folder in _inside(folder) if is_folder]
    return [
        child
        for child in found
        if not (child.is_symlink() and real.is_relative_to(os.path.realpath(child)))
    ]


def _images(folder):
    return [path for path, is_folder in _inside(folder) if not is_folder and _is_image(path.name)]


def _inside(folder):
    """What is in a folder and not hidden, by name, and whether it is a folder."""
    with os.scandir(folder) as entries:
        entries = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    # Of a link in a circle `entry.is_dir()` raises.
    return [(folder / e.name, os.path.isdir(e) if e.is_symlink() else e.is_dir()) for e in entries]


def _walk(folder, onerror=None):
    for root, folders, names in os.walk(folder, onerror=onerror):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from ((root, name) for name in names if not name.startswith("."))


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(EXTENSIONS)
