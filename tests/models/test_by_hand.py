"""The steps that kgen's are measured against do the same."""

import importlib
import math
import pathlib
import sys

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from tests.tiers import in_tiers

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")
SHAPE = (8, 8, 1)
DENSE = {"latent_dim": 4, "width": 8, "seed": 0}
OF_ONE_LOSS = {
    "IWAE": lambda: kgen.VAE(SHAPE, objective="iwae", num_samples=3, **DENSE),
    "IAF": lambda: kgen.VAE(SHAPE, posterior_family=kgen.posteriors.IAF(2, (8,), 3), **DENSE),
    "LadderVAE": lambda: kgen.LadderVAE(SHAPE, (4, 3, 2), (8, 8, 8), seed=0),
}
OF_PLAYERS = {
    "AAE": lambda: kgen.AdversarialAutoencoder(SHAPE, **DENSE),
    "VAEGAN": lambda: kgen.VAEGAN(SHAPE, **DENSE),
    "BiGAN": lambda: kgen.BiGAN(SHAPE, **DENSE),
    "VQVAE": lambda: kgen.VQVAE(
        SHAPE, num_codes=8, code_dim=4, width=8, depth=1, prior_width=4, prior_depth=1, seed=0
    ),
}


def numbers(draw):
    """A function as of `keras.random` whose numbers depend on how many they are alone."""

    def drawn(shape, *bounds, dtype="float32", seed=None):
        del seed
        found = draw(np.random.default_rng(math.prod(shape)), shape, *bounds)
        return ops.convert_to_tensor(found.astype(dtype))

    return drawn


def uniform(generator, shape, low=0.0, high=1.0):
    return generator.uniform(low, high, shape)


@pytest.fixture
def modules(monkeypatch):
    """Those of the benchmarks."""
    monkeypatch.setattr(sys, "path", [BENCHMARKS, *sys.path])
    names = "by_hand_autoencoders", "by_hand_likelihood", "stepper"
    return [importlib.import_module(name) for name in names]


@pytest.mark.parametrize("name", in_tiers([*OF_ONE_LOSS, *OF_PLAYERS], quick=[], on_each=["BiGAN"]))
def test_step_by_hand_does_what_the_model_s_does(name, digits, modules, monkeypatch):
    normal = numbers(lambda generator, shape: generator.standard_normal(shape))
    monkeypatch.setattr(keras.random, "normal", normal)
    monkeypatch.setattr(keras.random, "uniform", numbers(uniform))
    autoencoders, likelihood, stepper = modules
    batch = ops.convert_to_tensor(np.rint(255.0 * digits[0][:16]).astype("uint8"))
    model = (OF_ONE_LOSS | OF_PLAYERS)[name]()
    rate = 1e-4 if name == "VQVAE" else 1e-2

    def optimizers(model):
        return {player: keras.optimizers.SGD(rate) for player in model.players()}

    monkeypatch.setattr(type(model), "default_optimizers", optimizers)
    by_hand = getattr(autoencoders, name)
    if name in OF_ONE_LOSS:
        by_hand = likelihood.make(by_hand, model)
        by_hand.compile(keras.optimizers.SGD(rate), jit_compile=False)
        by_hand.optimizer.build(by_hand.trainable_variables)
        theirs = stepper.stepper(by_hand, batch)
    else:
        theirs = autoencoders.stepper(by_hand(model), batch, jit_compile=False)
    model.compile(jit_compile=False)
    ours, logs = stepper.stepper(model, batch), []
    for _ in range(3):
        logs.append([{k: float(v) for k, v in run(1).items()} for run in (ours, theirs)])
    assert [found for found, _ in logs] == [pytest.approx(found, rel=2e-5) for _, found in logs]
    moved = {k: abs(v / logs[0][0][k] - 1.0) for k, v in logs[2][0].items() if "loss" in k}
    assert min(moved.values()) > 3e-5, moved
