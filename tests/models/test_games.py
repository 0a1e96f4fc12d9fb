"""What two players minimise: by name, as an object or a pair of functions, and with penalties."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import backend, losses, priors
from kgen.models import games
from kgen.models.adversary import R1, R2, Adversary, Game, GradientPenalty
from kgen.models.judge import Judge
from tests.contract import EAGER, arrays, assert_same
from tests.models.test_adversarial_options import images, noise_of, number, tiny
from tests.tiers import in_tiers

BACKEND = keras.backend.backend()
SGD = keras.optimizers.SGD
GANS = [kgen.GAN, kgen.LSGAN, kgen.InfoGAN, kgen.WGAN, kgen.WGANGP]
REAL = np.array([[2.0], [0.0], [-1.0], [0.5]], "float32")
FAKE = np.array([[-3.0], [1.0], [0.0], [-0.5]], "float32")


def softplus(x):
    return np.log1p(np.exp(x))


def logits(*given):
    return [None if each is None else ops.convert_to_tensor(each) for each in given]


# The means: of the real logits (2 + 0 - 1 + 0.5) / 4 = 0.375, of the fakes (-3 + 1 + 0 - 0.5) / 4
# = -0.625.
BY_HAND = {
    "minimax": (softplus(-REAL) + softplus(FAKE), -softplus(FAKE)),
    "non_saturating": (softplus(-REAL) + softplus(FAKE), softplus(-FAKE)),
    # 1/2 (r - 1)^2 + 1/2 f^2 and 1/2 (f - 1)^2
    "least_squares": ([5.0, 1.0, 2.0, 0.25], [8.0, 0.0, 0.5, 1.125]),
    "wasserstein": ([-5.0, 1.0, 1.0, -1.0], [3.0, -1.0, 0.0, 0.5]),
    # max(0, 1 - r) + max(0, 1 + f)
    "hinge": ([0.0 + 0.0, 1.0 + 2.0, 2.0 + 1.0, 0.5 + 0.5], [3.0, -1.0, 0.0, 0.5]),
    # softplus of f - r = -5, 1, 1, -1, and of r - f
    "relativistic": (softplus([-5.0, 1.0, 1.0, -1.0]), softplus([5.0, -1.0, -1.0, 1.0])),
    # softplus of E f - r and of f - E r; the other way round of E r - f and of r - E f
    "relativistic_average": (
        softplus(np.array([-2.625, -0.625, 0.375, -1.125]))
        + softplus(np.array([-3.375, 0.625, -0.375, -0.875])),
        softplus(np.array([3.375, -0.625, 0.375, 0.875]))
        + softplus(np.array([2.625, 0.625, -0.375, 1.125])),
    ),
}


def test_by_hand_is_of_all_games():
    assert set(BY_HAND) == set(games.GAMES)


@pytest.mark.parametrize("name", list(games.GAMES))
def test_games_by_hand(name):
    game = games.get(name)
    real, fake = logits(REAL, FAKE)
    found = (
        game.adversary_loss(real, fake),
        game.generator_loss(real if game.sees_real else None, fake),
    )
    for tensor, expected in zip(found, BY_HAND[name], strict=True):
        assert tensor.shape == (4,)
        np.testing.assert_allclose(
            ops.convert_to_numpy(tensor), np.ravel(expected), rtol=1e-5, atol=1e-6
        )


@pytest.mark.each_backend
@pytest.mark.parametrize("name", list(games.GAMES))
def test_gradients_equal_finite_differences(name):
    """Of the mean of each player's loss, by each of the eight logits."""
    game = games.get(name)
    # No logit is at a kink of the hinge.
    real, fake = REAL + 0.1, FAKE + 0.15
    for loss in (game.adversary_loss, game.generator_loss):
        variables = [keras.Variable(each) for each in (real, fake)]
        _, gradients = backend.value_and_grad(
            lambda loss=loss, given=variables: ops.mean(loss(*(v.value for v in given))), variables
        )
        for side, gradient in enumerate(gradients):
            numeric = np.zeros((4, 1))
            for i in range(4):
                ends = []
                for step in (1e-2, -1e-2):
                    given = [real.copy(), fake.copy()]
                    given[side][i] += step
                    ends.append(number(ops.mean(loss(*logits(*given)))))
                numeric[i] = (ends[0] - ends[1]) / 2e-2
            np.testing.assert_allclose(ops.convert_to_numpy(gradient), numeric, atol=2e-4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("non_saturating", {"real_accuracy": 0.5, "fake_accuracy": 0.5}),
        # On the right side of 1/2: 2; -3, 0, -0.5.
        ("least_squares", {"real_accuracy": 0.25, "fake_accuracy": 0.75}),
        ("wasserstein", {"wasserstein_distance": 1.0}),
        # On the right side of (0.375 - 0.625) / 2 = -0.125: 2, 0, 0.5; -3, -0.5.
        ("relativistic", {"real_accuracy": 0.75, "fake_accuracy": 0.5}),
    ],
)
def test_judgements_by_hand(name, expected):
    judged = games.get(name).judgement(*logits(REAL, FAKE))
    found = {key: number(ops.mean(ops.cast(value, "float32"))) for key, value in judged.items()}
    assert found == pytest.approx(expected)


