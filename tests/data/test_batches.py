import sys

import keras
import numpy as np
import pytest

import kgen
from kgen.backend import OrderedBatches, Position
from kgen.data import load
from kgen.data.batches import TrainBatches


def read(batches):
    return [batch[1].tolist() for batch in batches]


def test_order_is_a_function_of_seed_and_epoch(numbered):
    first, second = (load(numbered(), batch_size=9, seed=3).train for _ in range(2))
    assert read(second.epoch(4)) != read(first.epoch(0))
    assert read(first.epoch(4)) == read(second.epoch(4))
    assert read(load(numbered(), batch_size=9, seed=4).train.epoch(4)) != read(first.epoch(4))


def test_order_is_the_documented_permutation(numbered):
    train = load(numbered(), batch_size=9, seed=3).train
    split = np.array(sorted(sum(read(load(numbered(), batch_size=45).train), [])))
    expected = split[np.random.default_rng((3, 2)).permutation(45)]
    assert sum(read(train.epoch(2)), []) == expected.tolist()


def test_indexing_and_iterating_show_the_epoch_of_the_position_and_leave_it_alone(numbered):
    train = load(numbered(), batch_size=9).train
    assert read(train) == read(train) == read(train.epoch(0))
    assert train.position == Position()
    train.position = Position(2)
    assert read(train) == read(train[i] for i in range(len(train))) == read(train.epoch(2))
    # Keras asks for these when it wraps the data, which once moved a cursor.
    assert (train.workers, train.use_multiprocessing, train.num_batches) == (1, False, 5)
    assert train.position == Position(2)


def test_what_is_read_does_not_depend_on_what_was_read_before(numbered):
    train = load(numbered(), batch_size=9).train
    places = [Position(epoch, batch) for epoch in range(3) for batch in range(len(train))]
    in_order = [train.read(place)[1].tolist() for place in places]
    order = np.random.default_rng(0).permutation(len(places))
    assert [train.read(places[i])[1].tolist() for i in order] == [in_order[i] for i in order]


