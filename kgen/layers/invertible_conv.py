"""A learned rotation of the channels."""

import keras
import numpy as np
from keras import ops
from scipy.linalg import lu

from kgen.layers.bijection import Bijection, alike


@keras.saving.register_keras_serializable("kgen")
class InvertibleConv(Bijection):
    """A 1x1 convolution of as many channels as there are: z = W x at each pixel.

    W = P L (U + diag(s)), eq. 10: P a permutation and the signs of s stay as they are at first,
    where W is a random rotation. So the determinant is a product, and W has an inverse always.

    (batch, height, width, channels) -> the same shape, and log|det| (batch,).

    Example:
    >>> layer = kgen.layers.InvertibleConv()
    >>> z, log_det = layer(np.ones((1, 4, 4, 3), "float32"))
    >>> np.allclose(keras.ops.convert_to_numpy(layer.inverse(z)), 1.0, atol=1e-5)
    True

    Reference: Kingma & Dhariwal, Glow: Generative Flow with Invertible 1x1 Convolutions, 2018,
    section 3.2. https://arxiv.org/abs/1807.03039
    """

    def build(self, x_shape, y_shape=None):
        channels = x_shape[-1]
        drawn = keras.initializers.Orthogonal()((channels, channels), dtype="float32")
        p, lower, upper = lu(ops.convert_to_numpy(drawn).astype("float64"))
        diagonal = np.diag(upper)

        def weight(name, value, **kwargs):
            found = self.add_weight(shape=value.shape, initializer="zeros", name=name, **kwargs)
            found.assign(value)
            return found

        stays = {"dtype": "int32", "trainable": False}
        self.order = weight("order", p.argmax(axis=1), **stays)
        self.sign = weight("sign", np.sign(diagonal), **stays)
        self.lower = weight("lower", np.tril(lower, -1))
        self.upper = weight("upper", np.triu(upper, 1))
        self.log_scale = weight("log_scale", np.log(np.abs(diagonal)))

    def factors(self):
        """P, L and U + diag(s), tensors (channels, channels)."""
        channels, dtype = self.sign.shape[0], self.compute_dtype
        eye, sign = ops.eye(channels, dtype=dtype), ops.cast(self.sign, dtype)
        lower = ops.tril(self.lower, -1) + eye
        upper = ops.triu(self.upper, 1) + eye * (sign * ops.exp(self.log_scale))
        return ops.one_hot(self.order, channels, dtype=dtype), lower, upper

    def call(self, x, y=None):
        p, lower, upper = self.factors()
        _, height, width, _ = x.shape
        matrix = ops.einsum("ij,jk,kl->il", p, lower, upper)
        log_det = height * width * ops.sum(self.log_scale)
        return self._at_each_pixel(matrix, x), alike(x, log_det)

    def inverse(self, z, y=None):
        p, lower, upper = self.factors()
        inverse = ops.solve_triangular(lower, ops.transpose(p), lower=True)
        inverse = ops.solve_triangular(upper, inverse)
        return self._at_each_pixel(inverse, z)

    def _at_each_pixel(self, matrix, x):
        # Not by matmul, which on PyTorch rounds float64 to float32 in Keras.
        return ops.einsum("oi,bhwi->bhwo", matrix, x)
