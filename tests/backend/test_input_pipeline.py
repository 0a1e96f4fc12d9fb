import keras
import numpy as np
import pytest

import kgen
from kgen import backend

BACKEND = keras.backend.backend()


def arrays(num=500):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (num, 2, 2, 1), dtype="uint8"), np.arange(num) % 5


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the others read the data set itself")
def test_blocks_hold_the_same_batches():
    data, plain = (kgen.data.load(arrays(), batch_size=7, seed=3) for _ in range(2))
    train, test = (backend.input_pipeline(part) for part in (data.train, data.test))
    for epoch in range(2):
        plain.train.epoch = epoch
        for expected, got in zip(plain.train, train, strict=True):
            for a, b in zip(expected, got, strict=True):
                np.testing.assert_array_equal(a, b)
    assert data.train.epoch == 2
    sizes = [len(images) for images, _ in test]
    assert sizes == [len(plain.test[i][0]) for i in range(len(plain.test))] and sizes[-1] < 7


def test_two_epochs_of_fit_are_two_epochs_of_the_data():
    seen = []

    class Watch(type(kgen.data.load(arrays()).train)):
        def _read(self, epoch, position):
            seen.append((epoch, position))
            return super()._read(epoch, position)

    data = kgen.data.load(arrays(40), batch_size=4)
    data.train.__class__ = Watch
    model = kgen.VAE(data.image_shape, latent_dim=1)
    model.compile()
    model.fit(data.train, epochs=2, verbose=0)
    assert set(seen) >= {(epoch, i) for epoch in (0, 1) for i in range(len(data.train))}
    assert data.train.epoch == 2


def test_other_data_is_left_as_it_is():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return (np.zeros((1, 2, 2, 1)),)

    for data in (Batches(), np.zeros((1, 2, 2, 1))):
        assert backend.input_pipeline(data) is data
