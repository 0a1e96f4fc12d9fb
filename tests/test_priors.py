"""Priors: what they draw, and how likely that is."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import networks, priors
from kgen.noise import SeededNoise, StepNoise
from kgen.priors import Codes, Mixture, Normal, SwissRoll, Uniform
from kgen.seeds import seed_words, seeds_of
from tests.contract import EAGER

SHAPE = (8, 8, 1)


def noises(num):
    return {
        "step": StepNoise(keras.random.SeedGenerator(3).next()),
        "seeds": SeededNoise(ops.convert_to_tensor(seed_words(seeds_of(0, num)))),
    }


def log_prob(prior, z):
    return ops.convert_to_numpy(prior.log_prob(ops.convert_to_tensor(np.asarray(z, "float32"))))


@pytest.mark.parametrize("kind", ["step", "seeds"])
@pytest.mark.parametrize(
    ("prior", "variance", "kurtosis"), [(Normal(3), 1.0, 3.0), (Uniform(3), 1 / 3, 1.8)]
)
def test_moments(prior, variance, kurtosis, kind):
    num = 8000
    z = ops.convert_to_numpy(prior.draw(noises(num)[kind], num))
    assert z.shape == (num, 3) and z.dtype == np.float32
    assert np.abs(z.mean(axis=0)).max() < 5 * np.sqrt(variance / num)
    np.testing.assert_allclose(np.cov(z.T), variance * np.eye(3), atol=0.06 * variance)
    assert (z**4).mean() / variance**2 == pytest.approx(kurtosis, rel=0.06)
    assert (np.abs(z).max() <= 1.0) == isinstance(prior, Uniform)


def test_log_prob_by_hand():
    z = [[0.0, 0.0], [1.0, -2.0]]
    np.testing.assert_allclose(
        log_prob(Normal(2), z), [-np.log(2 * np.pi), -np.log(2 * np.pi) - 2.5], rtol=1e-6
    )
    np.testing.assert_allclose(
        log_prob(Uniform(2), [[0.5, -1.0], [1.5, 0.0]]), [-np.log(4.0), -np.inf]
    )
    # Any axes before the last.
    assert log_prob(Normal(2), np.zeros((4, 5, 2))).shape == (4, 5)


@pytest.mark.parametrize("prior", [Normal(2), Uniform(2), Mixture(components=7)])
def test_densities_integrate_to_one(prior):
    # Midpoints, so that none is on the edge of the uniform one.
    line = -8.0 + (np.arange(400) + 0.5) * 0.04
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    assert np.exp(log_prob(prior, grid).astype("float64")).sum() * 0.04**2 == pytest.approx(
        1.0, abs=1e-3
    )


@pytest.mark.parametrize("kind", ["step", "seeds"])
class TestParts:
    num = 9000

    def of(self, prior, kind, part=None, num_parts=3):
        noise = noises(self.num)[kind]
        if part is None:
            return ops.convert_to_numpy(prior.draw(noise, self.num))
        prior.check_parts(num_parts)
        classes = ops.convert_to_tensor(np.full(self.num, part, "int32"))
        return ops.convert_to_numpy(prior.draw_of(noise, classes, num_parts))

    def test_components_of_the_mixture(self, kind):
        prior = Mixture()
        for part in (0, 3, 9):
            z, angle = self.of(prior, kind, part, 10), 2 * np.pi * part / 10
            along = np.array([np.cos(angle), np.sin(angle)])
            np.testing.assert_allclose(z.mean(axis=0), 1.4 * along, atol=0.02)
            values, vectors = np.linalg.eigh(np.cov(z.T))
            np.testing.assert_allclose(values, [0.0025, 0.25], rtol=0.06)
            assert abs(vectors[:, 1] @ along) == pytest.approx(1.0, abs=1e-4)

    def test_the_mixture_is_of_all_its_components(self, kind):
        z = self.of(Mixture(), kind)
        nearest = np.round(np.arctan2(z[:, 1], z[:, 0]) * 10 / (2 * np.pi)) % 10
        assert np.abs(np.bincount(nearest.astype(int), minlength=10) / self.num - 0.1).max() < 0.02

    def test_pieces_of_the_roll(self, kind):
        for part in range(3):
            z = self.of(SwissRoll(), kind, part)
            radius = np.linalg.norm(z, axis=1)
            t = (radius / 3) ** 2  # uniform in the part
            assert np.all((t > part / 3 - 1e-5) & (t < (part + 1) / 3 + 1e-5))
            assert t.mean() == pytest.approx((part + 0.5) / 3, abs=0.005)
            angle = 4 * np.pi * radius / 3
            expected = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
            np.testing.assert_allclose(z, expected, atol=1e-4)

    def test_sectors_of_the_normal_prior(self, kind):
        for part in range(3):
            z = self.of(Normal(3), kind, part)
            turn = np.arctan2(z[:, 1], z[:, 0]) / (2 * np.pi) % 1.0
            assert np.all((3 * turn > part - 1e-4) & (3 * turn < part + 1 + 1e-4))
            np.testing.assert_allclose(
                [np.mean(z[:, 0] ** 2 + z[:, 1] ** 2), z[:, 2].var()], [2.0, 1.0], rtol=0.06
            )

    def test_slices_of_the_uniform_prior(self, kind):
        for part in range(3):
            z = self.of(Uniform(2), kind, part)
            within = 1.5 * (z[:, 0] + 1.0) - part
            assert np.all((within > -1e-5) & (within < 1 + 1e-5))
            assert within.var() == pytest.approx(1 / 12, rel=0.06)

    @pytest.mark.parametrize("prior", [Normal(2), Uniform(2), Mixture(components=3), SwissRoll()])
    def test_parts_together_are_the_prior(self, prior, kind):
        own, whole = self.of(prior, kind, -1), self.of(prior, kind)
        for sign in (1, -1):
            sums = np.sort(own @ [1, sign]), np.sort(whole @ [1, sign])
            at = np.linspace(sums[1][100], sums[1][-100], 50)
            distance = [np.searchsorted(each, at) / self.num for each in sums]
            assert np.abs(distance[0] - distance[1]).max() < 0.035


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Mixture(3), "latent_dim=2 with Mixture, a prior of points of the plane"),
        (lambda: SwissRoll(3), "latent_dim=2 with SwissRoll"),
        (lambda: Mixture().check_parts(3), r"Mixture\(components=3\). Received: components=10"),
        (lambda: Normal(1).check_parts(3), "at least two numbers, to be parted into sectors"),
        (lambda: Codes(Normal(2)).check_parts(3), "a part for each class: .* Received: Codes"),
        (lambda: SwissRoll().log_prob(np.zeros((1, 2))), "a density. Received: SwissRoll"),
    ],
)
def test_what_priors_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class TestCodes:
    prior = Codes(Normal(2), (3, 2), 1)

    def test_draws(self):
        num = 6000
        for noise in noises(num).values():
            z = ops.convert_to_numpy(self.prior.draw(noise, num))
            assert z.shape == (num, 8) and z.dtype == np.float32
            first, second, number = z[:, 2:5], z[:, 5:7], z[:, 7]
            for one_hot in (first, second):
                np.testing.assert_array_equal(np.sort(one_hot, axis=1)[:, :-1], 0.0)
                np.testing.assert_array_equal(one_hot.sum(axis=1), 1.0)
                assert np.abs(one_hot.mean(axis=0) - 1 / one_hot.shape[1]).max() < 0.03
            assert np.abs(number).max() <= 1.0
            assert number.var() == pytest.approx(1 / 3, rel=0.06)
            columns = np.column_stack([z[:, :2], first.argmax(1), second.argmax(1), number])
            assert np.abs(np.corrcoef(columns.T) - np.eye(5)).max() < 0.06

    def test_join_and_split(self):
        z = np.array([[0.1, 0.2], [0.3, 0.4]], "float32")
        codes = np.array([[2, 0, -0.5], [0, 1, 1.0]], "float32")
        joined = ops.convert_to_numpy(self.prior.join(*map(ops.convert_to_tensor, (z, codes))))
        expected = [[0.1, 0.2, 0, 0, 1, 1, 0, -0.5], [0.3, 0.4, 1, 0, 0, 0, 1, 1.0]]
        np.testing.assert_allclose(joined, expected, rtol=1e-6)
        (first, second), numbers = self.prior.split(joined[:, 2:])
        np.testing.assert_array_equal(first, [[0, 0, 1], [1, 0, 0]])
        np.testing.assert_array_equal(second, [[1, 0], [0, 1]])
        np.testing.assert_array_equal(numbers, [[-0.5], [1.0]])

    def test_probabilities_of_all_codes_sum_to_one(self):
        total = 0.0
        for a, b in itertools.product(range(3), range(2)):
            one_hot = np.concatenate([np.eye(3)[a], np.eye(2)[b]])
            z = np.concatenate([[0.3, -0.2], one_hot, [0.5]])[None]
            rest = log_prob(self.prior, z) - log_prob(Normal(2), z[:, :2])
            total += 2.0 * np.exp(rest[0])  # of a number in [-1, 1]
        assert total == pytest.approx(1.0, rel=1e-5)

    @pytest.mark.parametrize(
        "codes",
        [[1, 0, 0, 1, 0, 1.5], [1, 1, 0, 1, 0, 0.0], [0, 0, 0, 1, 0, 0.0], [0.5, 0.5, 0, 1, 0, 0]],
    )
    def test_what_no_draw_gives_has_no_probability(self, codes):
        assert log_prob(self.prior, [[0.0, 0.0, *codes]])[0] == -np.inf

    @pytest.mark.parametrize(("categorical", "continuous"), [((3,), 0), ((), 2)])
    def test_codes_of_one_kind(self, categorical, continuous):
        prior = Codes(Uniform(2), categorical, continuous)
        for noise in noises(4).values():
            z = prior.draw(noise, 4)
            assert ops.shape(z) == (4, 2 + sum(categorical) + continuous)
            assert np.isfinite(log_prob(prior, ops.convert_to_numpy(z))).all()


@pytest.mark.parametrize("prior", [Normal(4), Mixture(2, 3), Codes(Uniform(2), (3,), 1)])
def test_a_config_is_what_it_was_made_with(prior):
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(prior))
    assert type(copy) is type(prior) and copy.size == prior.size
    assert repr(copy.get_config()) == repr(prior.get_config())


@pytest.mark.parametrize(
    ("prior", "size", "message"),
    [
        ("gamma", 3, r"prior in \['uniform', 'normal', .*\], or a Prior. Received: prior='gamma'"),
        (Normal(2), 3, "vectors of length 3. Received: one of 2"),
        ("normal", 0, "latent_dim as a whole number of at least 1. Received: latent_dim=0"),
    ],
)
def test_what_is_no_prior(prior, size, message):
    with pytest.raises(ValueError, match=message):
        priors.get(prior, size)


@keras.saving.register_keras_serializable("tests")
class Halves(priors.Prior):
    """Every number is 1/2."""

    def draw(self, noise, num):
        return 0.5 * ops.ones((num, self.size))


@pytest.mark.one_backend
def test_one_draw_serves_fit_sample_and_the_server(tmp_path):
    """An InfoGAN of a prior of its own: none of the three draws noise or codes in another way."""
    gan = kgen.InfoGAN(
        SHAPE,
        2,
        categorical=(3,),
        continuous=1,
        prior=Halves(2),
        generator=networks.dense_generator(6, SHAPE, units=(8,)),
        discriminator=networks.dcgan_discriminator(SHAPE, filters=2, with_features=True),
        seed=0,
    )
    draws, draw = [], gan.prior.draw

    def spy(noise, num):
        draws.append((type(noise), z := draw(noise, num)))
        return z

    gan.prior.draw = spy
    z = gan.draw_latents(5, seed=3)
    np.testing.assert_array_equal(z[:, :2], 0.5)
    np.testing.assert_array_equal(np.sort(z[:, 2:5], axis=1), [[0, 0, 1]] * 5)
    np.testing.assert_allclose(gan.sample(5, seed=3), gan.decode(z), atol=1e-6)
    codes = np.column_stack([z[:, 2:5].argmax(axis=1), z[:, 5]])
    np.testing.assert_allclose(gan.sample(5, codes=codes, seed=3), gan.decode(z), atol=1e-6)
    assert {kind for kind, _ in draws} == {SeededNoise}
    draws.clear()
    gan.compile(run_eagerly=EAGER)
    gan.fit(np.zeros((4, *SHAPE)), batch_size=4, verbose=0)
    # One for a step of each player, however often JAX traces it.
    assert len(draws) % 2 == 0 and {kind for kind, _ in draws} == {StepNoise}
    generate, inputs = gan.signatures()["generate"]
    assert list(inputs) == ["seed"]
    key = ops.convert_to_tensor(seed_words(seeds_of(3, 5)))
    served = ops.convert_to_numpy(generate(None, SeededNoise(key))["image"])
    np.testing.assert_allclose(served, gan.sample(5, seed=3), atol=1e-5)
    del gan.prior.draw
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    np.testing.assert_array_equal(loaded.draw_latents(5, seed=3), z)
