"""The random numbers of served models."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("TensorFlow writes SavedModels", allow_module_level=True)

import tensorflow as tf

from kgen.export.noise import Noise, threefry


def words(*values):
    return [tf.constant(value, tf.uint32) for value in values]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((2**32 - 1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_authors_known_answers(key, counter, expected):
    assert tuple(map(int, threefry(words(*key), words(*counter)))) == expected


@tf.function
def draws(seeds):
    noise, num = Noise(seeds), tf.shape(seeds)[0]
    return [
        noise.standard_normal((num, 4)),
        noise.random((num, 3, 1)),
        noise.uniform(-2.0, 3.0, (num, 3)),
        noise.integers(2, 7, (num, 4)),
        noise.random((num, 3)),
    ]


def test_noise_is_distributed_as_it_should_be():
    seeds = np.r_[-2000:2000, 2**62 - 2000 : 2**62 + 2000]
    normal, random, uniform, integers, again = (t.numpy() for t in draws(tf.constant(seeds)))
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    assert abs((normal**3).mean()) < 0.06 and abs((normal**4).mean() - 3) < 0.15
    assert random.min() >= 0 and random.max() < 1 and abs(random.mean() - 0.5) < 0.01
    assert uniform.min() >= -2 and uniform.max() < 3 and abs(uniform.mean() - 0.5) < 0.04
    assert np.all(np.abs(np.bincount(integers.ravel())[2:] / integers.size - 0.2) < 0.01)
    assert integers.min() == 2 and integers.max() == 6
    # Neither columns, nor draws, nor the next seeds have to do with each other.
    columns = np.concatenate([normal, random[..., 0], uniform, integers, again], axis=1)
    columns = np.concatenate([columns, np.roll(columns, 1, axis=0)], axis=1)
    correlation = np.corrcoef(columns.T) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 0.06
    assert len(np.unique(normal)) > 0.999 * normal.size


def test_noise_is_of_its_seed_alone():
    seeds = np.array([7, -3, 2**62, 0])
    every = draws(tf.constant(seeds))
    for whole, part in zip(every, draws(tf.constant(seeds[[2, 1]])), strict=True):
        # A processor's sines of several numbers at a time differ in the last bit.
        np.testing.assert_allclose(whole.numpy()[[2, 1]], part, rtol=0, atol=1e-6)
    assert [t.shape[1:] for t in every] == [(4,), (3, 1), (3,), (4,), (3,)]
