"""Conditions of every kind, of a model of each family."""

import keras
import numpy as np
import pytest
from keras import ops

import kgen
from kgen import networks
from kgen.fields import Attributes, Image, Label, Tokens, Vector
from kgen.layers import ConditionCode
from tests.contract import EAGER, arrays, assert_same
from tests.tiers import in_tiers

# Two compiled programs of the same sums; on JAX batch normalization makes more of them.
ROUNDING = 1e-5 if keras.backend.backend() == "jax" else 1e-6

BACKEND = keras.backend.backend()
SHAPE = (8, 8, 1)
NUM = 8


def rows_of(numbers, dtype):
    return np.asarray(numbers, dtype)


CONDITIONS = {
    "label": (Label(3, names=("shirt", "dress", "shoe")), np.arange(NUM, dtype="int32") % 3),
    "attributes": (Attributes(2), np.array([[0, 1], [1, 1]] * 4, "float32")),
    "vector": (Vector(2, low=-5, high=5), np.linspace(-5, 5, 2 * NUM).reshape(NUM, 2)),
    "tokens": (Tokens(3, 5), np.array([[1, 2, 0], [4, 0, 0], [3, 3, 1], [2, 4, 1]] * 2, "int32")),
    "image": (Image(SHAPE), np.random.default_rng(0).random((NUM, *SHAPE), dtype="float32")),
}
VECTORS = [name for name in CONDITIONS if name != "image"]


def vae(condition, **kwargs):
    return kgen.VAE(SHAPE, latent_dim=2, width=6, depth=1, condition=condition, seed=0, **kwargs)


def convolutional_vae(condition):
    return kgen.VAE(
        SHAPE, latent_dim=2, width=2, architecture="convolutional", condition=condition, seed=0
    )


def dcgan(condition, **kwargs):
    return kgen.DCGAN(SHAPE, 2, width=2, condition=condition, seed=0, **kwargs)


def projected(condition):
    return dcgan(condition, projection=True)


def pixel_cnn(condition):
    size = condition.shape[:2] if isinstance(condition, Image) else (4, 4)
    return kgen.GatedPixelCNN((*size, 1), levels=2, width=4, depth=1, condition=condition, seed=0)


QUICK = {("image", vae), ("attributes", projected)}
if BACKEND == "torch":
    QUICK |= {("label", vae), ("tokens", dcgan), ("vector", pixel_cnn)}
CASES = [
    (name, make)
    for make in (vae, convolutional_vae, dcgan, projected, pixel_cnn)
    for name in CONDITIONS
    if name != "image" or make is not projected
]
ON_EACH = [(name, make) for name, make in CASES if make is vae]
CASES = in_tiers(CASES, quick=QUICK, on_each=ON_EACH)


def images(model, num=NUM):
    return np.random.default_rng(1).integers(0, 2, (num, *model.image_shape)).astype("float32")


def fit(model, y, **kwargs):
    if not model.compiled:
        model.compile(keras.optimizers.Adam(0.01), run_eagerly=EAGER)
    return model.fit(images(model), y, batch_size=4, shuffle=False, verbose=0, **kwargs).history


