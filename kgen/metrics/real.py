"""The real images that a figure compares with."""

import numpy as np

from kgen.checks import whole_number


def evenly(batches, num):
    """So many images of a split, from all parts of it, and what comes with them.

    Sources that lie in the order of their classes have some of each then.

    Args:
        batches: `kgen.data.Dataset.train` or `.test`.
        num: int. Of a smaller split all are taken.

    Returns:
        What `batches.take` gives of them.
    """
    num, found, first = whole_number("num", num), [], 0
    size = batches.settings["images"]
    chosen = np.unique(np.linspace(0, size - 1, min(num, size)).round().astype(int))
    for batch in batches.in_order():
        rows = chosen[(chosen >= first) & (chosen < first + len(batch[0]))] - first
        found.append(tuple(part[rows] for part in batch))
        first += len(batch[0])
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
