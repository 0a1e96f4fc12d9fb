"""Random numbers: of seeds, the same everywhere, and of a step."""

import hashlib
import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kgen import backend
from kgen.backend import replicas
from kgen.noise import _DRAWS_APART, _TURNS_APART, SeededNoise, StepNoise, threefry
from kgen.seeds import seed_words, seeds_of
from tests.toys import ToyWGANGP

BACKEND = keras.backend.backend()
compiles = pytest.mark.skipif(BACKEND == "torch", reason="a loop is Python's there")


def words(*values):
    return [ops.convert_to_tensor(np.array([value], "uint32").view("int32")) for value in values]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_authors_known_answers(key, counter, expected):
    """Of Random123's kat_vectors, Threefry-2x32 with 20 rounds."""
    found = threefry(words(*key), words(*counter))
    assert [int(ops.convert_to_numpy(word).view("uint32")[0]) for word in found] == [*expected]


def noise_of_seeds(seeds):
    return SeededNoise(ops.convert_to_tensor(seed_words(seeds)))


def numpy(tensors):
    return [ops.convert_to_numpy(tensor) for tensor in tensors]


def draws(noise, num):
    """Of each kind, of odd sizes and of none, from the noise, from turns and turns of turns."""
    made = [
        noise.normal((num, 4)),
        noise.uniform((num, 3, 1)),
        noise.uniform((num, 3), -2.0, 3.0),
        noise.integers((num, 5), 2, 7),
        noise.normal((num, 1)),
        noise.normal((num,)),
    ]
    for of in (noise.at(0), noise.at(1), noise.at(0).at(1), noise.at(1).at(0), noise.at(-1)):
        made.append(of.uniform((num, 3)))
    return numpy(made)


NORMAL = [-0.7203037142753601, -1.8914538621902466, 0.039976567029953, -1.2600058317184448]
SEEDS = np.array([0, 1, -1, 7, 2**62, -(2**63), 2**63 - 1, 2**32])


def test_every_backend_has_the_same_bits():
    made = draws(noise_of_seeds(SEEDS), len(SEEDS))
    assert [array.dtype for array in made] == ["float32"] * 3 + ["int32"] + ["float32"] * 7
    shapes = [(4,), (3, 1), (3,), (5,), (1,), (), *[(3,)] * 5]
    assert [array.shape for array in made] == [(len(SEEDS), *shape) for shape in shapes]
    # The numbers from 0 to 1 are of 24 bits: all exact.
    exact = [np.rint(made[i] * 2.0**24).astype("<i4") for i in (1, 6, 7, 8, 9, 10)]
    whole = hashlib.sha256(b"".join(array.tobytes() for array in [*exact, made[3]])).hexdigest()
    assert whole[:16] == "a05c645b33d22add"
    # Of the seed 7: logarithms and cosines differ in the last bit.
    np.testing.assert_allclose(made[0][3], NORMAL, rtol=0, atol=1e-6)


def test_draws_are_distributed_as_they_should_be():
    seeds = np.r_[-2000:2000, 2**62 - 2000 : 2**62 + 2000]
    noise = noise_of_seeds(seeds)
    normal, unit, uniform, integers, *others = draws(noise, len(seeds))
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1.0) < 0.02
    assert abs((normal**3).mean()) < 0.06 and abs((normal**4).mean() - 3.0) < 0.15
    assert unit.min() >= 0.0 and unit.max() < 1.0 and abs(unit.mean() - 0.5) < 0.01
    assert uniform.min() >= -2.0 and uniform.max() < 3.0 and abs(uniform.mean() - 0.5) < 0.04
    assert abs(uniform.var() - 25.0 / 12.0) < 0.04
    assert np.all(np.abs(np.bincount(integers.ravel())[2:] / integers.size - 0.2) < 0.01)
    assert integers.min() == 2 and integers.max() == 6
    assert len(np.unique(normal)) > 0.999 * normal.size
    # Neither columns, draws, turns nor the next seeds have to do with each other.
    columns = [array.reshape(len(seeds), -1) for array in (normal, unit, uniform, integers)]
    columns = np.concatenate([*columns, *(a.reshape(len(seeds), -1) for a in others)], axis=1)
    columns = np.concatenate([columns, np.roll(columns, 1, axis=0)], axis=1)
    correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 0.06


