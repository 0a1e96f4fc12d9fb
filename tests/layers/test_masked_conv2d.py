import keras
import numpy as np
import pytest
from keras import ops

from kgen.layers import MaskedConv2D


def test_the_mask_hides_weights_and_leaves_them():
    layer = MaskedConv2D(2, 3, mask="A")
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 1)).astype("float32")
    before = ops.convert_to_numpy(layer(x))
    kernel = ops.convert_to_numpy(layer.kernel).copy()
    kernel[1, 1:] = kernel[2] = 1e6
    layer.kernel.assign(kernel)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(x)), before)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.kernel), kernel)


@pytest.mark.parametrize("mask", ["A", "B"])
@pytest.mark.parametrize(("size", "colors", "gates"), [(3, 1, 1), (5, 3, 1), ((1, 3), 3, 2)])
def test_a_masked_convolution_is_one_with_a_masked_kernel(mask, size, colors, gates):
    layer = MaskedConv2D(8, size, mask, colors, gates)
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 4)).astype("float32")
    found = ops.convert_to_numpy(layer(x))
    kernel = ops.convert_to_numpy(layer.kernel).copy()
    height, width = kernel.shape[:2]
    for i, o in np.ndindex(4, 8):
        color_in, color_out = i % colors, o % (8 // gates) % colors
        kernel[height // 2, width // 2 + 1 :, i, o] = kernel[height // 2 + 1 :, :, i, o] = 0
        if color_in > color_out or (color_in == color_out and mask == "A"):
            kernel[height // 2, width // 2, i, o] = 0
    expected = ops.conv(x, kernel, padding="same", data_format="channels_last")
    np.testing.assert_allclose(found, ops.convert_to_numpy(expected), atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Only TensorFlow traces sizes it does not know."
)
def test_a_masked_convolution_of_unknown_size():
    import tensorflow as tf

    layer = MaskedConv2D(2, 3, "B")
    x = np.random.default_rng(0).random((2, 5, 4, 1), dtype="float32")
    expected = layer(x)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 1))])
    np.testing.assert_allclose(traced(x), expected, rtol=0, atol=1e-6)
