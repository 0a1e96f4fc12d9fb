"""Adam in one pass over the weights."""

import keras
import numpy as np
import pytest

from kgen import backend

pytestmark = pytest.mark.skipif(keras.backend.backend() != "torch", reason="PyTorch's kernel")
SHAPES = [(3, 4), (2, 3, 4, 5), (7,), ()]
RATE = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)


def gradients(step, dtype):
    """Of which one lies in memory in another order than its weights."""
    rng = np.random.default_rng(step)
    tensors = [keras.ops.convert_to_tensor(rng.normal(size=s).astype(dtype)) for s in SHAPES]
    tensors[1] = tensors[1].permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
    assert not tensors[1].is_contiguous()
    return tensors


def trained(make, apply, steps=7, dtype="float32"):
    variables = [keras.Variable(np.ones(shape), dtype=dtype) for shape in SHAPES]
    optimizer = make()
    optimizer.build(variables)
    for step in range(steps):
        apply(optimizer, gradients(step, dtype), variables)
    return [v.numpy() for v in (*variables, *optimizer.variables)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.Adam(0.1),
        lambda: keras.optimizers.Adam(RATE, beta_1=0.5, beta_2=0.9, epsilon=1e-2),
        lambda: keras.optimizers.Adam(0.1, amsgrad=True, clipnorm=0.5),
        lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1),
        lambda: keras.optimizers.Adam(0.1, use_ema=True, global_clipnorm=1.0),
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1)),
    ],
    ids=["default", "betas", "amsgrad", "decay", "average", "scale"],
)
def test_it_is_keras(make, monkeypatch):
    import torch

    calls, fused = [], torch._fused_adam_
    monkeypatch.setattr(torch, "_fused_adam_", lambda *a, **k: calls.append(1) or fused(*a, **k))
    theirs = trained(make, lambda optimizer, *args: optimizer.apply(*args))
    assert not calls
    ours = trained(make, backend.apply_gradients)
    assert calls
    for expected, found in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def test_it_is_keras_in_double_precision():
    def make():
        return keras.optimizers.Adam(0.1)

    theirs = trained(make, lambda optimizer, *args: optimizer.apply(*args), dtype="float64")
    ours = trained(make, backend.apply_gradients, dtype="float64")
    for expected, found in zip(theirs, ours, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Nadam", "Adamax"])
def test_other_optimizers_are_as_they_were(name):
    def make():
        return getattr(keras.optimizers, name)(0.1)

    theirs = trained(make, lambda optimizer, *args: optimizer.apply(*args))
    for expected, found in zip(theirs, trained(make, backend.apply_gradients), strict=True):
        np.testing.assert_array_equal(found, expected)