def test_a_row_is_of_its_seed_alone():
    seeds = SEEDS[[3, 1, 4, 6]]
    every = draws(noise_of_seeds(seeds), 4)
    for whole, part in zip(every, draws(noise_of_seeds(seeds[[2, 1]]), 2), strict=True):
        # A processor's sines of several numbers at a time differ in the last bit.
        np.testing.assert_allclose(whole[[2, 1]], part, rtol=0, atol=1e-6)


def test_a_row_has_the_turn_that_is_its_own():
    noise = noise_of_seeds(SEEDS[:3])
    apart = ops.convert_to_numpy(noise.at(ops.convert_to_tensor([5, 0, 2])).uniform((3, 4)))
    for row, turn in enumerate([5, 0, 2]):
        together = ops.convert_to_numpy(noise.at(turn).uniform((3, 4)))
        np.testing.assert_array_equal(apart[row], together[row])


def test_less_is_the_start_of_more_and_nothing_is_empty():
    """Images of another number of pixels are no reason for other ones before."""
    few, many = (noise_of_seeds(SEEDS).uniform((8, n)) for n in (1, 7))
    assert ops.convert_to_numpy(few).shape == (8, 1) and ops.shape(many) == (8, 7)
    np.testing.assert_array_equal(ops.convert_to_numpy(few)[:, 0], ops.convert_to_numpy(many)[:, 0])
    assert ops.shape(noise_of_seeds(SEEDS).uniform((8, 0))) == (8, 0)


def test_seeds_that_follow_each_other_share_no_number():
    made = np.concatenate(
        [
            ops.convert_to_numpy(noise_of_seeds(seeds_of(seed, 20)).uniform((20, 30)))
            for seed in range(10)
        ]
    )
    # Of 6000 numbers of 24 bits one pair is equal by chance.
    assert len(np.unique(made)) > 6000 - 8
    assert np.abs(np.corrcoef(made) - np.eye(200)).max() < 0.8


def fori_loop(draw):
    made = ops.zeros((3, 2, 4))
    return ops.fori_loop(
        0, 3, lambda i, made: ops.slice_update(made, (i, 0, 0), draw(i)[None]), made
    )


def while_loop(draw):
    def body(i, made):
        return i + 1, ops.slice_update(made, (i, 0, 0), draw(i)[None])

    start = ops.zeros((), "int32"), ops.zeros((3, 2, 4))
    return ops.while_loop(lambda i, made: i < 3, body, start)[1]


def scan(draw):
    # On TensorFlow, Keras wants what a turn gives to have the shape of what is carried on.
    return ops.scan(lambda kept, i: (kept, draw(i)), ops.zeros((2, 4)), ops.arange(3))[1]


LOOPS = [fori_loop, while_loop, scan]
KINDS = {
    "normal": lambda noise: noise.normal((2, 4)),
    "uniform": lambda noise: noise.uniform((2, 4)),
    "integers": lambda noise: ops.cast(noise.integers((2, 4), 0, 2**20), "float32"),
}


def compiled(function, *args):
    model = backend.Model()
    return ops.convert_to_numpy(backend.compile_function(model, function)(*args))


# Of a step, as its backend's generator has them.
WORDS = ops.convert_to_numpy(keras.random.SeedGenerator(0).state)
KEYS = {SeededNoise: seed_words(SEEDS[:2]), StepNoise: WORDS[None]}


def make_noise(kind, key):
    return StepNoise(key[0]) if kind is StepNoise else kind(key)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", [SeededNoise, StepNoise])
def test_the_turns_of_a_loop_draw_from_their_own_noise(loop, kind):
    def turns(key):
        noise = make_noise(kind, key)
        noise.normal((2, 4))  # what is drawn before and after a loop is no matter
        made = loop(lambda i: noise.at(i).uniform((2, 4)))
        return ops.concatenate([made, noise.at(1).uniform((2, 4))[None]])

    made = compiled(turns, KEYS[kind])
    assert len(np.unique(made[:3])) == 24
    np.testing.assert_array_equal(made[1], made[3])


