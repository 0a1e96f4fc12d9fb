"""What a model is given: images, labels and other conditions, a seed.

Each is described once, by NumPy alone: `fit`, the verbs, the data, a SavedModel and the client ask
the same field what a row of an input is, its shape, dtype and range, and refuse another by it.
"""

from kgen.fields.code_map import CodeMap
from kgen.fields.feature_map import FeatureMap
from kgen.fields.field import Field
from kgen.fields.image import Image, Mask
from kgen.fields.label import UNKNOWN, Attributes, Label, PartialLabel, as_text
from kgen.fields.noisy import Noisy, Time
from kgen.fields.vector import Seed, Tokens, Vector

__all__ = [
    "UNKNOWN",
    "Attributes",
    "CodeMap",
    "FeatureMap",
    "Field",
    "Image",
    "Label",
    "Mask",
    "Noisy",
    "PartialLabel",
    "Seed",
    "Time",
    "Tokens",
    "Vector",
    "as_text",
]
