"""The same numbers as the packages that papers quote, on the same features, where they are."""

import importlib.util
import sys
import types

import numpy as np
import pytest

from kgen import metrics

pytestmark = pytest.mark.anywhere

RNG = np.random.default_rng(0)
FAKE, REAL = RNG.random((120, 6)) ** 2, RNG.random((150, 6))
LOGITS = 3.0 * RNG.standard_normal((100, 5))


def test_prdc():
    prdc = pytest.importorskip("prdc")
    expected = prdc.compute_prdc(REAL, FAKE, nearest_k=5)
    found = metrics.precision_recall(FAKE, REAL, 5, ties=False)
    found |= metrics.density_coverage(FAKE, REAL, 5)
    assert found == pytest.approx(expected, abs=1e-9)


class Anything(types.ModuleType):
    """A package of images, which these figures need none of, with every name in it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture
def fidelity(monkeypatch):
    """The functions of torch-fidelity that take features."""
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("Needs torch-fidelity: pip install --no-deps torch-fidelity")
    parent = None
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        module = Anything(name)
        monkeypatch.setitem(sys.modules, name, module)
        if parent is not None:
            setattr(parent, name.split(".")[-1], module)
        parent = module
    monkeypatch.setitem(sys.modules, "torchvision.datasets", Anything("datasets"))
    import torch
    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

    return torch.tensor, metric_fid, metric_isc, metric_kid, metric_prc


def test_frechet_distance(fidelity):
    tensor, fid, *_ = fidelity
    statistics = [fid.fid_features_to_statistics(tensor(x)) for x in (FAKE, REAL)]
    expected = fid.fid_statistics_to_metric(*statistics, verbose=False)
    found = metrics.frechet_distance(FAKE, REAL)
    assert found == pytest.approx(expected["frechet_inception_distance"], rel=1e-6)


def test_kernel_distance(fidelity):
    """Of subsets that are all of them, as both draw others."""
    tensor, _, _, kid, _ = fidelity
    given = {"kid_subsets": 2, "kid_subset_size": 120, "verbose": False}
    expected = kid.kid_features_to_metric(tensor(FAKE), tensor(REAL[:120]), **given)
    found, _ = metrics.kernel_distance(FAKE, REAL[:120])
    assert found == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)


def test_inception_score(fidelity):
    tensor, _, isc, *_ = fidelity
    expected = isc.isc_features_to_metric(tensor(LOGITS), splits=1, shuffle=False)
    found, _ = metrics.inception_score(LOGITS, splits=1)
    assert found == pytest.approx(expected["inception_score_mean"], rel=1e-6)


def test_precision_and_recall(fidelity):
    tensor, *_, prc = fidelity
    given = {"prc_neighborhood": 3, "prc_batch_size": 50, "verbose": False}
    expected = prc.prc_features_to_metric(tensor(FAKE), tensor(REAL), **given)
    found = metrics.precision_recall(FAKE, REAL)
    for name in ("precision", "recall"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
