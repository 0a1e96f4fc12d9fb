"""Ways between latent vectors."""

import numpy as np


def lerp(start, end, t):
    """The straight line from `start` (t = 0) to `end` (t = 1), along the last axis."""
    return start + t * (end - start)


def slerp(start, end, t):
    """The great circle from `start` (t = 0) to `end` (t = 1), along the last axis.

    Length goes over in equal steps where the ends' differ, and the line is straight where their
    directions are the same or opposite.
    """
    lengths = [np.linalg.norm(v, axis=-1, keepdims=True) for v in (start, end)]
    start_unit, end_unit = (
        v / np.maximum(length, 1e-12) for v, length in zip((start, end), lengths, strict=True)
    )
    cosine = np.clip(np.sum(start_unit * end_unit, axis=-1, keepdims=True), -1.0, 1.0)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    straight = sine < 1e-4
    sine = np.where(straight, 1.0, sine)
    direction = (np.sin((1.0 - t) * angle) * start_unit + np.sin(t * angle) * end_unit) / sine
    return np.where(straight, lerp(start, end, t), lerp(*lengths, t) * direction)
