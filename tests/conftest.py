import signal

import pytest

from tests.contract import Subject


@pytest.fixture(scope="session")
def digits():
    """The first 64 of scikit-learn's digits, as floats (64, 8, 8, 1), and their labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[:64, ..., None] / 16.0).astype("float32"), data.target[:64].astype("int32")


@pytest.fixture(scope="module")
def case(request):
    """The entry of the zoo that a test is of."""
    return request.param


@pytest.fixture(scope="module")
def subject(case, tmp_path_factory):
    """The model of `case`, whose plain training its tests share; it goes with the last of them."""
    return Subject(case, tmp_path_factory.mktemp(case.name))


@pytest.fixture
def handlers():
    """Those that Python begins with, unless it runs in the background."""
    begun = {signal.SIGTERM: signal.SIG_DFL, signal.SIGINT: signal.default_int_handler}
    earlier = {number: signal.signal(number, handler) for number, handler in begun.items()}
    yield begun
    for number, handler in earlier.items():
        signal.signal(number, handler)
