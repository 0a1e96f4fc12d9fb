"""Pictures of what a model has learned: `PIL.Image.Image`s, written to a file on request."""

from kgen.pictures.course import animation, losses
from kgen.pictures.files import check_path, save
from kgen.pictures.grids import grid
from kgen.pictures.models import (
    arithmetic,
    chain,
    codes,
    completions,
    film,
    interpolation,
    manifold,
    reconstructions,
    samples,
    traversal,
)
from kgen.pictures.neighbours import nearest

__all__ = [
    "animation",
    "arithmetic",
    "chain",
    "check_path",
    "codes",
    "completions",
    "film",
    "grid",
    "interpolation",
    "losses",
    "manifold",
    "nearest",
    "reconstructions",
    "samples",
    "save",
    "traversal",
]
