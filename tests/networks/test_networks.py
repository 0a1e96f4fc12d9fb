import keras
import numpy as np
import pytest
from keras import ops

from kgen import networks


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 9, 3), (28, 28, 1), (33, 12, 3)])
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_any_size(shape, kind):
    encoder = getattr(networks, f"{kind}_encoder")(shape, 6)
    decoder = getattr(networks, f"{kind}_decoder")(3, shape)
    assert encoder.output_shape == (None, 6)
    assert decoder.output_shape == (None, *shape)
    x = ops.zeros((2, *shape))
    assert decoder(encoder(x)[:, :3]).shape == (2, *shape)


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_labels_matter(kind):
    encoder = getattr(networks, f"{kind}_encoder")((8, 8, 1), 4, num_classes=3)
    decoder = getattr(networks, f"{kind}_decoder")(2, (8, 8, 1), num_classes=3)
    for network, x in ((encoder, np.ones((3, 8, 8, 1))), (decoder, np.ones((3, 2)))):
        y = ops.convert_to_numpy(network([x, np.arange(3)]))
        assert np.abs(y[0] - y[1]).max() > 1e-4 and np.abs(y[1] - y[2]).max() > 1e-4


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_outputs_stay_float32_in_mixed_precision(policy, kind):
    keras.config.set_dtype_policy(policy)
    encoder = getattr(networks, f"{kind}_encoder")((8, 8, 1), 4)
    decoder = getattr(networks, f"{kind}_decoder")(2, (8, 8, 1))
    assert encoder.layers[-2].compute_dtype == policy.removeprefix("mixed_")
    assert encoder(np.ones((1, 8, 8, 1))).dtype == decoder(np.ones((1, 2))).dtype
    assert keras.backend.standardize_dtype(decoder(np.ones((1, 2))).dtype) == "float32"


def test_the_dense_preset_has_the_size_of_burda_et_al():
    encoder = networks.dense_encoder((28, 28, 1), 100)
    decoder = networks.dense_decoder(50, (28, 28, 1))
    assert encoder.count_params() == 785 * 200 + 201 * 200 + 201 * 100
    assert decoder.count_params() == 51 * 200 + 201 * 200 + 201 * 784
