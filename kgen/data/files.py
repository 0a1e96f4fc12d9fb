"""Read many image files at once, and go on when some of them are broken."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kgen.data.images import decode
from kgen.data.splits import Batch
from kgen.warn import warn


def map_files(function: Callable, items: Iterable) -> tuple[list, list[Exception | None]]:
    """Map in threads (Pillow decodes outside the GIL); give the results and the errors."""

    def attempt(item):
        try:
            return function(item), None
        except ImportError:
            raise
        except Exception as error:  # Decoders raise anything from OSError to SyntaxError.
            return None, error

    with ThreadPoolExecutor() as pool:
        attempts = list(pool.map(attempt, items))
    return [result for result, _ in attempts], [error for _, error in attempts]


def warn_of_broken(broken: dict[Path, Exception], consequence: str, limit: int = 10) -> None:
    """Warn with the names of the files that cannot be read, at most `limit` of them."""
    if not broken:
        return
    named = [f"{path} ({error})" for path, error in list(broken.items())[:limit]]
    if len(broken) > limit:
        named.append(f"and {len(broken) - limit} more")
    warn(f"{len(broken)} image files cannot be read; {consequence}: {', '.join(named)}")


class ImageFiles:
    """Takes images by number from files, for sets that are too large for memory.

    A file that breaks after the set was loaded is named in a warning, once, and another image of
    its batch takes its place.

    Args:
        paths: the files.
        labels: int32 (number of files,), or None.
        image_shape: (height, width, channels) that every image is brought to.
    """

    def __init__(
        self, paths: Sequence[Path], labels: np.ndarray | None, image_shape: tuple[int, int, int]
    ):
        self._paths = paths
        self._labels = labels
        self._image_shape = image_shape
        self._known_broken: set[Path] = set()

    def decode(self, indices: np.ndarray) -> tuple[np.ndarray, dict[int, Exception]]:
        """Decode files; give the images, and the rows that could not be filled with the reasons."""
        images = np.empty((len(indices), *self._image_shape), "uint8")

        def fill(row):
            *size, channels = self._image_shape
            images[row] = decode(self._paths[indices[row]], channels, tuple(size))

        _, errors = map_files(fill, range(len(indices)))
        return images, {row: error for row, error in enumerate(errors) if error is not None}

    def __call__(self, indices: np.ndarray) -> Batch:
        """Take a batch."""
        images, errors = self.decode(indices)
        if errors:
            indices = indices.copy()
            broken = {self._paths[indices[row]]: error for row, error in errors.items()}
            good = [row for row in range(len(indices)) if row not in errors]
            if not good:
                names = ", ".join(f"{path} ({error})" for path, error in broken.items())
                raise ValueError(f"None of the images of a batch can be read: {names}")
            for k, row in enumerate(errors):
                replacement = good[k % len(good)]
                images[row], indices[row] = images[replacement], indices[replacement]
            news = {path: e for path, e in broken.items() if path not in self._known_broken}
            self._known_broken.update(news)
            warn_of_broken(news, "another image of the batch takes the place of each")
        return (images,) if self._labels is None else (images, self._labels[indices])