@keras.saving.register_keras_serializable("tests")
class Sharp(Game):
    """A least squares game of a user's."""

    sees_real = True

    def __init__(self, sharpness=2.0):
        self.sharpness = sharpness

    def adversary_loss(self, real_logits, fake_logits):
        return self.sharpness * ops.square(real_logits - fake_logits - 1.0)[:, 0]

    def generator_loss(self, real_logits, fake_logits):
        return ops.square(real_logits - fake_logits)[:, 0]

    def get_config(self):
        return {"sharpness": self.sharpness}


@keras.saving.register_keras_serializable("tests")
def own_adversary_loss(real_logits, fake_logits):
    return losses.relativistic_loss(real_logits, fake_logits)


@keras.saving.register_keras_serializable("tests")
def own_generator_loss(real_logits, fake_logits):
    return losses.relativistic_loss(fake_logits, real_logits)


OWN = {
    "game": lambda: Sharp(3.0),
    "functions": lambda: (own_adversary_loss, own_generator_loss),
    "hinge": lambda: "hinge",
    "relativistic_average": lambda: "relativistic_average",
}


def weights(gan):
    return arrays(gan.trainable_variables)


def one_epoch(gan, num=8, rate=0.05):
    if not gan.compiled:
        gan.compile(SGD(rate), run_eagerly=EAGER)
    return gan.fit(images(num), batch_size=4, shuffle=False, verbose=0).history


@pytest.mark.parametrize("loss", list(OWN))
@pytest.mark.parametrize("model_class", in_tiers(GANS, quick=[kgen.GAN], on_each=()))
def test_a_loss_is_trained_saved_and_loaded(model_class, loss, tmp_path):
    steps = {"n_critic": 1} if model_class in (kgen.WGAN, kgen.WGANGP) else {}
    gan = tiny(model_class, loss=OWN[loss](), **steps)
    history = one_epoch(gan)
    assert np.isfinite(list(history.values())).all() and "real_accuracy" in history
    gan.save(tmp_path / "gan.keras")
    loaded = keras.saving.load_model(tmp_path / "gan.keras")
    assert type(loaded.adversary.game) is type(gan.adversary.game)
    if loss == "game":
        assert loaded.loss.sharpness == 3.0
    one_epoch(gan)
    one_epoch(loaded)
    assert_same(weights(loaded), weights(gan), 1e-6)


def test_a_pair_of_functions_is_the_game_of_the_same_name():
    named, own = (tiny(kgen.GAN, loss=loss) for loss in ("relativistic", OWN["functions"]()))
    for gan in (named, own):
        one_epoch(gan)
    assert_same(weights(own), weights(named), 1e-7)
    other = tiny(kgen.GAN, loss="hinge")
    one_epoch(other)
    assert (
        max(np.abs(a - b).max() for a, b in zip(weights(other), weights(own), strict=True)) > 1e-3
    )


@pytest.mark.parametrize(
    "loss", ["unknown", None, 3, (losses.relativistic_loss,), ("hinge", "hinge"), Game]
)
def test_what_is_no_loss(loss):
    with pytest.raises(ValueError, match=r"Expected loss in \['non_saturating'.*Received: loss="):
        games.get(loss)


