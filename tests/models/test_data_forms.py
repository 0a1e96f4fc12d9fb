"""Every form of images and conditions that Keras takes: read alike, and with care to the end."""

import importlib.util
import warnings

import keras
import numpy as np
import pytest

import kgen
from kgen import callbacks
from kgen.fields import Label
from tests.contract import EAGER, arrays, assert_same
from tests.tiers import in_tiers

SHAPE = (4, 4, 1)
NUM, BATCH = 12, 4
IMAGES = np.random.default_rng(0).random((NUM, *SHAPE), dtype="float32")
LABELS = np.arange(NUM, dtype="int32") % 3
NAMES = np.array(["shirt", "dress", "shoe"])


class Dataset(keras.utils.PyDataset):
    def __init__(self, x, y, **kwargs):
        super().__init__(**kwargs)
        self.x, self.y = x, y

    def __len__(self):
        return NUM // BATCH

    def __getitem__(self, index):
        rows = slice(index * BATCH, (index + 1) * BATCH)
        return self.x[rows], self.y[rows]


def tf_data(x, y):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, y)).batch(BATCH)


def loader(x, y):
    from torch.utils.data import DataLoader

    rows = [(x[i], str(y[i]) if y.dtype.kind == "U" else y[i]) for i in range(NUM)]
    return DataLoader(rows, batch_size=BATCH)


FORMS = {
    "dataset": Dataset,
    "threads": lambda x, y: Dataset(x, y, workers=2),
    "generator": lambda x, y: (batch for batch in Dataset(x, y)),
    "iterator": lambda x, y: iter([batch for batch in Dataset(x, y)]),
}
FORMS |= {"tf_data": tf_data} if importlib.util.find_spec("tensorflow") else {}
FORMS |= {"loader": loader} if importlib.util.find_spec("torch") else {}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def make(**kwargs):
    keras.utils.set_random_seed(0)
    condition = Label(3, names=NAMES)
    model = kgen.VAE(SHAPE, latent_dim=2, width=4, depth=1, condition=condition, seed=0, **kwargs)
    model.compile(run_eagerly=EAGER)
    return model


@pytest.fixture(scope="module")
def trained():
    """The weights after an epoch of the plain arrays, in their order."""
    model = make()
    model.fit(IMAGES, LABELS, batch_size=BATCH, shuffle=False, verbose=0)
    return arrays(model.trainable_variables)


BAD = {
    "label": (IMAGES, np.where(np.arange(NUM) < 8, LABELS, 3), r"labels in 0\.\.2.* 3\.\.3"),
    "range": (IMAGES * np.where(np.arange(NUM) < 8, 1, 255)[:, None, None, None], LABELS, "/ 255"),
    "nan": (np.where(np.arange(NUM)[:, None, None, None] < 8, IMAGES, np.nan), LABELS, "NaN"),
}


@pytest.mark.each_backend
@each_form
@pytest.mark.parametrize("fault", in_tiers(BAD, quick=["range"]))
def test_the_last_batch_of_a_stream_is_looked_at(form, fault):
    x, y, message = BAD[fault]
    model = make()
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(form(x.astype("float32"), y.astype("int32")), verbose=0)
    assert type(caught.value) is ValueError and "\n" not in str(caught.value)
    assert all(np.isfinite(value).all() for value in arrays(model.trainable_variables))


@pytest.mark.each_backend
@pytest.mark.parametrize("form", in_tiers(FORMS.values(), quick=[FORMS["generator"]]), ids=FORMS)
def test_and_of_what_it_is_evaluated_on(form):
    x, y, message = BAD["range"]
    model = make()
    with pytest.raises(ValueError, match=message):
        model.fit(IMAGES, LABELS, verbose=0, validation_data=form(x.astype("float32"), y))
    with pytest.raises(ValueError, match=message):
        model.evaluate(form(x.astype("float32"), y), verbose=0)


OTHERS = {
    "grey without channels": (IMAGES[..., 0], LABELS),
    "a column of labels": (IMAGES, LABELS[:, None]),
    "one-hot labels": (IMAGES, np.eye(3, dtype="float32")[LABELS]),
    "names": (IMAGES, NAMES[LABELS]),
    "wide integers": (IMAGES, LABELS.astype("int64")),
}


