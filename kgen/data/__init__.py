"""From a name, a folder or arrays to batches of images."""

from kgen.data.dataset import Dataset, load

__all__ = ["Dataset", "load"]
