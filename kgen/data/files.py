"""Many image files read at once, where broken ones stop nothing."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from kgen.data.images import BYTES_PER_PIXEL, decode
from kgen.data.names import reason_of, with_reasons
from kgen.data.splits import Batch
from kgen.warn import warn

DECODING_BYTES = 2**30
"""What the images that are decoded at once may take: of large ones there are fewer at once."""

_NUM_THREADS = min(32, (os.cpu_count() or 1) + 4)


def map_files(
    function: Callable, items: Iterable, num_threads: int = _NUM_THREADS
) -> tuple[list, list[str | None]]:
    """The results of a function, and why an item has none; in threads, as Pillow leaves the GIL."""

    def attempt(item):
        try:
            return function(item), None
        except ImportError:
            raise
        except Exception as error:  # Decoders raise anything from OSError to SyntaxError.
            return None, reason_of(error)  # The exception itself would keep the pixels.

    with ThreadPoolExecutor(num_threads) as pool:
        attempts = list(pool.map(attempt, items))
    return [result for result, _ in attempts], [reason for _, reason in attempts]


def warn_of_broken(broken: dict[Path, str], consequence: str) -> None:
    """Warns with the names of the files that cannot be read, the first ones of many."""
    if not broken:
        return
    files = "image file" if len(broken) == 1 else "image files"
    warn(f"{len(broken)} {files} cannot be read; {consequence}: {with_reasons(broken)}")


class ImageFiles:
    """Takes rows of images by number from files, for sets that are too large for memory.

    A row has a file, or two of a pair. When a file breaks after the set was loaded, it is named in
    a warning, once, and another row of its batch takes the place of its own.

    Args:
        paths: for each row its files.
        labels: int32 (number of rows,), or None.
        image_shapes: for each file of a row the (height, width, channels) that it is brought to.
        num_pixels: integers (number of rows, files of a row), those of the files.
    """

    def __init__(
        self,
        paths: Sequence[tuple[Path, ...]],
        labels: np.ndarray | None,
        image_shapes: Sequence[tuple[int, int, int]],
        num_pixels: np.ndarray,
    ):
        self._paths = paths
        self._labels = labels
        self._image_shapes = image_shapes
        self._at_once = _at_once(num_pixels)
        self._known_broken: set[Path] = set()

    def decode(self, indices: np.ndarray) -> tuple[list[np.ndarray], dict[tuple, str]]:
        """Decodes rows.

        Returns:
            A uint8 array for each file of a row, and by (row, file) why some could not be filled.
        """
        images = [np.empty((len(indices), *shape), "uint8") for shape in self._image_shapes]

        def fill(place):
            row, number = place
            path = self._paths[indices[row]][number]
            *size, channels = self._image_shapes[number]
            images[number][row] = decode(path, channels, tuple(size))

        found, at_once = {}, self._at_once[indices]
        for num_threads in np.unique(at_once):
            places = list(zip(*(at_once == num_threads).nonzero(), strict=True))
            _, reasons = map_files(fill, places, int(num_threads))
            found |= zip(places, reasons, strict=True)
        return images, {place: found[place] for place in sorted(found) if found[place] is not None}

    def __call__(self, indices: np.ndarray) -> Batch:
        """The batch of rows, with their labels where there are any."""
        images, reasons = self.decode(indices)
        if reasons:
            indices = indices.copy()
            broken = {
                self._paths[indices[row]][number]: reason
                for (row, number), reason in reasons.items()
            }
            bad = sorted({row for row, _ in reasons})
            good = [row for row in range(len(indices)) if row not in bad]
            if not good:
                raise ValueError(
                    "Expected a batch with an image that can be read. Received: "
                    f"{with_reasons(broken)}"
                )
            taken = [good[k % len(good)] for k in range(len(bad))]
            for column in (*images, indices):
                column[bad] = column[taken]
            news = {path: why for path, why in broken.items() if path not in self._known_broken}
            self._known_broken.update(news)
            warn_of_broken(news, "another image of the batch takes the place of each")
        return (*images,) if self._labels is None else (*images, self._labels[indices])


def _at_once(num_pixels):
    """How many images like each are decoded at once, by powers of two, as they go together."""
    bytes_of_each = BYTES_PER_PIXEL * np.maximum(num_pixels, 1)
    most = np.clip(DECODING_BYTES // bytes_of_each, 1, _NUM_THREADS)
    return np.where(most < _NUM_THREADS, 2 ** np.log2(most).astype(int), most)
