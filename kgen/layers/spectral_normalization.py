"""Spectral normalization once a step."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("kgen")
class SpectralNormalization(keras.layers.SpectralNormalization):
    """`keras.layers.SpectralNormalization` that a model runs once a step, not in every call.

    Keras' layer divides its kernel by the largest singular value and writes it back whenever it is
    called in training. A loss calls a discriminator on real images and on fakes: the kernel would
    change between the two, and PyTorch cannot differentiate through that. Unlike the paper, and
    like Keras' layer, the kernel itself is divided, with no gradient through the singular value.

    Args:
        layer: keras.layers.Layer with a kernel or embeddings.
        power_iterations: int. Iterations for the largest singular value. Defaults to 1.

    Example:
    >>> layer = kgen.layers.SpectralNormalization(keras.layers.Dense(3, use_bias=False), 100)
    >>> y = layer(np.random.rand(8, 4))
    >>> layer.normalize()
    >>> kernel = keras.ops.convert_to_numpy(layer.layer.kernel)
    >>> round(float(np.linalg.norm(kernel, 2)), 3)
    1.0

    Reference: Miyato et al., Spectral Normalization for Generative Adversarial Networks, 2018.
    https://arxiv.org/abs/1802.05957
    """

    def call(self, inputs, training=False):
        return self.layer(inputs)  # whose type stays, also where it is wider than the inputs'

    def normalize(self):
        """Divides the kernel by its largest singular value, unless it is all zero."""
        before = self.vector_u.value, self.kernel.value
        is_zero = ops.all(ops.equal(self.kernel.value, 0))
        after = self.normalized_weights()
        self.vector_u.assign(ops.where(is_zero, before[0], after[0]))
        self.kernel.assign(ops.where(is_zero, before[1], after[1]))


def spectral_layers(layers):
    """Those of some layers that a model normalises after each step.

    Args:
        layers: list of keras.layers.Layer.

    Returns:
        list of `SpectralNormalization`.

    Raises:
        ValueError: one is Keras' own.
    """
    found = [layer for layer in layers if isinstance(layer, keras.layers.SpectralNormalization)]
    for layer in found:
        if not isinstance(layer, SpectralNormalization):
            raise ValueError(
                "Expected kgen.layers.SpectralNormalization in place of Keras', which changes its "
                f"kernel between real images and fakes. Received: layer={layer.name}"
            )
    return found
