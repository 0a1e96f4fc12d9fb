import numpy as np
import pytest

from kgen.models import latents


def test_lerp():
    start, end = np.array([1.0, 2.0]), np.array([3.0, -2.0])
    np.testing.assert_allclose(latents.lerp(start, end, 0.25), [1.5, 1.0])


@pytest.mark.parametrize(
    ("start", "end", "t", "expected"),
    [
        ([1.0, 0.0], [0.0, 1.0], 0.0, [1.0, 0.0]),
        ([1.0, 0.0], [0.0, 1.0], 0.5, [np.sqrt(0.5), np.sqrt(0.5)]),
        ([1.0, 0.0], [0.0, 1.0], 1 / 3, [np.cos(np.pi / 6), 0.5]),
        ([1.0, 0.0], [-0.5, np.sqrt(0.75)], 0.5, [0.5, np.sqrt(0.75)]),
        # Lengths 2 and 4: at t = 1/4 length 2.5 and an eighth of the half-turn.
        ([2.0, 0.0], [0.0, 4.0], 0.25, [2.5 * np.cos(np.pi / 8), 2.5 * np.sin(np.pi / 8)]),
        ([0.6, 0.8], [0.6, 0.8], 0.3, [0.6, 0.8]),
        ([1.0, 1.0], [3.0, 3.0], 0.5, [2.0, 2.0]),
        ([1.0, 0.0], [-1.0, 0.0], 0.25, [0.5, 0.0]),
        ([0.0, 0.0], [0.0, 0.0], 0.5, [0.0, 0.0]),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_slerp(start, end, t, expected, dtype):
    found = latents.slerp(np.array(start, dtype), np.array(end, dtype), t)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_slerp_keeps_the_length_of_each_pair():
    start, end = np.random.default_rng(0).standard_normal((2, 6, 1, 5))
    end *= np.linalg.norm(start, axis=-1, keepdims=True) / np.linalg.norm(
        end, axis=-1, keepdims=True
    )
    end[0], end[1] = start[0], -start[1]  # straight lines among the arcs
    t = np.linspace(0.0, 1.0, 4)[None, :, None]
    way = latents.slerp(start, end, t)
    assert way.shape == (6, 4, 5)
    lengths = np.linalg.norm(way, axis=-1)
    arcs = np.delete(np.arange(6), 1)
    np.testing.assert_allclose(lengths[arcs], np.tile(lengths[arcs, :1], (1, 4)))
    np.testing.assert_allclose(way[:, 0], start[:, 0], atol=1e-12)
    np.testing.assert_allclose(way[:, -1], end[:, 0], atol=1e-12)
