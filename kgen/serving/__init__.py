"""Trained models behind TensorFlow Serving.

- `export`: a run as a SavedModel; of a model itself `model.export`
- `Client`: asks a server, with NumPy arrays in and out
- `generate`: a picture of what a server generates
- `Input`, `SEED`: what a signature of a model of one's own takes
"""

from kgen.export.inputs import SEED, Input
from kgen.export.versions import export
from kgen.serving.client import Client
from kgen.serving.grids import generate

__all__ = ["SEED", "Client", "Input", "export", "generate"]