@pytest.mark.each_backend
@pytest.mark.parametrize("form", in_tiers(FORMS, quick=["tf_data"], on_each=["generator"]))
def test_streams_of_any_plain_form_train_alike(form, trained):
    for x, y in ((IMAGES, LABELS), *OTHERS.values()):
        model = make()
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".*shuffle=True")
            given = {"shuffle": False} if form == "dataset" else {}
            model.fit(FORMS[form](x, y), verbose=0, **given)
        if form != "threads":  # whose batches Keras shuffles
            assert_same(arrays(model.trainable_variables), trained)


@pytest.mark.parametrize("form", OTHERS)
def test_arrays_of_any_plain_form_train_alike(form, trained):
    x, y = OTHERS[form]
    for given in ((x, y), (list(x), list(y))):
        model = make()
        model.fit(*given, batch_size=BATCH, shuffle=False, verbose=0, validation_data=given)
        assert_same(arrays(model.trainable_variables), trained)
        model.evaluate(*given, verbose=0)


TYPES = "bool int8 uint8 int16 >i2 uint16 int64 uint64 float16 >f4 float64 longdouble".split()
ON_EACH = ["bool", "int64", ">f4", "float64"]


@pytest.mark.each_backend
@pytest.mark.parametrize("dtype", in_tiers(TYPES, quick=[">f4"], on_each=ON_EACH))
def test_arrays_of_any_type_are_the_same_images(dtype):
    images = np.rint(IMAGES)
    scale = 255 if np.dtype(dtype).kind in "iu" else 1
    if dtype == "int8":
        images, scale = images / 255, 255  # of 0 and 1
    losses = []
    for given in (images.astype("float32"), (scale * images).astype(dtype)):
        arrays_of_all = {"x": given, "y": LABELS, "batch_size": BATCH}
        for form in (arrays_of_all, {"x": Dataset(given, LABELS)}):
            model = make(likelihood="normal")
            history = model.fit(**form, verbose=0, shuffle=False)
            losses.append(history.history["loss"][0])
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "advice"),
    [
        (2 * IMAGES - 1, r"\(images \+ 1\) / 2"),
        (255 * IMAGES, "images / 255"),
        ((65535 * IMAGES).astype("uint16"), "images / 65535"),
        (IMAGES - 3, r"images.min\(\)"),
        (np.moveaxis(IMAGES, 3, 1)[:, [0, 0, 0]], r"np.moveaxis\(images, 1, -1\)"),
        (IMAGES.astype(object), "numbers as images. Received: object"),
    ],
)
def test_advice_on_images_is_right(images, advice):
    with pytest.raises(ValueError, match=advice):
        make().fit(images, LABELS)


def test_integers_of_0_and_1_are_told_of():
    model = make()
    with pytest.warns(UserWarning, match=r"integers up to 1.*images.astype\(bool\)"):
        model.fit(np.rint(IMAGES).astype("int32"), LABELS, verbose=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((None,), "Received: NoneType"),
        ((iter([]),), "at least one batch. Received: an empty stream"),
        (("photographs/",), "Received: str"),
        ((kgen.data.load("digits"),), "`train` of what kgen.data.load gives.*Dataset"),
        ((IMAGES, LABELS.astype("float32")), r"labels.astype\('int32'\)"),
        ((IMAGES, np.eye(4)[LABELS]), "One-hot rows have 3 columns"),
        ((IMAGES, NAMES[LABELS][:-1]), "Expected 12 labels"),
        ((IMAGES, ["coat"] * NUM), r"one of shirt, dress, shoe. Received: \['coat'\]"),
    ],
)
def test_what_is_no_data_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        make().fit(*given)


def test_arrays_are_backed_up_too(tmp_path):
    """Their order is known: a training that is interrupted ends as one that is not."""

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.seen = getattr(self.model, "seen", 0) + 1
            if self.model.seen == 4:
                raise KeyboardInterrupt

    def fit(*before):
        model = make()
        backup = callbacks.Backup(str(tmp_path / str(len(before))), every_steps=1)
        given = {"batch_size": BATCH, "epochs": 3, "verbose": 0, "validation_split": 0.25}
        history = model.fit(IMAGES, LABELS, callbacks=[*before, backup], **given).history
        return model, history

    expected, history = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupt())
    model, resumed = fit(keras.callbacks.Callback())
    assert_same(arrays(model.variables), arrays(expected.variables))
    assert resumed["val_loss"][-1] == pytest.approx(history["val_loss"][-1], rel=1e-6)
