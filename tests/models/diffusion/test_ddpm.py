"""DDPM in worlds that are known: a network that says nothing, and one that knows the data's law."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kgen import backend
from kgen.models.diffusion import ddpm as ddpm_file
from kgen.models.diffusion import diffusion_model, schedule
from kgen.models.diffusion.ddpm import DDPM, discretized_normal_nll
from kgen.noise import StepNoise
from kgen.samplers import DDIM, ODE, Ancestral
from kgen.seeds import seeds_of
from tests.tiers import in_tiers
from tests.zoo import denoiser

RNG = np.random.default_rng(0)
SHAPE = (4, 4, 1)
BITS = np.log(2.0) * 16


@keras.saving.register_keras_serializable("tests")
class Exact(keras.layers.Layer):
    """The best guess of eps where images are N(0, covariance), alike at each pixel."""

    def __init__(self, covariance, name="linear", steps=1000):
        super().__init__()
        covariance = np.atleast_2d(np.asarray(covariance, "float64"))
        s = schedule.get(name, steps)
        eye = np.eye(len(covariance))
        signal, noise = s.signal[:, None, None], s.noise[:, None, None]
        of_xt = np.square(signal) * covariance + np.square(noise) * eye
        self.tables = (noise * np.linalg.inv(of_xt)).astype("float32")

    def call(self, x, t):
        matrices = ops.take(ops.convert_to_tensor(self.tables), ops.cast(t, "int32"), axis=0)
        return ops.einsum("bhwc,bcd->bhwd", x, matrices)


def exact(covariance, shape=SHAPE, **kwargs):
    x, t = keras.Input(shape), keras.Input(())
    layer = Exact(covariance, kwargs.get("schedule", "linear"), kwargs.get("timesteps", 1000))
    network = keras.Model([x, t], layer(x, t))
    return DDPM(shape, network, ema_decay=None, clip=False, seed=0, **kwargs)


def small(**kwargs):
    outputs = 2 if kwargs.get("variance") == "learned" else 1
    network = denoiser((8, 8, 1), outputs, kwargs.get("num_classes"))
    return DDPM((8, 8, 1), network, **{"timesteps": 20, "seed": 0} | kwargs)


class Fixed:
    """Noise that is the same number everywhere."""

    def __init__(self, value, num):
        self.value, self.num = value, num

    def normal(self, shape):
        return self.value * ops.ones(shape)

    def uniform(self, shape):
        return self.value * ops.ones(shape)

    def at(self, turn):
        return self


def numpy(x):
    return ops.convert_to_numpy(x)


def tensors(*arrays):
    return [ops.convert_to_tensor(np.asarray(a, "float32")) for a in arrays]


NOTHING = {
    ("linear", "small"): 14.67291963,
    ("linear", "large"): 13.99148315,
    ("cosine", "small"): 739.8451937,
    ("cosine", "large"): 739.2496083,
}


def terms_of(model, x_0, eps, outputs):
    """The sum of the terms of t = 1 ... T - 1, each of an image of its own, in bits a pixel."""
    t = ops.convert_to_tensor(np.arange(1, len(x_0) + 1))
    row = model.level(t)
    x_t = row["signal"] * x_0 + row["noise"] * eps
    found = numpy(model._bound_at(x_0, x_t, t, row, outputs)).astype("float64")
    return found.sum() / BITS


@pytest.mark.one_backend
@pytest.mark.parametrize(("name", "variance"), NOTHING)
def test_the_bound_of_a_network_that_says_nothing(name, variance):
    """Where each eps^2 is 1 it is the sum of the terms' weights, to the reference's digits."""
    model = exact(1.0, schedule=name, variance=variance)
    nothing, ones = ops.zeros((999, *SHAPE)), ops.ones((999, *SHAPE))
    found = terms_of(model, nothing, ones, nothing)
    assert found == pytest.approx(NOTHING[name, variance], rel=2e-5)


def test_the_bound_of_a_perfect_network():
    """Its means are right; of the larger variance that leaves 0.48641923 bits a pixel."""
    x_0, eps = tensors(*RNG.standard_normal((2, 999, *SHAPE)))
    for variance, left in (("small", 0.0), ("large", 0.48641923)):
        found = terms_of(exact(1.0, variance=variance), x_0, eps, eps)
        assert found == pytest.approx(left, abs=2e-3)


def test_the_last_term_is_a_probability():
    """Over all levels it adds up to 1; at its mean's own level it has the reference's bits."""
    levels = np.linspace(-1.0, 1.0, 256).astype("float32")[:, None, None, None]
    std = 0.007384570171
    for mean in (-1.0, levels[100, 0, 0, 0], 0.3141, 1.0):
        nll = numpy(discretized_normal_nll(*tensors(levels, mean, 2.0 * np.log(std))))
        assert np.exp(-nll).sum() == pytest.approx(1.0, abs=1e-5)
    own = (tensors(levels[[i]], levels[i], 2.0 * np.log(std)) for i in (100, 0))
    bits = [numpy(discretized_normal_nll(*each))[0] / np.log(2.0) for each in own]
    np.testing.assert_allclose(bits, [1.305377656, 0.5098250702], rtol=1e-3)


DDIMS = {(0.25, 10): 0.1399721299, (0.25, 100): 0.2361771118, (1.0, 10): 0.6917180315}


@pytest.mark.one_backend
@pytest.mark.parametrize(("v", "steps"), DDIMS)
def test_ddim_of_gaussian_data(v, steps):
    noise = RNG.standard_normal((2, *SHAPE)).astype("float32") * 0.3
    sampler = DDIM(steps, "leading")
    model = exact(v)
    x = numpy(model.walk(ops.convert_to_tensor(noise), None, None, sampler))
    np.testing.assert_allclose(x, noise * np.sqrt(DDIMS[v, steps]), rtol=1e-4, atol=1e-6)


@pytest.mark.one_backend
def test_ancestral_of_gaussian_data():
    """The mean goes to 0, and what is drawn makes the variance: here with each draw a 0 it is what
    is left of the start."""
    model = exact(0.25, timesteps=100)
    noise = RNG.standard_normal((2, *SHAPE)).astype("float32")
    x = numpy(model.walk(ops.convert_to_tensor(noise), None, Fixed(0.0, 2), Ancestral()))
    s = model._times
    k = s.signal * 0.25 / (s.alphas_bar * 0.25 + 1.0 - s.alphas_bar)
    np.testing.assert_allclose(x, noise * np.prod(s.of_xt + s.of_x0 * k), atol=1e-5)


INPAINTED = {(250, 1): 0.6220509103, (50, 1): 0.6023359598, (50, 10): 0.8708445627}


@pytest.mark.parametrize(("steps", "resamplings"), INPAINTED)
def test_what_is_hidden_comes_to_agree_with_what_is_shown(steps, resamplings):
    """Two numbers of correlation 0.9, the first known to be 1: the second is 0.9 on average."""
    model = exact([[1.0, 0.9], [0.9, 1.0]], (1, 1, 2))
    # With no noise at all every number is its mean; of both channels only the first is known.
    mask = ops.convert_to_tensor(np.array([1.0, 0.0], "float32").reshape(1, 1, 1, 2))
    image = ops.convert_to_tensor(np.array([1.0, 0.0], "float32").reshape(1, 1, 1, 2))
    x = ops.zeros((1, 1, 1, 2))
    known, noise = (image, mask), Fixed(0.0, 1)
    found = numpy(model.walk(x, None, noise, Ancestral(steps), 1.0, known, resamplings))
    np.testing.assert_allclose(found.ravel(), [1.0, INPAINTED[steps, resamplings]], atol=2e-3)


def test_what_is_known_comes_back():
    model = small()
    images = RNG.random((2, 8, 8, 1)).astype("float32")
    shown = model.complete(images, np.zeros((8, 8), bool), seed=0, steps=4)
    np.testing.assert_array_equal(shown[:, 0], images)
    half = np.arange(64).reshape(8, 8) >= 32
    both = model.complete(images, half, copies=2, seed=0, steps=4, resamplings=2)
    np.testing.assert_array_equal(both[:, 0, :4], images[:, :4])
    assert np.abs(both[:, 0, 4:] - both[:, 1, 4:]).max() > 0.1


def test_the_bound_is_learned_where_x0_is_out_of_range():
    """At much noise the first guesses are: clipped, they would have no gradient."""
    model = small(weighting="bound", timesteps=1000)
    t = ops.convert_to_tensor(np.array([900, 900, 900]))
    row = model.level(t)
    x_0, x_t, outputs = tensors(*RNG.standard_normal((3, 3, 8, 8, 1)))
    before, after = (
        numpy(model._bound_at(x_0, x_t, t, row, outputs + shift, False)) for shift in (0.0, 1e-2)
    )
    assert (np.abs(after - before) > 1e-6).all()
    assert np.abs(numpy(model.x0_of(outputs, x_t, row)[0])).max() <= 1.0
    assert np.abs(numpy(model.x0_of(outputs, x_t, row, False)[0])).max() > 1.0


@pytest.mark.parametrize("prediction", ddpm_file.PREDICTIONS)
def test_what_a_network_predicts_is_x0_in_the_end(prediction):
    model = small(prediction=prediction, clip=False)
    t = ops.convert_to_tensor(np.array([0, 7, 12]))
    row = model.level(t)
    x_0, eps = RNG.uniform(-1, 1, (2, 3, 8, 8, 1)).astype("float32")
    x_t = numpy(row["signal"]) * x_0 + numpy(row["noise"]) * eps
    outputs = {"eps": eps, "x0": x_0}
    outputs["v"] = numpy(row["signal"]) * eps - numpy(row["noise"]) * x_0
    right, x_t, x0_tensor, eps_tensor = tensors(outputs[prediction], x_t, x_0, eps)
    found, _ = model.x0_of(right, x_t, row)
    np.testing.assert_allclose(numpy(found), x_0, atol=2e-4)
    # And the squared error of each is 0 then, and by hand where it gives nothing.
    error = model._squared_error(x0_tensor, eps_tensor, row, right)
    np.testing.assert_allclose(numpy(error), 0.0, atol=1e-10)
    nothing = numpy(model._squared_error(x0_tensor, eps_tensor, row, ops.zeros((3, 8, 8, 1))))
    by_hand = np.square(outputs[prediction]).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(nothing, by_hand, rtol=1e-5)


@pytest.mark.one_backend
def test_min_snr_weighs_the_error_of_x0():
    """Whatever the network predicts, the error of x_0 counts min(SNR, 5)."""
    t = np.array([0, 7, 12])
    x_0, eps, wrong = RNG.uniform(-1, 1, (3, 3, 8, 8, 1)).astype("float32")
    for prediction in ddpm_file.PREDICTIONS:
        model = small(prediction=prediction, weighting="min_snr", clip=False)
        row = model.level(ops.convert_to_tensor(t))
        x_t = numpy(row["signal"]) * x_0 + numpy(row["noise"]) * eps
        outputs, x_t, *both = tensors(wrong, x_t, x_0, eps)
        guess = numpy(model.x0_of(outputs, x_t, row)[0])
        snr = np.square(model._times.signal / model._times.noise)[t]
        by_hand = np.square(x_0 - guess).mean(axis=(1, 2, 3)) * np.minimum(snr, 5.0)
        found = numpy(model._squared_error(*both, row, outputs))
        np.testing.assert_allclose(found, by_hand, rtol=1e-3)


def test_a_learned_variance_lies_between_both():
    model = small(variance="learned")
    row = model.level(ops.convert_to_tensor(np.array([9, 9, 9])))
    part = np.array([-1.0, 1.0, 0.0]).reshape(3, 1, 1, 1) * np.ones((3, 8, 8, 1))
    outputs = np.concatenate([np.zeros((3, 8, 8, 1)), part], axis=-1).astype("float32")
    _, log_variance = model.x0_of(*tensors(outputs, np.zeros((3, 8, 8, 1))), row)
    small_one, large = model._times.log_small[9], model._times.log_large[9]
    found = numpy(log_variance)[:, 0, 0, 0]
    np.testing.assert_allclose(found, [small_one, large, (small_one + large) / 2], rtol=1e-5)


def test_guidance():
    """0 and 1 ask once; all others lie on the line through both."""
    model = small(num_classes=3, ema_decay=None)
    network = model.network
    x = ops.convert_to_tensor(RNG.standard_normal((3, 8, 8, 1)).astype("float32"))
    t, y = ops.convert_to_tensor([1, 5, 19]), ops.convert_to_tensor(np.arange(3))
    row = model.level(t)
    found = {s: numpy(model.guided(x, row, y, s)) for s in (0.0, 1.0, 3.0)}
    given = {s: numpy(network([x, row["t"][:, 0, 0, 0], y, s * ops.ones(3)])) for s in (0.0, 1.0)}
    np.testing.assert_array_equal(found[0.0], given[0.0])
    np.testing.assert_array_equal(found[1.0], given[1.0])
    line = found[0.0] + 3.0 * (found[1.0] - found[0.0])
    np.testing.assert_allclose(found[3.0], line, atol=1e-4)
    assert np.abs(found[1.0] - found[0.0]).max() > 1e-2


def test_conditions_are_left_out_at_random():
    model = small(num_classes=3, ema_decay=None, drop_condition=0.1)
    (x,) = tensors(RNG.standard_normal((3, 8, 8, 1)))
    row, y = model.level(ops.convert_to_tensor([1, 5, 19])), ops.convert_to_tensor(np.arange(3))
    for drawn, guidance in ((0.05, 0.0), (0.15, 1.0)):
        found = numpy(model.outputs(x, row, y, Fixed(drawn, 3)))
        np.testing.assert_allclose(found, numpy(model.guided(x, row, y, guidance)), atol=1e-6)


@pytest.mark.one_backend
def test_the_bound_moves_the_variance_alone(monkeypatch):
    model = small(variance="learned")
    model.compile()
    x = ops.convert_to_tensor(RNG.random((4, 8, 8, 1)).astype("float32"))
    *_, kernel, _ = model.network.trainable_variables  # of channels eps and the variance

    def gradient():
        noise = StepNoise(keras.random.SeedGenerator(0).next())
        _, found = backend.value_and_grad(lambda: model.denoising_loss(x, None, noise), [kernel])
        return numpy(found[0])

    whole = gradient()
    monkeypatch.setattr(DDPM, "_bound_at", lambda self, x_0, *rest: 0.0 * x_0[:, 0, 0, 0])
    simple = gradient()
    np.testing.assert_allclose(whole[..., 0], simple[..., 0], rtol=1e-4, atol=1e-6)
    assert np.abs(whole[..., 1]).max() > 1e-6 and np.abs(simple[..., 1]).max() == 0.0


def test_noise_and_back():
    """In the known world the ODE is invertible; half its steps leave twice the difference."""
    model = exact(0.04)
    images = np.clip(0.5 + 0.1 * RNG.standard_normal((2, *SHAPE)), 0.0, 1.0).astype("float32")
    apart = []
    for steps in (100, 200):
        noise = model.encode(images, steps=steps)
        apart.append(np.abs(model.decode(noise, steps=steps) - images).max())
    assert apart[1] < 0.02 and apart[1] < 0.7 * apart[0]
    way = model.interpolate(images[:1], images[1:], steps=3, sampler_steps=100)
    np.testing.assert_allclose(way[0, [0, -1]], images, atol=0.06)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral", "dpm_solver", "heun"])
def test_an_image_is_of_its_seed(sampler):
    model = small()
    together = model.sample(3, seed=[5, 6, 7], sampler=sampler, steps=4)
    alone = model.sample(1, seed=[6], sampler=sampler, steps=4)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.1


@pytest.mark.one_backend
def test_the_likelihood_is_the_sum_of_the_terms():
    model = small()
    images = RNG.integers(0, 256, (3, 8, 8, 1), dtype="uint8")
    terms = model.bound(images, seed=0)
    assert terms.shape == (3, 21) and (terms[:, 1:] >= -1e-4).all()
    found = model.log_likelihood(images, seed=0)
    np.testing.assert_allclose(found, -terms.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(model.log_likelihood(images / 255.0, seed=0), found, rtol=1e-5)
    long = small(timesteps=60)  # in two parts, of noise of their own
    x = (images / 255.0).astype("float32")
    rows = {"image": x, "seed": seeds_of(0, 3), "start": np.zeros(3, "int32")}
    at_once = long.run(long._bound_from, rows, num=60)
    np.testing.assert_allclose(long.bound(images, seed=0)[:, :60], at_once, rtol=1e-3, atol=1e-3)
    x_0 = 2.0 * images / 255.0 - 1.0
    bar = model._times.alphas_bar[-1]
    prior = 0.5 * (bar * x_0**2 - bar - np.log(1.0 - bar)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(terms[:, -1], prior, rtol=1e-5)


def test_a_server_tells_of_the_whole_bound():
    """Of a schedule that ends with much of the image, whose last term is large."""
    model = small(schedule=[0.1, 0.2, 0.3])
    images, seeds = RNG.integers(0, 256, (2, 8, 8, 1), dtype="uint8"), seeds_of(0, 2)
    assert model.bound(images, seed=0)[:, -1].min() > 1.0
    found = model.answer("log_likelihood", image=images, seed=seeds)
    np.testing.assert_allclose(found["nats"], model.log_likelihood(images, seed=0), rtol=1e-5)
    np.testing.assert_allclose(found["bits_per_dim"], -found["nats"] / 64 / np.log(2), rtol=1e-5)


LEARNERS = [
    {},
    {"prediction": "v"},
    {"variance": "learned"},
    {"weighting": "bound"},
    {"num_classes": 3},
]


@pytest.mark.parametrize("given", in_tiers(LEARNERS, quick=LEARNERS[2:3]))
def test_it_learns(given):
    model = small(ema_decay=0.9, **given)
    images = np.repeat(RNG.random((1, 8, 8, 1)), 32, axis=0).astype("float32")
    y = np.arange(32) % 3 if model.num_classes else None
    model.compile(keras.optimizers.Adam(1e-2))
    before = model.evaluate(images, y, batch_size=16, verbose=0, return_dict=True)["loss"]
    model.fit(images, y, batch_size=16, epochs=15, verbose=0)
    after = model.evaluate(images, y, batch_size=16, verbose=0, return_dict=True)["loss"]
    assert after < 0.8 * before
    labels = 0 if model.num_classes else None
    assert model.sample(2, labels, seed=0, steps=3).shape == (2, 8, 8, 1)


def test_a_file_goes_on(tmp_path):
    assert_kept(small(num_classes=3, schedule="cosine", prediction="v"), tmp_path / "model.keras")


@pytest.mark.anywhere
def test_a_file_of_the_preset(tmp_path):
    model = DDPM((8, 8, 1), num_classes=3, patch=2, width=8, timesteps=20, seed=0)
    assert_kept(model, tmp_path / "model.keras")


def assert_kept(model, path):
    """A trained one samples as it did from its file, and as it is published."""
    model.compile()
    images = RNG.random((8, 8, 8, 1)).astype("float32")
    model.fit(images, np.arange(8) % 3, batch_size=4, verbose=0)
    model.save(path)
    given = {"labels": [0, 1], "seed": 0, "steps": 3, "guidance": 2.0}
    expected = model.sample(2, **given)
    again, published = keras.saving.load_model(path), model.published()
    for each in (again, published):
        np.testing.assert_allclose(each.sample(2, **given), expected, atol=1e-6)
    assert published.average is None and again.average is not None


def test_betas_of_ones_own():
    model = small(schedule=np.linspace(0.001, 0.3, 20), timesteps=1000)
    assert model.timesteps == model.most_steps == 20
    again = DDPM.from_config(model.get_config())
    np.testing.assert_array_equal(again._times.betas, model._times.betas)


def test_the_preset_is_as_wide_as_images_are_large_whatever_the_patch(monkeypatch):
    made = []
    monkeypatch.setattr(diffusion_model, "unet", lambda *args, **given: made.append(given))
    for size, patch in itertools.product((16, 32), (1, 2, 4)):
        with pytest.raises(ValueError, match="Expected a network"):
            DDPM((size, size, 1), patch=patch)
    assert [given["width"] for given in made] == [32] * 3 + [128] * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(schedule=[0.1, 0.2, 2.0]), r"betas.*in \(0, 1\)"),
        (lambda: small(timesteps=1), "timesteps as a whole number of at least 2"),
        (lambda: small(prediction="score"), "prediction in"),
        (lambda: small().sample(1, steps=21), "steps as a whole number in 2..20"),
        (lambda: small().sample(1, guidance=2.0), "guidance=1 of a model without a condition"),
        (lambda: small(num_classes=3, drop_condition=0.0).sample(1, 0, guidance=2.0), "drop_cond"),
        (lambda: small().sample(1, sampler="euler"), "ancestral, ddim"),
        (lambda: small().sample(1, sampler=ODE(4)), "Ancestral, DDIM, DPMSolver, Heun"),
        (
            lambda: DDPM((8, 8, 1), denoiser(), variance="learned"),
            r"to \(batch, 8, 8, 2\).*eps and then the part of the variance",
        ),
        (lambda: DDPM((7, 8, 1), denoiser()), r"network of \[image, t\]"),
        (lambda: DDPM((8, 8, 1), patch=3), "patch=3 divides"),
        (lambda: DDPM((1, 1, 4), patch=2), "patch=2 divides"),
        (lambda: DDPM((8, 8, 1), denoiser(), patch=2), "no patch with networks of your own"),
        (lambda: DDPM((8, 8, 1), width=9), "width as an even number"),
        (lambda: small(schedule=None), "schedule as betas"),
        (lambda: small(drop_condition=2.0), r"drop_condition in \[0, 1\]"),
        (lambda: small().decode(np.zeros((1, 4, 4, 1))), "Expected noise"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
