"""What the diffusion models have in common: chains, noise and its removal, their own guesses."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, networks
from kgen.samplers import DDIM, ODE, Ancestral, Heun
from tests.zoo import denoiser

SHAPE = (8, 8, 1)
RNG = np.random.default_rng(0)
MODELS = {
    "ddpm": lambda network, **kwargs: kgen.DDPM(SHAPE, network, timesteps=20, seed=0, **kwargs),
    "edm": lambda network, **kwargs: kgen.EDM(SHAPE, network, seed=0, **kwargs),
    "flow": lambda network, **kwargs: kgen.FlowMatching(SHAPE, network, seed=0, **kwargs),
}
every = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def numpy(x):
    return ops.convert_to_numpy(x)


@every
def test_a_chain_ends_where_the_sample_does(make):
    model = make(denoiser(condition=3), num_classes=3)
    given = {"labels": [0, 1], "steps": 5, "guidance": 2.0, "seed": 4}
    chain = model.chain(2, frames=3, **given)
    np.testing.assert_allclose(chain[:, -1], model.sample(2, **given), atol=1e-5)
    begin = kgen.EDM(SHAPE, denoiser(), seed=0).chain(2, frames=2, seed=4, steps=3)[:, 0]
    np.testing.assert_allclose(chain[:, 0], begin, atol=1e-5)  # the noise of the seed, whose it is
    assert np.abs(chain[:, 1] - chain[:, 0]).max() > 1e-3


def test_frames_are_evenly_apart():
    model = MODELS["flow"](denoiser())
    every = model.chain(1, frames=9, sampler="euler", steps=8, seed=0)
    few = model.chain(1, frames=5, sampler="euler", steps=8, seed=0)
    np.testing.assert_allclose(few[0], every[0, ::2], atol=1e-6)
    pictures = kgen.pictures.chain(model, 3, frames=4, steps=3, seed=0)
    assert pictures.size[0] > pictures.size[1]


def test_a_film_of_the_chain(tmp_path):
    from PIL import Image

    model = MODELS["flow"](denoiser(condition=3), num_classes=3)
    kgen.pictures.film(model, 2, tmp_path / "film.gif", frames=4, steps=4, seed=0)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 4


@every
def test_noise_that_is_known_is_removed(make):
    """A network that gives what it has to is right about the image; `noisy` is of its seed."""
    images = RNG.uniform(0.2, 0.8, (4, *SHAPE)).astype("float32")
    model = make(denoiser())
    t = {"DDPM": [3, 8, 11, 15], "EDM": [0.1, 1, 5, 50], "FlowMatching": [0.9, 0.5, 0.1, 0.0]}
    t = np.array(t[type(model).__name__])
    noisy = model.noisy(images, t, seed=[5, 6, 7, 8])
    np.testing.assert_allclose(model.noisy(images[1:2], t[1], seed=6), noisy[1:2], atol=1e-6)
    row = {name: numpy(a) for name, a in model.level(ops.convert_to_tensor(t)).items()}
    eps = (noisy - row["signal"] * (2.0 * images - 1.0)) / row["noise"]
    assert np.abs(eps).max() < 6.0 and 0.8 < eps.std() < 1.2
    if isinstance(model, kgen.DDPM):
        outputs = eps
    elif isinstance(model, kgen.FlowMatching):
        outputs = 2.0 * images - 1.0 - eps
    else:
        total = row["noise"] ** 2 + 0.25
        outputs = 2.0 * images - 1.0 - 0.25 / total * noisy
        outputs /= row["noise"] * 0.5 / np.sqrt(total)
    model.guided = lambda *args: ops.convert_to_tensor(outputs.astype("float32"))
    np.testing.assert_allclose(model.denoise(noisy, t), images, atol=2e-3)


@every
def test_a_network_is_shown_its_last_guess(make):
    model = make(denoiser(seen=2), self_condition=True, ema_decay=None)
    seen, network = [], model.network

    def watched(inputs, training=False):
        seen.append(numpy(inputs[0])[..., 1:])
        return network(inputs, training=training)

    vars(model)["average"], model.__class__ = None, type("Watched", (type(model),), {})
    type(model).averaged = property(lambda self: watched)
    x = ops.convert_to_tensor(RNG.standard_normal((2, *SHAPE)).astype("float32"))
    t = 0.5 if isinstance(model, kgen.FlowMatching) else 1
    row = model.level(ops.convert_to_tensor(np.array([t, t])))
    first, _ = model.guess(x, row, None, 1.0, ops.zeros_like(x))
    again, _ = model.guess(x, row, None)
    assert len(seen) == 3
    np.testing.assert_array_equal(seen[0], 0.0)
    np.testing.assert_allclose(seen[2], numpy(first), atol=1e-6)
    assert np.abs(numpy(again) - numpy(first)).max() > 1e-4


def test_half_of_the_images_are_shown_a_guess_in_training():
    class Coin:
        def uniform(self, shape):
            return ops.reshape(ops.convert_to_tensor(np.array([0.4, 0.6], "float32")), shape)

    model = MODELS["flow"](denoiser(seen=2), self_condition=True, ema_decay=None)
    x = ops.convert_to_tensor(RNG.standard_normal((2, *SHAPE)).astype("float32"))
    row = model.level(ops.convert_to_tensor(np.array([0.3, 0.6], "float32")))
    mixed = numpy(model.outputs(x, row, None, Coin(), training=True))
    shown = numpy(model.guided(x, row, None))
    blind = numpy(model.guided(x, row, None, 1.0, ops.zeros_like(x)))
    np.testing.assert_allclose(mixed[0], shown[0], atol=1e-5)
    np.testing.assert_allclose(mixed[1], blind[1], atol=1e-5)
    assert np.abs(shown[1] - blind[1]).max() > 1e-4
    evaluated = numpy(model.outputs(x, row, None, None, training=False))
    np.testing.assert_allclose(evaluated, shown, atol=1e-5)


def test_a_guess_has_no_gradient():
    """In training a first guess that is shown counts as a number."""

    class Shown:
        def uniform(self, shape):
            return ops.zeros(shape)

    model = MODELS["flow"](denoiser(seen=2), self_condition=True, ema_decay=None)
    x = ops.convert_to_tensor(RNG.standard_normal((2, *SHAPE)).astype("float32"))
    row = model.level(ops.convert_to_tensor(np.array([0.3, 0.6], "float32")))
    last = model.guess(x, row, None, 1.0, ops.zeros_like(x))[0]
    last = ops.convert_to_tensor(ops.convert_to_numpy(ops.stop_gradient(last)))
    losses = (
        lambda: ops.mean(ops.square(model.outputs(x, row, None, Shown()))),
        lambda: ops.mean(ops.square(model.guided(x, row, None, 1.0, last))),
    )
    found = [backend.value_and_grad(each, model.network.trainable_variables)[1] for each in losses]
    for own, expected in zip(*found, strict=True):
        np.testing.assert_allclose(numpy(own), numpy(expected), rtol=1e-4, atol=1e-6)


def test_each_step_is_shown_the_guess_of_the_step_before():
    model = MODELS["flow"](denoiser(seen=2), self_condition=True, ema_decay=None)
    x = RNG.standard_normal((2, *SHAPE)).astype("float32")
    last, by_hand = np.zeros_like(x), x
    for t in (0.0, 0.5):
        v = numpy(model.network([np.concatenate([by_hand, last], -1), np.full(2, 1000.0 * t)]))
        last, by_hand = by_hand + (1.0 - t) * v, by_hand + 0.5 * v
    found = model.walk(ops.convert_to_tensor(x), None, None, ODE(2), bounded=False)
    np.testing.assert_allclose(numpy(found), by_hand, atol=1e-4)


def test_another_sampler_may_be_set():
    model = MODELS["ddpm"](denoiser())
    first = model.sample(2, seed=0)
    model.sampler = DDIM(3)
    np.testing.assert_array_equal(model.sample(2, seed=0), model.sample(2, seed=0, steps=3))
    assert np.abs(model.sample(2, seed=0) - first).max() > 1e-3
    again = type(model).from_config(keras.saving.serialize_keras_object(model)["config"])
    assert again.sampler == DDIM(3)
    with pytest.raises(ValueError, match="a sampler of ancestral"):
        model.sampler = ODE(3)
    assert model.sampler == DDIM(3)


@every
def test_parts_combine(make):
    """Every sampler that a model takes, with guidance, in steps of its own."""
    model = make(denoiser(condition=3), num_classes=3)
    ours = [DDIM(3, eta=0.5), Ancestral(3), "dpm_solver"]
    ours += [ODE(2, method="heun")] if isinstance(model, kgen.FlowMatching) else [Heun(3)]
    images = [model.sample(2, 1, sampler=s, steps=4, guidance=1.5, seed=0) for s in ours]
    assert all(np.isfinite(each).all() and each.std() > 0 for each in images)
    assert np.abs(images[0] - images[1]).max() > 1e-3


@pytest.mark.anywhere
def test_presets():
    unet, dit = (
        kgen.DDPM((8, 8, 3), architecture=each, width=8, num_classes=3, self_condition=True)
        for each in ("unet", "dit")
    )
    assert unet.network.count_params() != dit.network.count_params()
    point = kgen.FlowMatching((1, 1, 2), width=8)
    assert point.network.count_params() == networks.dense_denoiser((1, 1, 2), 8).count_params()
    for wrong, message in (
        ({"architecture": "vit"}, "architecture in"),
        ({"network": denoiser(), "architecture": "dit"}, "no architecture or dropout"),
        ({"self_condition": 1}, "self_condition as True or False"),
        ({"network": denoiser(), "self_condition": True}, r"image \(batch, 8, 8, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            kgen.DDPM(SHAPE, **wrong)
