"""Keras on JAX and PyTorch, which imports TensorFlow only once somebody else has."""

import importlib
import sys

from keras.src.saving import serialization_lib


class _OnceImported:
    """What stands for TensorFlow where Keras asks of an object whether it is TensorFlow's.

    No object is TensorFlow's before that is imported, which takes seconds, and on a GPU all of its
    memory.
    """

    @property
    def available(self):
        return sys.modules.get("tensorflow") is not None

    def __getattr__(self, name):
        return getattr(importlib.import_module("tensorflow"), name)


def leave_tensorflow_alone():
    """Lets Keras write a model without importing TensorFlow."""
    serialization_lib.tf = _OnceImported()
