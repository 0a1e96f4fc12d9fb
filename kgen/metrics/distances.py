"""Distances of features, of which a block is held at a time."""

import hashlib
from typing import NamedTuple

import numpy as np

from kgen.metrics.arrays import blocks

SIDE = 2048  # rows, of whose pairs the distances are held at once: 32 MiB


class Points(NamedTuple):
    """Features with what their distances need besides.

    Attributes:
        features: array (num, d).
        ids: int array (num,): the same number of equal rows, also of others.
        center: float64 array (d,), from which they are counted, as large numbers are rounded more.
    """

    features: np.ndarray
    ids: np.ndarray
    center: np.ndarray

    def block(self, rows):
        """Some of the features, in float64."""
        return self.features[rows] - self.center


def points(*arrays):
    """`Points` of each array, which know equal rows of one another, about the last one's mean."""
    center = arrays[-1].mean(axis=0, dtype="float64")
    return [Points(*each, center) for each in zip(arrays, row_ids(*arrays), strict=True)]


def row_ids(*arrays):
    """Of each array (num, d) an int array (num,): the same number of equal rows, also of others."""
    dtype = np.result_type(*arrays)
    digests = [
        hashlib.blake2b((row + 0.0).astype(dtype), digest_size=16).digest()  # of -0 it makes 0
        for rows in arrays
        for row in rows
    ]
    _, ids = np.unique(np.array(digests, "S16"), return_inverse=True)
    return np.split(ids, np.cumsum([len(each) for each in arrays])[:-1])


def blocks_of_pairs(a, b):
    """Yields slices of the rows of two sets, whose pairs together are all, those of `a` in turn."""
    for rows in blocks(len(a), SIDE):
        for columns in blocks(len(b), SIDE):
            yield rows, columns


def squared_distances(a, b, leeway=0.0):
    """Yields slices of rows and ||x - y||^2 of each of these of `a` to each of these of `b`.

    They are exactly 0 of equal rows.

    Args:
        a: Points.
        b: Points, about the same center.
        leeway: float. What of ||x||^2 + ||y||^2 is added, but for equal rows.
    """
    for rows, columns in blocks_of_pairs(a.features, b.features):
        x, y = a.block(rows), b.block(columns)
        squares = -2.0 * x @ y.T
        squares += (1.0 + leeway) * np.square(x).sum(axis=1)[:, None]
        squares += (1.0 + leeway) * np.square(y).sum(axis=1)
        np.maximum(squares, 0.0, out=squares)
        squares[np.nonzero(a.ids[rows, None] == b.ids[columns])] = 0.0
        yield rows, columns, squares


def squared_radii(a, k):
    """The squared distance of each of `a`, `Points`, to its k-th neighbour, itself not counted."""
    found = np.full((len(a.features), k + 1), np.inf)
    for rows, _, squares in squared_distances(a, a):
        both = np.concatenate([found[rows], squares], axis=1)
        found[rows] = np.partition(both, k, axis=1)[:, : k + 1]
    return found[:, k]


def nearest(a, b, k):
    """Distances (num, k) of each of `a` to the k nearest of `b`, in order, and which they are."""
    found, which = np.full((len(a.features), k), np.inf), np.zeros((len(a.features), k), int)
    for rows, columns, squares in squared_distances(a, b):
        both = np.concatenate([found[rows], squares], axis=1)
        order = np.argsort(both, axis=1, kind="stable")[:, :k]
        found[rows] = np.take_along_axis(both, order, axis=1)
        earlier = np.take_along_axis(which[rows], np.minimum(order, k - 1), axis=1)
        which[rows] = np.where(order < k, earlier, order - k + columns.start)
    for i, each in enumerate(which):  # not by the difference of squares, which rounds
        found[i] = np.linalg.norm(a.features[i].astype("float64") - b.features[each], axis=1)
    order = np.argsort(found, axis=1, kind="stable")
    return tuple(np.take_along_axis(each, order, axis=1) for each in (found, which))
