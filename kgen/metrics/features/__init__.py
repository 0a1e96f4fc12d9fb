"""What images are compared by: numbers that describe them.

Figures of one kind of features say nothing beside those of another.
"""

from kgen.metrics.features.classifier import Classifier
from kgen.metrics.features.efficientnet_lite import EfficientNetLite0
from kgen.metrics.features.extractor import Extracted, Features
from kgen.metrics.features.inception import FIDInception, KerasInception
from kgen.metrics.features.pixels import Pixels

__all__ = [
    "Classifier",
    "EfficientNetLite0",
    "Extracted",
    "FIDInception",
    "Features",
    "KerasInception",
    "Pixels",
]