@compiles
@pytest.mark.parametrize(
    ("loop", "draw"),
    [(fori_loop, "normal"), (fori_loop, "integers"), (while_loop, "uniform"), (scan, "uniform")],
)
@pytest.mark.parametrize("kind", [SeededNoise, StepNoise])
def test_a_draw_in_a_loop_from_the_noise_outside_is_an_error(loop, kind, draw):
    def turns(key):
        noise = make_noise(kind, key)
        return loop(lambda i: KINDS[draw](noise))

    with pytest.raises(RuntimeError, match=r"noise\.at\(i\).*same in every turn"):
        compiled(turns, KEYS[kind])


@compiles
@pytest.mark.parametrize("outer", LOOPS)
def test_a_turn_of_an_outer_loop_is_no_turn_of_an_inner_one(outer):
    def turns(key):
        noise = SeededNoise(key)
        return outer(lambda i: _first(fori_loop, noise.at(i)))

    def _first(loop, noise):
        return loop(lambda j: noise.uniform((2, 4)))[0]

    with pytest.raises(RuntimeError, match=r"noise\.at\(i\)"):
        compiled(turns, seed_words(SEEDS[:2]))


def test_loops_in_loops_draw_all_apart():
    def turns(key):
        noise = SeededNoise(key)

        def inner(i):
            made = fori_loop(lambda j: noise.at(i).at(j).uniform((2, 4)))
            return ops.concatenate([made[0, :, :2], made[1, :, 2:]], axis=1)

        return fori_loop(inner)

    assert len(np.unique(compiled(turns, seed_words(SEEDS[:2])))) == 24


class Diffuser(ToyWGANGP):
    """Draws in a loop, from the noise of the turn or, wrongly, from that outside."""

    from_outside = True
    loop = staticmethod(fori_loop)

    def draw_in_turns(self, noise):
        def draw(i):
            return (noise if self.from_outside else noise.at(i)).normal((2, 4))

        return self.loop(draw)

    def generator_loss(self, x, noise):
        turns = self.draw_in_turns(noise)
        spread = ops.mean(ops.square(turns[0] - turns[1])) + ops.mean(ops.square(turns[2]))
        self.log(gradient_penalty=ops.mean(ops.square(turns[0] - turns[1])))
        return super().generator_loss(x, noise) + 0.0 * spread

    def critic_loss(self, x, x_fake, noise):
        loss = ops.mean(self.critic(x_fake, training=True) - self.critic(x, training=True))
        self.log(critic_loss=loss)
        return loss


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_in_fit(loop):
    images = np.zeros((4, 2, 2, 1))
    for from_outside in (False, True):
        model = Diffuser((2, 2, 1), seed=0)
        model.from_outside, model.loop = from_outside, loop
        model.compile()
        if from_outside and BACKEND != "torch":
            with pytest.raises(RuntimeError, match=r"noise\.at\(i\)"):
                model.fit(images, batch_size=4, verbose=0)
        else:
            logs = model.fit(images, batch_size=4, verbose=0).history
            assert logs["gradient_penalty"][0] > 0.1


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow writes SavedModels")
@pytest.mark.parametrize("from_outside", [False, True])
def test_loops_in_an_exported_model(from_outside, tmp_path):
    from kgen.export.saved_model import write
    from kgen.fields import Seed

    def generate(y, noise):
        turns = fori_loop(lambda i: (noise if from_outside else noise.at(i)).normal((2, 4)))
        return {"image": ops.reshape(ops.sigmoid(turns[1] - turns[0]), (-1, 2, 2, 1))}

    model = Diffuser((2, 2, 1), seed=0)
    model.signatures = lambda: {"generate": (generate, {"seed": Seed()})}
    if from_outside:
        with pytest.raises(RuntimeError, match=r"noise\.at\(i\)"):
            write(model, str(tmp_path / "1"), "diffuser")
        return

    from kgen.export import saved_model

    function = saved_model._answer(generate, {"seed": Seed()}, None)
    images = function(seed=keras.ops.convert_to_tensor(SEEDS[:2]))["image"].numpy()
    assert np.abs(images - 0.5).min() > 1e-4


