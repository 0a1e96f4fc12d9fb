"""`python -m tests`: what of its arguments it takes for paths."""

import pytest

from tests.__main__ import paths_among


@pytest.mark.parametrize("before", [["-q"], ["-x", "-v"], ["--full"], [], ["-k", "tests"]])
def test_paths_stand_after_any_option(before, request):
    path = str(request.path)
    assert paths_among([*before, path, f"{path}::test_it"]) == [path, f"{path}::test_it"]
