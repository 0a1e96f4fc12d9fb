"""Many image files read at once, where broken ones stop nothing."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kgen.data.images import decode
from kgen.data.splits import Batch
from kgen.warn import warn


def map_files(function: Callable, items: Iterable) -> tuple[list, list[Exception | None]]:
    """The results and the errors of a function, in threads: Pillow decodes outside the GIL."""

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
    """Warns with the names of the files that cannot be read, at most `limit` of them."""
    if not broken:
        return
    named = [f"{path} ({error})" for path, error in list(broken.items())[:limit]]
    if len(broken) > limit:
        named.append(f"and {len(broken) - limit} more")
    files = "image file" if len(broken) == 1 else "image files"
    warn(f"{len(broken)} {files} cannot be read; {consequence}: {', '.join(named)}")


class ImageFiles:
    """Takes rows of images by number from files, for sets that are too large for memory.

    A row has a file, or two of a pair. When a file breaks after the set was loaded, it is named in
    a warning, once, and another row of its batch takes the place of its own.

    Args:
        paths: for each row its files.
        labels: int32 (number of rows,), or None.
        image_shapes: for each file of a row the (height, width, channels) that it is brought to.
    """

    def __init__(
        self,
        paths: Sequence[tuple[Path, ...]],
        labels: np.ndarray | None,
        image_shapes: Sequence[tuple[int, int, int]],
    ):
        self._paths = paths
        self._labels = labels
        self._image_shapes = image_shapes
        self._known_broken: set[Path] = set()

    def decode(self, indices: np.ndarray) -> tuple[list[np.ndarray], dict[tuple, Exception]]:
        """Decodes rows.

        Returns:
            A uint8 array for each file of a row, and by (row, file) why some could not be filled.
        """
        images = [np.empty((len(indices), *shape), "uint8") for shape in self._image_shapes]

        def fill(place):
            row, number = place
            *size, channels = self._image_shapes[number]
            images[number][row] = decode(self._paths[indices[row]][number], channels, tuple(size))

        places = [(row, number) for row in range(len(indices)) for number in range(len(images))]
        _, errors = map_files(fill, places)
        named = zip(places, errors, strict=True)
        return images, {place: error for place, error in named if error is not None}

    def __call__(self, indices: np.ndarray) -> Batch:
        """The batch of rows, with their labels where there are any."""
        images, errors = self.decode(indices)
        if errors:
            indices = indices.copy()
            broken = {
                self._paths[indices[row]][number]: error for (row, number), error in errors.items()
            }
            bad = sorted({row for row, _ in errors})
            good = [row for row in range(len(indices)) if row not in bad]
            if not good:
                names = ", ".join(f"{path} ({error})" for path, error in broken.items())
                raise ValueError(
                    f"Expected a batch with an image that can be read. Received: {names}"
                )
            taken = [good[k % len(good)] for k in range(len(bad))]
            for column in (*images, indices):
                column[bad] = column[taken]
            news = {path: e for path, e in broken.items() if path not in self._known_broken}
            self._known_broken.update(news)
            warn_of_broken(news, "another image of the batch takes the place of each")
        return (*images,) if self._labels is None else (*images, self._labels[indices])
