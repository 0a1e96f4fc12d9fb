"""What the client's verbs send, by what the model's signature takes."""

import numpy as np
import pytest

from kgen.seeds import seeds_of
from kgen.serving import Client

pytestmark = pytest.mark.anywhere
IMAGE = "float32", (None, 2, 2, 1)
Z, CODE, SEED = ("float32", (None, 3)), ("int32", (None, 1, 2)), ("int64", (None,))


class Recorder:
    """Stands in a server's place, and keeps what it was sent."""

    def __init__(self, signature, inputs):
        self.known = {signature: {"inputs": inputs, "outputs": {"image": IMAGE}}}

    def signatures(self):
        return self.known

    def predict(self, known, signature, part):
        self.sent = part
        return {"image": np.zeros((len(next(iter(part.values()))), 2, 2, 1))}


def sent(verb, inputs, *args, **kwargs):
    client = Client("localhost:1", "m")
    client._server = Recorder(verb, inputs)
    assert getattr(client, verb)(*args, **kwargs).shape == (2, 2, 2, 1)
    return client._server.sent


def test_decode_sends_vectors_or_codes_and_seeds():
    z, code = np.ones((2, 3), "float32"), np.array([[[0, 4]], [[2, 1]]])
    assert sent("decode", {"z": Z}, z).keys() == {"z"}
    found = sent("decode", {"code": CODE}, code)
    assert found["code"].dtype == "int32"
    np.testing.assert_array_equal(found["code"], code)
    with pytest.raises(ValueError, match=r"code of shape \(num, 1, 2\)"):
        sent("decode", {"code": CODE}, z)
    with pytest.raises(ValueError, match="int32 .*Received: float64 code"):
        sent("decode", {"code": CODE}, code + 0.5)
    for kwargs, seed in (({}, 0), ({"seed": 5}, 5)):
        found = sent("decode", {"z": Z, "seed": SEED}, z, **kwargs)
        np.testing.assert_array_equal(found["seed"], seeds_of(seed, 2))


def test_reconstruct_sends_seeds_where_pixels_are_drawn():
    images = np.zeros((2, 2, 2, 1))
    assert sent("reconstruct", {"image": IMAGE}, images).keys() == {"image"}
    found = sent("reconstruct", {"image": IMAGE, "seed": SEED}, images, seed=[3, 7])
    np.testing.assert_array_equal(found["seed"], [3, 7])
