import math

import pytest

from kgen.data.imports import require


def test_require():
    assert require("math", "math", "Arithmetic") is math
    with pytest.raises(ImportError, match="Magic needs the package no-such.*pip install no-such"):
        require("no_such_module", "no-such", "Magic")
    with pytest.raises(
        ImportError, match="the packages a and b; no_such.module cannot.*install a b"
    ):
        require("no_such.module", "a b", "Magic")
