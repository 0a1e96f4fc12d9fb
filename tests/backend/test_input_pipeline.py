import keras
import numpy as np
import pytest

import kgen
from kgen import backend
from kgen.backend import Position, Reading

BACKEND = keras.backend.backend()


def load(num=500, **kwargs):
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (num, 2, 2, 1), dtype="uint8"), np.arange(num) % 5
    return kgen.data.load(arrays, batch_size=7, seed=3, **kwargs)


def passed(data, reading):
    """What Keras gets of one pass."""
    if BACKEND == "tensorflow":
        return list(data.as_numpy_iterator())
    return [data[i] for i in range(reading.num_batches)]


def assert_same(found, expected):
    for got, wanted in zip(found, expected, strict=True):
        for a, b in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def test_each_pass_is_the_epoch_that_was_begun():
    data = load()
    reading = Reading(data.train)
    pipeline = backend.input_pipeline(reading)
    for epoch in (0, 1, 7, 1):
        reading.begin(epoch)
        assert_same(passed(pipeline, reading), list(data.train.epoch(epoch)))
        assert data.train.position == Position(epoch + 1)


def test_a_pass_that_is_left_early_or_read_twice_changes_no_other():
    data = load()
    reading = Reading(data.train)
    pipeline = backend.input_pipeline(reading)
    reading.begin(0)
    if BACKEND == "tensorflow":
        early = iter(pipeline)
        next(early)  # reads ahead from now on
    else:
        pipeline[0]
    for _ in range(2):
        assert_same(passed(pipeline, reading), list(data.train.epoch(0)))
    reading.begin(1)
    assert_same(passed(pipeline, reading), list(data.train.epoch(1)))
    if BACKEND == "tensorflow":  # goes on in the epoch that it is of
        assert_same([each for each in early], list(data.train.epoch(0))[1:])


def test_a_pass_from_the_middle_of_an_epoch():
    data = load(100)
    reading = Reading(data.train)
    reading.start(Position(3, 5), ahead=24)  # two epochs of twelve batches more than it counts
    places = []
    for epoch in (3, 4):
        reading.begin(epoch)
        places.append([reading.place(Position(epoch, i)) for i in range(len(reading))])
        found = list(reading)
        assert len(found) == reading.num_batches == (7 if epoch == 3 else 12)
        assert_same(found, [data.train.read(place) for place in places[-1][-len(found) :]])
        assert_same([reading[i] for i in range(len(found))], found)
    assert places == [[Position(epoch, i) for i in range(12)] for epoch in (5, 6)]


def test_the_last_batch_may_be_short():
    data = load()
    reading = Reading(data.test)
    found = passed(backend.input_pipeline(reading), reading)
    assert [len(images) for images, _ in found] == [7] * 7 + [1]
    assert_same(found, list(data.test))


@pytest.mark.parametrize("steps", [None, 3])
def test_fit_reads_all_that_it_trains_on(steps):
    seen = []
    data = load(40)
    read = data.train.read

    def watched(position):
        seen.append(position)
        return read(position)

    data.train.read = watched
    model = kgen.VAE(data.image_shape, latent_dim=1)
    model.compile(run_eagerly=BACKEND == "tensorflow")
    model.fit(data.train, epochs=2, steps_per_epoch=steps, verbose=0)
    count = 2 * (steps or len(data.train))
    wanted = [Position(*divmod(i, len(data.train))) for i in range(count)]
    assert set(wanted) <= set(seen)
    assert data.train.position == Position(*divmod(count, len(data.train)))


def test_other_data_is_left_as_it_is():
    class Batches(keras.utils.PyDataset):
        read = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            self.read += 1
            return (np.zeros((1, 2, 2, 1), "float32"),)

        def on_epoch_end(self):
            self.ended = True

    data = Batches()
    model = kgen.VAE((2, 2, 1), latent_dim=1)
    model.compile(run_eagerly=BACKEND == "tensorflow")
    model.fit(data, verbose=0)
    assert data.read >= 3 and data.ended