def model_of(data):
    model = keras.Sequential(
        [
            keras.Input(data.image_shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    return model


@pytest.fixture
def watch(monkeypatch):
    """The batches' positions as they are read, which `fit` may do ahead and more than once."""
    seen = []
    train = type(load("digits").train)
    read = train.read

    def watched(self, position):
        seen.append((position.epoch, position.batch))
        return read(self, position)

    monkeypatch.setattr(train, "read", watched)
    return seen


def test_another_kind_of_model_reads_the_epochs_one_after_another(numbered, watch):
    data = load(numbered(), batch_size=9)
    assert isinstance(data.train, OrderedBatches) and isinstance(data.test, OrderedBatches)
    model = model_of(data)
    history = model.fit(data.train, validation_data=data.test, epochs=2, shuffle=False, verbose=0)
    assert "val_loss" in history.history
    end = data.train.position
    in_order = list(dict.fromkeys(watch))
    two_epochs = [(end.epoch - 2 + epoch, batch) for epoch in range(2) for batch in range(5)]
    assert in_order[-10:] == two_epochs
    model.fit(data.train, verbose=0)
    assert data.train.position == Position(end.epoch + 1)
    assert {place for place in watch if place[0] == end.epoch} == {(end.epoch, i) for i in range(5)}


class Labels(kgen.VAE):
    """Logs the mean of the labels that it is given, and learns nothing."""

    log_names = (*kgen.VAE.log_names, "read")

    def training_step(self, x, y, noise):
        self.log(read=keras.ops.mean(keras.ops.cast(y, "float32")))


def fitted(data, **kwargs):
    """By epoch of a `fit` the mean of each batch's labels, and of all before it in the epoch."""
    seen = {}

    class Note(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen[epoch] = self.means = []

        def on_train_batch_end(self, batch, logs=None):
            self.means.append(float(logs["read"]))

    model = Labels(data.image_shape, latent_dim=1, num_classes=data.num_classes)
    model.compile(run_eagerly=keras.backend.backend() == "tensorflow")
    model.fit(data.train, verbose=0, callbacks=Note(), **kwargs)
    return seen


def means_of(data, *epochs):
    """The same of batches at places."""
    labels = [[data.train.read(Position(*place))[1].mean() for place in epoch] for epoch in epochs]
    return [np.cumsum(each) / np.arange(1, len(each) + 1) for each in labels]


def assert_read(seen, expected):
    assert list(seen) == list(expected)
    for epoch, means in expected.items():
        np.testing.assert_allclose(seen[epoch], means, rtol=1e-5)


def test_fit_reads_the_epochs_that_it_counts(numbered):
    data = load(numbered(), batch_size=9)
    expected = means_of(data, *([(epoch, i) for i in range(5)] for epoch in range(6)))
    assert_read(fitted(data, epochs=2), dict(enumerate(expected[:2])))
    assert data.train.position == Position(2)
    # Goes on where the first ended.
    assert_read(fitted(data, epochs=2, shuffle=True), dict(enumerate(expected[2:4])))
    again = load(numbered(), batch_size=9)
    assert_read(fitted(again, initial_epoch=3, epochs=5), {3: expected[3], 4: expected[4]})
    assert_read(fitted(again, initial_epoch=5, epochs=6), {5: expected[5]})


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_fit_with_steps_per_epoch_goes_on_where_the_epoch_before_ended(numbered, steps):
    data = load(numbered(), batch_size=9)
    places = [(batch // 5, batch % 5) for batch in range(3 * steps)]
    expected = means_of(data, *(places[i : i + steps] for i in range(0, len(places), steps)))
    seen = fitted(data, epochs=2, steps_per_epoch=steps)
    assert_read(seen, dict(enumerate(expected[:2])))
    assert data.train.position == Position(*divmod(2 * steps, 5))
    assert_read(fitted(data, epochs=1, steps_per_epoch=steps), {0: expected[2]})


def test_evaluation_and_validation_read_a_whole_epoch_and_move_nothing(numbered, watch):
    data = load(numbered(), batch_size=9)
    data.train.position = Position(4, 3)
    model = kgen.VAE(data.image_shape, latent_dim=1)
    model.compile(run_eagerly=keras.backend.backend() == "tensorflow")
    assert model.evaluate(data.train, verbose=0) == model.evaluate(data.train, verbose=0)
    model.fit(numbered()[0], validation_data=data.train, epochs=2, verbose=0)
    assert data.train.position == Position(4, 3)
    assert set(watch) == {(4, i) for i in range(5)}


def test_train_drops_the_short_batch_and_test_keeps_it(numbered):
    data = load(numbered(), batch_size=4)
    assert (data.num_train, data.num_test) == (45, 5)
    assert [len(labels) for labels in read(data.train)] == [4] * 11
    assert [len(labels) for labels in read(data.test)] == [4, 1]


def test_either_split_as_arrays(numbered):
    images, numbers = numbered()
    data = load((images, numbers), batch_size=4)
    held_out = data.test.take()[1].tolist()
    for part, expected in (
        (data.train, sorted(set(numbers) - set(held_out))),
        (data.test, held_out),
    ):
        for num in (None, 1, 4, 6, 99):
            taken, labels = part.take(num)
            assert labels.tolist() == expected[:num]  # the rest of the last batch as well
            assert (taken[:, 0, 0, 0] == labels).all()
        assert [len(batch[1]) for batch in part.in_order()][-1] == 1
        with pytest.raises(ValueError, match="num as .* at least 1. Received: num=0"):
            part.take(0)


def test_arrays_do_not_depend_on_seed_position_or_augmentation(numbered):
    split = load(numbered(), batch_size=9).train._split
    first = TrainBatches(split, 9, seed=0)
    other = TrainBatches(split, 100, seed=1, augment=lambda batch, seed: pytest.fail("augmented"))
    other.position = Position(3, 2)
    for a, b in zip(first.take(), other.take(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_either_split_as_tf_data(numbered):
    pytest.importorskip("tensorflow")
    data = load(numbered(), batch_size=9)
    data.train.position = Position(3)
    train, test = data.train.tf_data(), data.test.tf_data()
    assert (len(train), len(test)) == (5, 1)
    for epoch in (3, 4):  # each pass the next
        assert read(train.as_numpy_iterator()) == read(data.train.epoch(epoch))
        assert read(test.as_numpy_iterator()) == read(data.test)
    images, labels = train.element_spec
    assert (images.shape.as_list(), images.dtype.name) == ([None, 4, 6, 1], "uint8")
    assert (labels.shape.as_list(), labels.dtype.name) == ([None], "int32")
    model = kgen.VAE(data.image_shape, latent_dim=1)
    model.compile()
    history = model.fit(train, validation_data=test, epochs=2, verbose=0).history
    assert len(history["val_loss"]) == 2
    (only,) = load(numbered()[0], batch_size=9).test.tf_data().element_spec
    assert only.shape.as_list() == [None, 4, 6, 1]


def test_tf_data_without_tensorflow(numbered, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="`tf_data` needs the package tensorflow.*pip install"):
        load(numbered()).test.tf_data()


def test_fewer_images_than_a_batch_make_one_batch(numbered):
    data = load(numbered(), batch_size=100)
    assert [len(labels) for labels in read(data.train)] == [45]
    assert data.batch_size == 100


def test_without_labels_a_batch_is_images_alone(numbered):
    data = load(numbered()[0], batch_size=9)
    assert [len(batch) for batch in (data.train[0], data.test[0])] == [1, 1]
    assert data.condition is None


def test_a_batch_that_is_not_there(numbered):
    data = load(numbered(), batch_size=9)
    for batches in (data.train, data.test):
        with pytest.raises(IndexError, match=f"Received: index={len(batches)}"):
            batches[len(batches)]


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (1.5, 0), (True, 0)])
def test_a_position_that_is_none(place):
    with pytest.raises(ValueError, match="of at least 0. Received: "):
        Position(*place)


def test_positions_are_ordered_and_frozen():
    assert max(Position(1, 2), Position(1)) == Position(1, 2) < Position(2)
    with pytest.raises(AttributeError):
        Position().epoch = 1
