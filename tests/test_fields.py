"""What a model is given: what each field takes, refuses and says, and the seeds of images."""

import re

import keras
import numpy as np
import pytest

import kgen
from kgen.fields import (
    Attributes,
    CodeMap,
    FeatureMap,
    Field,
    Image,
    Label,
    Mask,
    Seed,
    Tokens,
    Vector,
    as_text,
)

FIELDS = [
    Image((4, 5, 1)),
    Image((2, 2, 3)),
    Label(3),
    Label(2, names=("shirt", "dress")),
    Attributes(4),
    Attributes(2, names=("smiles", "glasses")),
    Vector(3),
    Vector(2, low=-1.0, high=[1.0, 4.0]),
    Vector(2, low=[0, -1], high=[2, 1]),
    Vector(2, high=-3.0),
    Vector(1, low=5),
    Tokens(4, 10),
    CodeMap((3, 2), 7),
    FeatureMap((3, 2, 4)),
    Mask((3, 2)),
    Seed(),
]
CONDITIONS = [field for field in FIELDS if not isinstance(field, (CodeMap, Mask, Seed))]
each_field = pytest.mark.parametrize("field", FIELDS, ids=repr)


@each_field
def test_an_example_is_taken_and_is_as_described(field):
    rows = field.check(field.example(3))
    assert rows.shape == (3, *field.shape) and rows.dtype == field.dtype
    np.testing.assert_array_equal(rows, field.example(3))
    assert str(field.shape[0] if field.shape else "labels" if field.low == 0 else field.dtype) in (
        field.describe()
    )


@each_field
def test_another_shape_is_refused(field):
    row = field.example(2)
    for array in (row[..., None, None], row[None], row[0] if field.shape else row[0].reshape(())):
        with pytest.raises(ValueError, match=r"Expected stuff of shape \(num.*Received: an array"):
            field.check(array, "stuff")
    with pytest.raises(ValueError, match=f"Expected at least one of {field.what}. Received: shape"):
        field.check(row[:0])


@each_field
@pytest.mark.parametrize("nothing", [None, {"a": 1}, (1, 2), iter([[1]]), object()])
def test_what_is_no_array_is_refused(field, nothing):
    with pytest.raises(ValueError, match="Expected .* as one array or tensor, .*Received: "):
        field.check(nothing)


