import keras
import numpy as np
import pytest

from kgen.data import load
from kgen.data.batches import TrainBatches


def read(batches):
    return [batch[1].tolist() for batch in batches]


def fit(data, epochs, initial_epoch=0, **kwargs):
    """Fit a small model; give the labels of each batch that was asked for, by epoch."""
    seen = []

    class Spy(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append([])

    original = TrainBatches.__getitem__

    def spy(self, index):
        batch = original(self, index)
        if seen:
            seen[-1].append(batch[1].tolist())
        return batch

    model = keras.Sequential(
        [
            keras.Input(data.image_shape, dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainBatches, "__getitem__", spy)
        history = model.fit(
            data.train,
            epochs=epochs,
            initial_epoch=initial_epoch,
            callbacks=[Spy()],
            verbose=0,
            **kwargs,
        )
    return seen, history.history


def test_order_is_a_function_of_seed_and_epoch(numbered):
    first, second = (load(numbered(), batch_size=9, seed=3) for _ in range(2))
    second.train.epoch = 4
    assert read(second.train) != read(first.train)
    first.train.epoch = 4
    assert read(first.train) == read(second.train)
    other_seed = load(numbered(), batch_size=9, seed=4)
    other_seed.train.epoch = 4
    assert read(other_seed.train) != read(first.train)


def test_order_is_the_documented_permutation(numbered):
    train = load(numbered(), batch_size=9, seed=3).train
    train.epoch = 2
    split = np.array(sorted(sum(read(load(numbered(), batch_size=45).train), [])))
    expected = split[np.random.default_rng((3, 2)).permutation(45)]
    assert sum(read(train), []) == expected.tolist()


def test_iterating_by_hand_leaves_the_epoch_alone(numbered):
    train = load(numbered(), batch_size=9).train
    assert read(train) == read(train)
    assert train.epoch == 0


@pytest.mark.parametrize("shuffle", [True, False])
def test_fit_reads_the_epochs_in_order_and_whole(numbered, shuffle):
    data = load(numbered(), batch_size=9, seed=1)
    held_out = sum(read(data.test), [])
    seen, history = fit(data, epochs=3, shuffle=shuffle, validation_data=data.test)
    assert "val_loss" in history
    assert data.train.epoch == 3
    for epoch, batches in enumerate(seen):
        data.train.epoch = epoch
        assert batches == read(data.train)
        assert sorted(sum(batches, []) + held_out) == list(range(50))
    assert seen[0] != seen[1]


def test_resumed_epochs_equal_those_of_an_unbroken_run(numbered):
    unbroken, _ = fit(load(numbered(), batch_size=9), epochs=3)
    resumed = load(numbered(), batch_size=9)
    resumed.train.epoch = 2
    assert fit(resumed, epochs=3, initial_epoch=2)[0] == unbroken[2:]


def test_a_batch_keeps_its_index_within_an_epoch(numbered):
    train = load(numbered(), batch_size=9).train
    train.on_epoch_begin()
    batches = {index: train[index][1].tolist() for index in (3, 0, 4)}
    assert train[0][1].tolist() == batches[0]  # Looking twice takes no batch from the epoch.
    batches |= {index: train[index][1].tolist() for index in (1, 2)}
    assert len(set(sum(batches.values(), []))) == 45
    assert [batches[index] for index in (3, 0, 4, 1, 2)] == read(
        load(numbered(), batch_size=9).train
    )


def test_train_drops_the_short_batch_and_test_keeps_it(numbered):
    data = load(numbered(), batch_size=4)
    assert (data.num_train, data.num_test) == (45, 5)
    assert [len(labels) for labels in read(data.train)] == [4] * 11
    assert [len(labels) for labels in read(data.test)] == [4, 1]


def test_fewer_images_than_a_batch_make_one_batch(numbered):
    data = load(numbered(), batch_size=100)
    assert [len(labels) for labels in read(data.train)] == [45]
    assert data.batch_size == 100


def test_without_labels_a_batch_is_images_alone(numbered):
    data = load(numbered()[0], batch_size=9)
    assert [len(batch) for batch in (data.train[0], data.test[0])] == [1, 1]


def test_index_out_of_range(numbered):
    data = load(numbered(), batch_size=9)
    for batches in (data.train, data.test):
        with pytest.raises(IndexError, match=f"index={len(batches)}"):
            batches[len(batches)]


def test_negative_epoch(numbered):
    with pytest.raises(ValueError, match="Received: epoch=-1"):
        load(numbered()).train.epoch = -1


def test_resume_starts_the_next_pass_in_the_middle_of_its_epoch():
    data, plain = (load("digits", batch_size=300).train for _ in range(2))
    data.resume(3, batch=2)
    seen = []
    for epoch in (3, 4):
        data.on_epoch_begin()
        seen.append([data[i] for i in range(data.num_batches)])
        data.on_epoch_end()
        plain.epoch = epoch
        expected = list(plain)[2 if epoch == 3 else 0 :]
        assert read(seen[-1]) == read(expected)
    assert data.epoch == 5 and len(data) == data.num_batches == 5


@pytest.mark.parametrize("batch", [-1, 5])
def test_resume_at_a_batch_that_is_not_there(batch):
    with pytest.raises(ValueError, match=f"There are 5 batches. Received: batch={batch}"):
        load("digits", batch_size=300).train.resume(0, batch)
