"""Compiled functions over arrays of any length."""

import time

import keras
import numpy as np
from keras import ops

from kgen import backend
from kgen.checks import whole_number


def in_batches(function, rows, batch_size, show_progress=True):
    """Runs a function over the rows of arrays, in batches of one size.

    Args:
        function: callable of a dict of arrays with the batch first.
        rows: dict of NumPy arrays with the same number of rows, or None in place of one.
        batch_size: int.
        show_progress: bool. Show a bar when it takes long.

    Returns:
        What `function` returns, as NumPy arrays of all rows.
    """
    num = next(len(array) for array in rows.values() if array is not None)
    if num < 1:
        raise ValueError("Expected at least one row. Received: 0 rows")
    batch_size = size_of_batches(num, whole_number("batch_size", batch_size))
    rows = {name: None if a is None else _filled(a, batch_size) for name, a in rows.items()}
    starts = range(0, num, batch_size)
    outputs = []
    for start in with_progress(starts) if show_progress else starts:
        # The last batch is filled with rows from before it, so that nothing compiles twice.
        part = slice(max(0, min(start, num - batch_size)), start + batch_size)
        output = function({k: None if a is None else a[part] for k, a in rows.items()})
        fresh = slice(start - part.start, None)
        outputs.append(
            keras.tree.map_structure(lambda a, s=fresh: ops.convert_to_numpy(a)[s], output)
        )
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts)[:num], *outputs)


def size_of_batches(num, batch_size):
    """The size of batches for so many rows, which may be above their number.

    Where each size is compiled, fewer rows than a batch are filled up to a power of two.

    Args:
        num: int. Rows.
        batch_size: int. At most so many at a time.
    """
    if num >= batch_size or not backend.COMPILES_EACH_SIZE:
        return min(num, batch_size)
    return min(batch_size, 2 ** (num - 1).bit_length())


def _filled(array, num):
    """An array of at least so many rows, the last repeated."""
    missing = num - len(array)
    return np.concatenate([array, array[-1:].repeat(missing, axis=0)]) if missing > 0 else array


def with_progress(steps, patience=2.0):
    """Yields from a sequence, with a progress bar if after `patience` seconds some is left."""
    started, bar = time.monotonic(), None
    for done, step in enumerate(steps, start=1):
        yield step
        if bar is None and done < len(steps) and time.monotonic() - started > patience:
            bar = keras.utils.Progbar(len(steps))
        if bar is not None:
            bar.update(done)