@pytest.mark.parametrize(
    ("field", "rows", "message"),
    [
        (Image((1, 1, 1)), [[[[1.5]]]], r"floats in \[0, 1\].*images / 255.*\[1.5, 1.5\]"),
        (Image((1, 1, 1)), [[[[256]]]], r"images / 1023 for the range 0\.\.1023\. Received"),
        (Image((1, 1, 1)), [[[[4095]]]], r"images / 4095 for the range 0\.\.4095\. Received"),
        (Image((1, 1, 1)), [[[[4096]]]], "images / 16383 for"),
        (Image((1, 1, 1)), [[[[16384]]]], "images / 65535 for"),
        (Image((1, 1, 1)), [[[[65536]]]], "images / 65536 for"),
        (Image((1, 1, 1)), [[[[-0.5]]]], r"Received: float64 images in \[-0.5, -0.5\]"),
        (Image((1, 1, 1)), [[[[256]]]], r"integers in 0\.\.255.*Received: int64 images in \[256"),
        (Image((1, 1, 1)), [[[[-1]]]], r"Received: int64 images in \[-1, -1\]"),
        (Image((1, 1, 1)), [[[[np.nan]]]], "Expected finite images. Received: NaN or infinity"),
        (Image((1, 1, 1)), [[[[np.inf]]]], "Expected finite images. Received: NaN or infinity"),
        (Image((1, 1, 1)), [[[["a"]]]], "Expected numbers as images. Received: <U1"),
        (Image((1, 1, 1)), [[[[1j]]]], "Expected numbers as images. Received: complex128"),
        (Image((2, 2, 3)), np.zeros((3, 3, 2, 2)), r"come last: np.moveaxis\(images, 1, -1\)"),
        (Image((2, 2, 1)), np.zeros((3, 4, 4, 1)), r"Resize the images.*model for \(4, 4, 1\)"),
        (Label(3), [0, 3], r"Expected labels in 0\.\.2. Received: labels in 0\.\.3"),
        (Label(3), [-1], r"Received: labels in -1\.\.-1"),
        (Label(3), [0.0], r"in 0\.\.2. Convert them: labels.astype\('int32'\). Received: float64"),
        (Label(3), [True], r"in 0\.\.2. Convert them: .*int32.*Received: bool labels"),
        (Label(3), [[0.0, 1.0]], r"One-hot rows have 3 columns. Received: .* \(1, 2\)"),
        (Label(3), [[0.5, 0.5, 0.0]], r"Of one-hot rows, np.argmax\(labels, axis=1\)"),
        (Label(3), ["a"], r"0\.\.2; for names, .*Label\(3, names=\[...\]\). Received: \['a'\]"),
        (Label(3), ["0", "2"], r"0\.\.2, as labels.astype\('int32'\) of text. Received: \['0', '2"),
        (Label(2, ("x", "y")), ["x", "z", "w"], r"one of x, y. Received: \['w', 'z'\]"),
        (Label(2, ("x", "y")), [5], r"Received: labels in 5\.\.5"),
        (Label(3), np.uint64([2**63]), r"Received: labels in 9223372036854775808\.\."),
        (Label(2, ("x", "y")), ["a\n\x1b[2K"], r"one of x, y. Received: \['a\\n\\x1b\[2K'\]$"),
        (Vector(1), [[1e300]], r"vectors that float32 can hold, in -3.4.*in 1e\+300\.\.1e\+300"),
        (Vector(1), [[-1e300]], r"vectors that float32 can hold"),
        (Seed(), np.float64([2.0**70]), "Received: float64 seed"),
        (Attributes(2), [[0.0, 0.5]], "Expected attributes of 0 or 1. Received: other values"),
        (Attributes(2), [[0, 2]], r"Expected attributes in 0\.\d*\.\.1\.\d*. Received: .* 0\.\.2"),
        (Attributes(1), [[np.nan]], "Expected finite attributes. Received: NaN"),
        (Vector(2), [[0.0, np.inf]], "Expected finite vectors. Received: NaN or infinity"),
        (Vector(2), [["a", "b"]], "Expected numbers as vectors. Received: <U1"),
        (
            Vector(2, low=0),
            [[0.0, -1.0]],
            r"Expected vectors in 0\.\.None. Received: .*-1.0\.\.0.0",
        ),
        (Vector(2, high=[1, 2]), [[2.0, 1.0]], r"Expected vectors in None\.\.\[1, 2\]. Received"),
        (Tokens(2, 5), [[0, 5]], r"Expected tokens in 0\.\.4. Received: tokens in 0\.\.5"),
        (Tokens(2, 5), [[0.0, 1.0]], r"Expected int32 of shape \(num, 2\). Convert them"),
        (
            Mask((1, 2)),
            [[[0, 1]]],
            r"True where a pixel is hidden.*Convert it: mask.astype\(bool\).*int64 mask",
        ),
        (Seed(), [0.5], r"Expected int64 of shape \(num\). Received: float64 seed"),
    ],
)
def test_other_values_are_refused_with_words(field, rows, message):
    with pytest.raises(ValueError, match=message) as error:
        field.check(np.array(rows))
    assert re.match(r"(?s)Expected .*Received: .", str(error.value))


@pytest.mark.parametrize(
    ("field", "rows", "expected"),
    [
        (Image((1, 2, 1)), np.uint8([[[[0], [51]]]]), [[[[0.0], [0.2]]]]),
        (Image((1, 2, 1)), np.int64([[[[255], [51]]]]), [[[[1.0], [0.2]]]]),
        (Image((1, 2, 1)), np.float64([[[[0.25], [1]]]]), [[[[0.25], [1.0]]]]),
        (Image((1, 2, 1)), np.array([[[[True], [False]]]]), [[[[1.0], [0.0]]]]),
        (Label(3), np.uint8([2, 0]), [2, 0]),
        (Label(2, ("x", "y")), np.array(["y", "x"]), [1, 0]),
        (Label(2, ("x", "y")), ["y"], [1]),
        (Label(2, (7, 8)), np.array(["8"]), [1]),
        (Attributes(2), np.array([[True, False]]), [[1.0, 0.0]]),
        (Attributes(2), np.uint8([[1, 0]]), [[1.0, 0.0]]),
        (Vector(2), np.int64([[3, -4]]), [[3.0, -4.0]]),
        (Vector(2, [0, -1], [2, 1]), [[2.0, -1.0]], [[2.0, -1.0]]),
        (Tokens(2, 5), np.int64([[4, 0]]), [[4, 0]]),
        (Mask((1, 2)), [[[True, False]]], [[[True, False]]]),
        (Mask((1, 2)), [[[[True], [False]]]], [[[True, False]]]),
        (Seed(), np.int32([-3]), [-3]),
        (Seed(), np.uint64([2**64 - 3]), [-3]),
        *(
            (Label(3), np.array([2, 0], f"{order}{kind}"), [2, 0])
            for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
            for order in "<>"
        ),
    ],
)
def test_what_is_taken(field, rows, expected):
    found = field.check(rows)
    assert found.dtype == field.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64", "float32"])
