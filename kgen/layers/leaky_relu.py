"""Leaky ReLU that TensorFlow can fuse with the convolution before it."""

import keras

from kgen import backend


@keras.saving.register_keras_serializable("kgen")
class LeakyReLU(keras.layers.LeakyReLU):
    """`keras.layers.LeakyReLU` with the same arguments and numbers.

    Its gradient is computed from what it gives, which has the sign of what it gets. Where it is
    computed from that, TensorFlow's optimizer of graphs fails to fuse it with a convolution, and
    says so on the screen.

    Args:
        negative_slope: float above 0. Defaults to 0.3.

    Example:
    >>> y = kgen.layers.LeakyReLU(0.5)(np.array([[-2.0, 0.0, 3.0]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[-1.0, 0.0, 3.0]]

    Reference: Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013.
    """

    def call(self, inputs):
        return backend.leaky_relu(inputs, self.negative_slope)