def test_smoothing_of_a_loss_without_labels():
    with pytest.raises(ValueError, match="Expected label_smoothing=0 with the loss Hinge"):
        tiny(kgen.GAN, loss="hinge", label_smoothing=0.1)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic_average"])
def test_a_players_gradient_does_not_reach_the_other(loss):
    gan = tiny(kgen.GAN, loss=loss, r1_weight=1.0)
    for still in gan.players():
        rates = {p: SGD(0.0 if p == still else 0.1) for p in gan.players()}
        gan.compile(rates, run_eagerly=EAGER)
        before = {p: arrays(nets[0].variables) for p, nets in gan.players().items()}
        gan.fit(images(4), batch_size=4, verbose=0)
        for player, networks in gan.players().items():
            moved = [
                np.abs(a - b).max()
                for a, b in zip(arrays(networks[0].variables), before[player], strict=True)
            ]
            assert (max(moved) > 0.0) == (player != still), (player, still)


class TestPenalties:
    ALL = (lambda: R1(2.0), lambda: R2(3.0), lambda: GradientPenalty(5.0, center=0.0))

    @staticmethod
    def gradients(penalties, seed=0):
        gan = tiny(kgen.GAN, penalties=penalties)
        x, noise = ops.convert_to_tensor(2.0 * images(4) - 1.0), noise_of(seed)
        z = gan.draw(noise, x)
        x_fake = gan.generate(z)
        loss, gradients = backend.value_and_grad(
            lambda: gan.adversary_loss(x, x_fake, z, None, noise, training=False),
            gan.discriminator.trainable_variables,
        )
        logs = {p.name: number(gan._trackers[p.name].result()) for p in penalties}
        return number(loss), arrays(gradients), logs

    @pytest.mark.each_backend
    def test_several_are_their_sum_in_one_backward_pass(self):
        loss, gradients, _ = self.gradients([])
        sums, expected = loss, [gradient.copy() for gradient in gradients]
        logged = {}
        for make in self.ALL:
            with_one, of_one, logs = self.gradients([make()])
            (value,) = logs.values()
            assert with_one - loss == pytest.approx(make().weight * value, rel=1e-3)
            assert max(np.abs(a - b).max() for a, b in zip(of_one, gradients, strict=True)) > 1e-4
            sums += with_one - loss
            for total, own, without in zip(expected, of_one, gradients, strict=True):
                total += own - without
            logged |= logs
        together, of_all, logs = self.gradients([make() for make in self.ALL])
        assert logs == pytest.approx(logged, rel=1e-5) and len(logs) == 3
        assert together == pytest.approx(sums, rel=1e-5)
        assert_same(of_all, expected, 1e-4)

    def test_by_hand_of_a_linear_judge(self):
        """D(x) = w x, ||w|| = 5: R1 and R2 are 12.5, the norm from 0 is 25, and from 1 16."""
        judge = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        judge.layers[0].kernel.assign([[3.0], [4.0]])
        penalties = [R1(1.0), R2(1.0), GradientPenalty(1.0, 0.0), GradientPenalty(1.0, name="one")]
        adversary = Adversary(judge, "wasserstein", penalties, name="critic")
        x, x_fake = ops.ones((3, 2)), ops.zeros((3, 2))
        loss, logs, _ = adversary.loss(x, x_fake, None, noise_of(0), ops.zeros((), "int32"))
        found = {p.name: ops.convert_to_numpy(logs[p.name]) for p in penalties}
        for name, expected in zip(found, (12.5, 12.5, 25.0, 16.0), strict=True):
            np.testing.assert_allclose(found[name], expected, rtol=1e-5)
        np.testing.assert_allclose(ops.convert_to_numpy(loss), -7.0 + 66.0, rtol=1e-5)

    def test_where_the_gradient_is_taken(self):
        """D(x) = ||x||^2 / 2, whose gradient is x: 2 at real examples, 1 at fakes, 1.5 between."""

        class HalfSquare(keras.layers.Layer):
            def call(self, x):
                return 0.5 * ops.sum(ops.square(x), axis=-1, keepdims=True)

        class Halves:
            def uniform(self, shape):
                return 0.5 * ops.ones(shape)

        x, x_fake = ops.convert_to_tensor([[2.0, 0.0]]), ops.convert_to_tensor([[1.0, 0.0]])
        network = keras.Sequential([keras.Input((2,)), HalfSquare()])
        judge = Judge(Adversary(network), (x, x_fake), None, True)
        penalties = R1(), R2(), GradientPenalty(center=0.0), GradientPenalty()
        found = [number(each.of(judge, x, x_fake, Halves())[0]) for each in penalties]
        assert found == pytest.approx([2.0, 0.5, 2.25, 0.25], rel=1e-5)

    def test_they_are_logged_in_fit_saved_and_loaded(self, tmp_path):
        gan = tiny(kgen.GAN, penalties=[make() for make in self.ALL])
        history = one_epoch(gan)
        assert all(history[name][0] > 0.0 for name in ("r1_penalty", "r2_penalty"))
        assert history["gradient_penalty"][0] > 0.0
        gan.save(tmp_path / "gan.keras")
        loaded = keras.saving.load_model(tmp_path / "gan.keras")
        assert [type(p) for p in loaded.penalties] == [R1, R2, GradientPenalty]
        assert [p.weight for p in loaded.penalties] == [2.0, 3.0, 5.0]
        assert loaded.penalties[2].center == 0.0 and loaded.r1_weight == 2.0
        one_epoch(gan)
        one_epoch(loaded)
        assert_same(weights(loaded), weights(gan), 1e-6)

    def test_of_one_name(self):
        with pytest.raises(ValueError, match="penalties of different names.*r1_penalty"):
            tiny(kgen.GAN, penalties=[R1(1.0), R1(2.0)])