@pytest.mark.parametrize("value", [-(2**40), -129, -1, 0, 127, 128, 255, 256, 2**31, 2**40])
def test_what_a_type_cannot_hold_is_refused(dtype, value):
    """Of rows that have no other limit than their type's."""
    field, array = Field(), np.array([value])
    field.dtype = dtype
    if np.array_equal(array.astype(dtype), array):
        assert field.check(array).tolist() == [value]
    else:
        with pytest.raises(ValueError, match=f"{dtype} can hold, in .*in {value}..{value}$"):
            field.check(array)


@pytest.mark.parametrize("make", [Label, lambda num: Tokens(1, num)])
def test_numbers_of_classes_fit_int32(make):
    assert make(2**31).high == 2**31 - 1
    with pytest.raises(ValueError, match=r"in [12]\.\.2147483648. Received: .*=2147483649"):
        make(2**31 + 1)


def test_names_in_another_encoding():
    names = np.array([b"caf\xe9", b"tea"])
    assert as_text(names).tolist() == [r"caf\xe9", "tea"]


def test_float16_pixels_of_1_are_taken():
    assert Image((1, 1, 1)).check(np.ones((1, 1, 1, 1), "float16")).dtype == "float32"


@each_field
def test_one_row_is_for_all(field):
    row = field.example(1)[0]
    np.testing.assert_array_equal(field.rows(row, 3), field.example(3))
    np.testing.assert_array_equal(field.rows(field.example(3), 3), field.example(3))
    with pytest.raises(ValueError, match="Expected 3 things, or one for all. Received: 2"):
        field.rows(field.example(2), 3, "things")
    with pytest.raises(ValueError, match=f"Expected {field.what}: .*Received: no {field.what}"):
        field.rows(None, 3)


@pytest.mark.parametrize("name", [b"dress", np.str_("dress"), np.array("dress", object)])
def test_a_name_of_any_type_is_for_all(name):
    assert Label(2, ("shirt", "dress")).rows(name, 3).tolist() == [1, 1, 1]


def test_a_name_is_for_all():
    np.testing.assert_array_equal(Label(2, ("shirt", "dress")).rows("dress", 3), [1, 1, 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Image((4, 5)), r"shape as \(height, width, channels\).*Received: shape=\(4, 5\)"),
        (lambda: Image((4, 0, 1)), "of at least 1 each"),
        (lambda: Label(0), "num_classes=0"),
        (lambda: Label(["a", "b"]), r"Label\(2, names=.*Received: num_classes=\['a', 'b'\]"),
        (lambda: Label(3, names=("a", "b")), r"3 different names. Received: names=\('a', 'b'\)"),
        (lambda: Attributes(3, names="ab"), r"3 different names. Received: names=\('a', 'b'\)"),
        (lambda: Label(2, names=2), "different names. Received: names=2"),
        (lambda: Label(2, names=("a", "a")), "different names"),
        (lambda: Attributes(0), "num=0"),
        (lambda: Attributes(2, names=("a",)), "names="),
        (lambda: Vector(0), "size=0"),
        (lambda: Vector(2, low=[0, 0, 0]), r"low.*Received: .*\[0, 0, 0\]"),
        (lambda: Vector(2, low=1.0, high=0.0), "low.*high"),
        (lambda: Tokens(0, 5), "length=0"),
        (lambda: Tokens(4, 1), "vocabulary=1"),
    ],
)
def test_fields_that_there_are_not(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@each_field
def test_a_config_is_what_it_was_made_with(field):
    config = keras.saving.serialize_keras_object(field)
    copy = keras.saving.deserialize_keras_object(config)
    assert copy == field and copy is not field
    assert hash(copy) == hash(field) and repr(copy) == repr(field)
    assert len({type(copy).from_config(copy.get_config()), field}) == 1
    assert [other for other in FIELDS if other == field] == [field]


@pytest.mark.parametrize("field", CONDITIONS, ids=repr)
def test_a_saved_model_has_its_field(field, tmp_path):
    if isinstance(field, Image):
        field = Image((8, 8, field.shape[-1]))
    model = kgen.VAE((8, 8, 1), latent_dim=2, width=3, depth=1, condition=field)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.condition == field
    assert loaded.num_classes == model.num_classes == getattr(field, "num_classes", None)
    rows = field.example(2)
    np.testing.assert_array_equal(loaded.sample(2, rows, seed=0), model.sample(2, rows, seed=0))


def test_limits_as_numpy_arrays_are_limits(tmp_path):
    field = Vector(2, low=np.array([0.0, -1.0]), high=np.float32(4.0))
    assert field == Vector(2, low=[0.0, -1.0], high=4.0) != Vector(2, low=[0.0, -2.0], high=4.0)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(field))
    assert copy == field
    with pytest.raises(ValueError, match="Expected vectors in"):
        copy.check([[0.0, -1.5]])


def test_fields_and_seeds_are_of_numpy_alone():
    import subprocess
    import sys

    script = (
        "import sys, kgen.seeds\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
