"""From a name, a folder or arrays to batches of images."""

from kgen.data.dataset import Dataset, load
from kgen.data.few_labels import few_labels

__all__ = ["Dataset", "few_labels", "load"]