def spread(rows, num):
    """Different conditions, one for each of so many samples."""
    return np.concatenate([rows] * (num // NUM + 1))[:num]


@pytest.mark.each_backend
@pytest.mark.parametrize(("name", "make"), CASES)
def test_a_condition_trains_and_samples_and_is_saved(name, make, tmp_path):
    field, rows = CONDITIONS[name]
    model = make(field)
    assert np.isfinite(list(fit(model, rows, epochs=2).values())).all()
    if make is pixel_cnn:  # so that its condition moves more than a pixel now and then
        for variable in model.trainable_variables:
            variable.assign(3.0 * variable)
    made = model.sample(NUM, rows, seed=0)
    others = model.sample(NUM, np.roll(rows, 1, axis=0), seed=0)
    assert made.shape == (NUM, *model.image_shape)
    differs = np.abs(made - others).reshape(NUM, -1).max(axis=1) > 1e-6
    assert differs.any()
    if make is not pixel_cnn:  # of whose pixels few are at an edge
        assert differs.all()
    # One for all, and of the seed alone.
    same = model.sample(3, rows[1], seed=0)
    np.testing.assert_allclose(same, model.sample(3, spread(rows[1:2], 1).repeat(3, 0), seed=0))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.condition == field
    np.testing.assert_allclose(loaded.sample(NUM, rows, seed=0), made, atol=1e-6)
    fit(loaded, rows)
    fit(model, rows)
    assert_same(arrays(loaded.trainable_variables), arrays(model.trainable_variables), 1e-6)


def test_an_image_where_vectors_alone_are_taken():
    with pytest.raises(ValueError, match="projection=False"):
        projected(Image(SHAPE))


@pytest.mark.parametrize("name", list(CONDITIONS))
def test_the_condition_reaches_the_loss(name):
    """A wrong one gives another loss, the right one the same again."""
    field, rows = CONDITIONS[name]
    model = vae(field)
    model.compile()
    right, again, wrong = (
        model.evaluate(images(model), y, batch_size=NUM, verbose=0)
        for y in (rows, rows, rows[::-1])
    )
    assert right == again != wrong


@pytest.mark.parametrize("make", [vae, pytest.param(dcgan, marks=pytest.mark.full)])
def test_integer_images_are_scaled(make):
    field, _ = CONDITIONS["image"]
    integers = np.random.default_rng(2).integers(0, 256, (NUM, *SHAPE), dtype="uint8")
    trained = []
    for y in (integers, integers / 255.0, (integers / 255.0).astype("float32")):
        keras.utils.set_random_seed(0)
        model = make(field)
        fit(model, y)
        trained.append(model)
    for other in trained[1:]:
        assert_same(
            arrays(other.trainable_variables), arrays(trained[0].trainable_variables), ROUNDING
        )
    samples = [trained[0].sample(NUM, y, seed=0) for y in (integers, integers / 255.0)]
    np.testing.assert_allclose(*samples, atol=1e-6)


def test_numbers_of_another_type_are_the_same_condition():
    field, rows = CONDITIONS["attributes"]
    trained = []
    for y in (rows, rows.astype("int64"), rows.astype(bool), rows.astype("float64")):
        keras.utils.set_random_seed(0)
        model = vae(field)
        fit(model, y)
        trained.append(arrays(model.trainable_variables))
    for other in trained[1:]:
        assert_same(other, trained[0], 1e-6)


@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("label", None, r"labels in 0\.\.2, or names such as 'shirt'. Received: no labels"),
        ("label", np.full(NUM, 3), r"labels in 0\.\.2. Received: labels in 3\.\.3"),
        ("label", np.zeros(NUM), "Received: float64 labels"),
        ("label", np.array(["hat"] * NUM), "one of shirt, dress, shoe. Received: .'hat'"),
        ("attributes", np.full((NUM, 2), 0.5), "attributes of 0 or 1"),
        ("attributes", np.zeros((NUM, 3)), r"attributes of shape \(num, 2\). Received"),
        ("vector", np.full((NUM, 2), 6.0), r"vectors in -5\.\.5. Received: vectors in 6.0"),
        ("vector", np.full((NUM, 2), np.nan), "finite vectors. Received: NaN"),
        ("tokens", np.full((NUM, 3), 5), r"tokens in 0\.\.4. Received: tokens in 5\.\.5"),
        ("tokens", np.zeros((NUM, 2), int), r"tokens of shape \(num, 3\)"),
        ("image", np.full((NUM, *SHAPE), 2.0), r"images of floats in \[0, 1\]"),
        ("image", np.zeros((NUM, 4, 4, 1)), r"images of shape \(num, 8, 8, 1\). Resize"),
        (
            "image",
            np.zeros((NUM - 1, *SHAPE)),
            f"Expected {NUM} images, or one for all. Received: 7",
        ),
    ],
)
def test_a_wrong_condition_is_refused_before_the_first_step(name, y, message):
    model = vae(CONDITIONS[name][0])
    model.compile()
    before = arrays(model.variables)
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=message):
            call(images(model), y, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.reconstruct(images(model), y)
    assert_same(arrays(model.variables), before, 0.0)


def test_classes_by_their_names():
    model = vae(CONDITIONS["label"][0])
    model.compile(run_eagerly=EAGER)
    dresses = model.sample(3, labels="dress", seed=0)
    np.testing.assert_array_equal(dresses, model.sample(3, labels=1, seed=0))
    mixed = model.sample(2, labels=["shoe", "shirt"], seed=0)
    np.testing.assert_array_equal(mixed, model.sample(2, labels=[2, 0], seed=0))
    with pytest.raises(ValueError, match="one of shirt, dress, shoe. Received: .'hat'"):
        model.sample(3, labels="hat")
    x, names = images(model), np.array(["dress", "shoe"] * 4)
    np.testing.assert_array_equal(
        model.reconstruct(x, names), model.reconstruct(x, np.array([1, 2] * 4))
    )


def test_labels_of_an_unconditional_model():
    model = kgen.VAE(SHAPE, latent_dim=2, width=6, depth=1)
    with pytest.raises(ValueError, match="Expected no labels.*Received: labels=3"):
        model.sample(2, labels=3)


@pytest.mark.parametrize(
    ("arguments", "num_classes"),
    [
        ({"num_classes": 3}, 3),
        ({"condition": Label(3)}, 3),
        ({"condition": Label(3), "num_classes": 3}, 3),
        ({"condition": Vector(3)}, None),
        ({}, None),
    ],
)
def test_num_classes_is_short_for_a_label(arguments, num_classes):
    model = kgen.VAE(SHAPE, latent_dim=2, width=6, depth=1, **arguments)
    assert model.num_classes == num_classes
    expected = Label(3) if num_classes else arguments.get("condition")
    assert model.condition == expected


@pytest.mark.parametrize("condition", [Label(4), Vector(3)])
def test_num_classes_and_another_condition(condition):
    with pytest.raises(ValueError, match="num_classes, or a condition, or both of the same"):
        kgen.VAE(SHAPE, latent_dim=2, num_classes=3, condition=condition)


class TestConditionCode:
    def code(self, field, y, **kwargs):
        layer = ConditionCode(field, **kwargs)
        found = layer(ops.convert_to_tensor(y))
        symbolic = layer(keras.Input(field.shape, dtype=field.dtype))
        assert symbolic.shape[1:] == found.shape[1:]
        return layer, ops.convert_to_numpy(found)

    def test_labels_are_one_hot(self):
        _, code = self.code(Label(3), np.array([2, 0], "int32"))
        np.testing.assert_array_equal(code, [[0, 0, 1], [1, 0, 0]])

    @pytest.mark.parametrize("name", ["attributes", "vector", "image"])
    def test_numbers_are_as_they_are(self, name):
        field, rows = CONDITIONS[name]
        _, code = self.code(field, rows.astype("float32"))
        np.testing.assert_allclose(code, rows, rtol=1e-6)

    def test_tokens_are_the_mean_of_those_that_count(self):
        layer, code = self.code(
            Tokens(3, 5), np.array([[1, 2, 0], [4, 0, 0], [3, 3, 1], [0, 0, 0]], "int32"), units=4
        )
        table = ops.convert_to_numpy(layer.embeddings)
        expected = [
            (table[1] + table[2]) / 2,
            table[4],
            (2 * table[3] + table[1]) / 3,
            0 * table[0],
        ]
        np.testing.assert_allclose(code, expected, atol=1e-6)

    def test_what_fills_the_end_is_never_trained(self):
        layer = ConditionCode(Tokens(3, 5), units=4)
        y = ops.convert_to_tensor(np.array([[1, 2, 0], [4, 0, 0]], "int32"))
        _, (gradient,) = kgen.backend.value_and_grad(
            lambda: ops.sum(layer(y)), layer.trainable_variables
        )
        rows = np.abs(ops.convert_to_numpy(gradient)).sum(axis=1)
        assert (rows > 0).tolist() == [False, True, True, False, True]

    def test_a_config_is_what_it_was_made_with(self):
        layer = ConditionCode(Tokens(3, 5), units=4, name="words")
        copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert (copy.field, copy.units, copy.name) == (Tokens(3, 5), 4, "words")
        assert copy.embeddings.shape == (5, 4)


@pytest.mark.parametrize(
    "name",
    [VECTORS[1], *(pytest.param(n, marks=pytest.mark.full) for n in ("label", "vector", "tokens"))],
)
def test_a_causal_network_sees_nothing_later_and_its_condition_everywhere(name):
    field, rows = CONDITIONS[name]
    network = networks.gated_pixel_cnn((4, 3, 1), 2, 4, 1, None, condition=field)
    for variable in network.trainable_variables:  # so that nothing is cut off by a 0
        variable.assign(np.random.default_rng(0).normal(0.0, 0.2, variable.shape))
    x = np.random.default_rng(1).choice([-1.0, 1.0], (1, 4, 3, 1)).astype("float32")
    y = rows[:1].astype(field.dtype)

    def outputs(x, y):
        return ops.convert_to_numpy(network([ops.convert_to_tensor(x), ops.convert_to_tensor(y)]))[
            0
        ]

    base = outputs(x, y)
    for i in range(12):
        flipped = x.reshape(1, 12).copy()
        flipped[0, i] *= -1.0
        changed = np.abs(outputs(flipped.reshape(x.shape), y) - base).reshape(12, -1).max(axis=1)
        assert changed[: i + 1].max() == 0.0, i
        assert i == 11 or changed[i + 1 :].max() > 0.0, i
    changed = np.abs(outputs(x, rows[1:2].astype(field.dtype)) - base).max(axis=-1)
    assert changed.min() > 1e-5


@pytest.mark.full
@pytest.mark.parametrize("name", VECTORS)
def test_cached_outputs_of_a_condition_are_parallel_outputs(name):
    """What is drawn pixel by pixel has the likelihood of a whole image: greedy samples agree."""
    field, rows = CONDITIONS[name]
    model = pixel_cnn(field)
    for variable in model.network.trainable_variables:
        variable.assign(np.random.default_rng(0).normal(0.0, 0.5, variable.shape))
    made = model.sample(NUM, rows, temperature=1e-6, seed=0)
    y = ops.convert_to_tensor(rows.astype(field.dtype))
    logits = ops.convert_to_numpy(model.network([ops.convert_to_tensor(2.0 * made - 1.0), y]))
    np.testing.assert_array_equal(made, (logits > 0.0).astype("float32"))
