import pytest

import kgen
from kgen.metrics.features import Classifier


@pytest.fixture(scope="session")
def digits():
    """scikit-learn's digits as a data set."""
    return kgen.data.load("digits", batch_size=200)


@pytest.fixture(scope="session")
def classifier(digits):
    """One of the digits, after few steps."""
    return Classifier.train(digits, steps=250)