@keras.saving.register_keras_serializable("tests")
class Nothing(priors.Prior):
    """z = 0."""

    def draw(self, noise, num):
        return ops.zeros((num, self.size))


def dirac_gan(**kwargs):
    """Real data at 0; the generator is theta, the discriminator D(x) = psi x."""
    generator = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    generator.add(keras.layers.Reshape((1, 1, 1)))
    judge = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    judge.add(keras.layers.Dense(1, use_bias=False))
    generator.trainable_variables[1].assign([0.8])
    judge.trainable_variables[0].assign([[0.3]])
    return kgen.GAN(
        (1, 1, 1), 1, generator=generator, discriminator=judge, prior=Nothing(1), **kwargs
    )


DIRACS = [
    ({"loss": "minimax"}, (0.6, 1.5)),
    ({"loss": "wasserstein"}, (0.6, 1.5)),
    ({"loss": "minimax", "r1_weight": 1.0}, (0.0, 1e-3)),
    ({"loss": "wasserstein", "penalties": "r2"}, (0.0, 1e-3)),
]


@pytest.mark.parametrize(
    ("arguments", "ends_within"),
    in_tiers(DIRACS, quick=[DIRACS[0], DIRACS[3]]),
    ids=["minimax", "wasserstein", "minimax-R1", "wasserstein-R2"],
)
def test_dirac_gan(arguments, ends_within):
    """Mescheder et al. 2018, section 2: around the equilibrium it turns, and R1 leads it there.

    With the steps taken one after the other psi and theta keep their distance from (0, 0).
    """
    if "penalties" in arguments:
        arguments = arguments | {"penalties": [R2(1.0)]}
    gan = dirac_gan(**arguments)
    rate, steps = 0.2, 150
    gan.compile(SGD(rate))
    gan.fit(np.full((steps, 1, 1, 1), 0.5, "float32"), batch_size=1, shuffle=False, verbose=0)
    theta = number(gan.generator.trainable_variables[1][0])
    psi = number(gan.discriminator.trainable_variables[0][0, 0])

    # The same by hand: the gradients of log(1 + exp(psi theta)) or psi theta, and weight psi.
    at, by, weight = 0.8, 0.3, 1.0 if len(arguments) > 1 else 0.0
    for _ in range(steps):
        slope = 1.0 if arguments["loss"] == "wasserstein" else 1.0 / (1.0 + np.exp(-by * at))
        by -= rate * (slope * at + weight * by)
        slope = 1.0 if arguments["loss"] == "wasserstein" else 1.0 / (1.0 + np.exp(-by * at))
        at += rate * slope * by
    assert (theta, psi) == pytest.approx((at, by), abs=1e-4)
    low, high = ends_within
    assert low <= np.hypot(theta, psi) <= high
