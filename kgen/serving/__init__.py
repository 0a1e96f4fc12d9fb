"""Asks trained models behind TensorFlow Serving, with NumPy and the standard library alone.

- `Client`: asks a server, with NumPy arrays in and out

A model gets there by `model.export` or `kgen.runs.export`. `kgen.serving.grids` draws pictures,
which needs Pillow.
"""

from kgen.serving.client import Client

__all__ = ["Client"]