class TestOfAStep:
    @staticmethod
    def first(noise):
        return ops.convert_to_numpy(noise.uniform((3, 4)))

    @staticmethod
    def all_of(noise):
        made = [noise.uniform((2, 3)), noise.uniform((2, 3))]
        turns = [noise.at(0), noise.at(1), noise.at(2)]
        turns += [turns[0].at(0), turns[0].at(1), turns[1].at(0), turns[0].at(0).at(0)]
        return np.stack(numpy([*made, *(turn.uniform((2, 3)) for turn in turns)]))

    def test_draws_turns_and_steps_are_apart_and_repeat(self):
        generator = keras.random.SeedGenerator(5)
        state = ops.convert_to_numpy(generator.state)
        steps = np.stack([self.all_of(StepNoise(generator.next())) for _ in range(4)])
        # Of 216 numbers of 24 bits none are equal; of each draw none is another's.
        assert len(np.unique(steps)) == steps.size
        generator.state.assign(state)
        again = np.stack([self.all_of(StepNoise(generator.next())) for _ in range(4)])
        np.testing.assert_array_equal(steps, again)

    def test_moments(self):
        noise = StepNoise(keras.random.SeedGenerator(1).next())
        normal, integers, uniform = numpy(
            [
                noise.normal((4000, 3)),
                noise.integers((4000, 3), -1, 2),
                noise.uniform((4000, 3), 2.0, 4.0),
            ]
        )
        assert (normal.dtype, integers.dtype, uniform.dtype) == ("float32", "int32", "float32")
        assert abs(normal.mean()) < 0.04 and abs(normal.std() - 1.0) < 0.03
        assert np.all(np.abs(np.bincount(integers.ravel() + 1) / 12000 - 1 / 3) < 0.02)
        assert uniform.min() >= 2.0 and uniform.max() < 4.0 and abs(uniform.mean() - 3.0) < 0.03
        columns = np.concatenate([normal, integers, uniform], axis=1)
        assert np.abs(np.corrcoef(columns.T) - np.eye(9)).max() < 0.07

    def test_draws_are_of_float32_in_half_precision(self):
        keras.config.set_dtype_policy("mixed_float16")
        noise = StepNoise(keras.random.SeedGenerator(1).next())
        kinds = noise.normal((2, 2)), noise.uniform((2, 2)), noise.at(0).normal((2, 2))
        assert {keras.backend.standardize_dtype(kind.dtype) for kind in kinds} == {"float32"}

    def test_replicas_draw_apart_and_the_first_as_alone(self):
        def of(replica):
            generator = keras.random.SeedGenerator(5)
            if replica is not None:
                replicas.draw_apart([generator], lambda: replica)
                replicas.draw_apart([generator], lambda: 7)  # what is done stays
            return np.stack([self.all_of(StepNoise(generator.next())) for _ in range(2)])

        alone, *apart = (of(replica) for replica in (None, 0, 1, 2, 3))
        np.testing.assert_array_equal(apart[0], alone)
        assert len(np.unique(apart)) == np.size(apart)


def test_strides_of_draws_turns_and_replicas_do_not_collide():
    """As every backend sees them.

    JAX has words modulo 2^32; TensorFlow takes words of 64 bits modulo 2^31 - 2; PyTorch adds the
    second word, the number of the step, to the first, modulo 2^32.
    """
    first, second = _TURNS_APART, _TURNS_APART**2 % 2**32
    shifts = []
    for draw, turn, inner, replica in itertools.product(
        range(1, 13), range(20), range(6), range(8)
    ):
        each = _DRAWS_APART * draw % 2**32 + first * turn + second * inner
        shifts.append(each + replicas._STRIDE * replica)
    shifts = np.array(shifts)
    assert len(np.unique(shifts % 2**32)) == len(shifts)
    assert len(np.unique(shifts % (2**31 - 2))) == len(shifts)
    ends = np.sort(shifts % 2**32)
    assert np.diff(np.r_[ends, ends[0] + 2**32]).min() > 10_000  # steps, and a user's seeds
