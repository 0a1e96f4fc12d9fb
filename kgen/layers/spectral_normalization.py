"""Spectral normalization once a step."""

import keras


@keras.saving.register_keras_serializable("kgen")
class SpectralNormalization(keras.layers.SpectralNormalization):
    """`keras.layers.SpectralNormalization` that a model runs once a step, not in every call.

    Keras' layer divides its kernel by the largest singular value and writes it back whenever it is
    called in training. A loss calls a discriminator on real images and on fakes: the kernel would
    change between the two, and PyTorch cannot differentiate through that.

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
        return super().call(inputs, training=False)

    def normalize(self):
        """Divides the kernel by its largest singular value."""
        vector_u, kernel = self.normalized_weights()
        self.vector_u.assign(vector_u)
        self.kernel.assign(kernel)
