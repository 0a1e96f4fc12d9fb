"""Penalties on a network's gradient with respect to its input: one value an example."""

import keras
from keras import ops

from kgen import backend


def half_squared_norm(gradient):
    """1/2 ||gradient||^2 of each example, (batch,), from a tensor (batch, ...)."""
    return 0.5 * _squared_norm(gradient)


def _squared_norm(gradient):
    is_double = keras.backend.standardize_dtype(gradient.dtype) == "float64"
    gradient = ops.cast(gradient, "float64" if is_double else "float32")
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def gradient_penalty(critic, x, x_fake, eps, center=1.0):
    """(||grad D(x_hat)||_2 - center)^2 at x_hat = eps x + (1 - eps) x_fake.

    Args:
        critic: callable from x_hat to logits (batch, 1).
        x: tensor (batch, ...). Real images.
        x_fake: tensor of the same shape.
        eps: tensor (batch,), uniform in [0, 1]: one an image.
        center: float. The norm that costs nothing.

    Returns:
        Tensor of shape (batch,), finite in value and gradient where the critic is flat.

    Reference: Gulrajani et al., Improved Training of Wasserstein GANs, 2017, eq. 3.
    https://arxiv.org/abs/1704.00028
    """
    eps = ops.reshape(eps, (-1,) + (1,) * (len(x.shape) - 1))
    x_hat = eps * x + (1.0 - eps) * x_fake
    norm = ops.sqrt(
        _squared_norm(backend.input_gradient(critic, x_hat)) + 1e-12
    )  # the root has no slope at 0
    return ops.square(norm - center)


def r1_penalty(discriminator, x):
    """1/2 ||grad D(x)||^2 at real images: R1; at fakes it is R2.

    Args:
        discriminator: callable from images to logits (batch, 1).
        x: tensor (batch, ...). Images.

    Returns:
        Tensor of shape (batch,).

    Reference: Mescheder et al., Which Training Methods for GANs do actually Converge?, 2018, eq. 9.
    https://arxiv.org/abs/1801.04406
    """
    return half_squared_norm(backend.input_gradient(discriminator, x))
