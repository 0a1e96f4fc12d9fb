"""The autoencoder: images through a bottleneck."""

import keras
from keras import ops

from kgen.models.autoencoders.encoder_decoder import EncoderDecoder


@keras.saving.register_keras_serializable("kgen")
class Autoencoder(EncoderDecoder):
    """Autoencoder: an encoder to a short code and a decoder back, trained on squared error.

    It minimises  1/2 ||x - sigmoid(decoder(encoder(x)))||^2,  summed over pixels. Unlike the paper,
    which fine-tunes with cross-entropy, squared error serves grey and colour images alike.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of the code. Defaults to 32.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            latent_dim), or None for the preset.
        decoder: keras.Model from (batch, latent_dim) to logits (batch, height, width, channels),
            or None for the preset.
        architecture: "dense" or "convolutional". The presets. Defaults to "dense".
        width: int. Units of the dense presets' layers, 200 by default; channels of the
            convolutional ones next to the image, 32 by default.
        depth: int. Layers of the dense presets, 2 by default; the convolutional ones' follow from
            the image's size.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it both networks take `[input, condition]`.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.Autoencoder(image_shape=(8, 8, 1), latent_dim=4)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.reconstruct(images).shape
    (64, 8, 8, 1)

    Reference: Hinton & Salakhutdinov, Reducing the Dimensionality of Data with Neural Networks,
    2006. https://doi.org/10.1126/science.1127647
    """

    log_names = ("loss", "reconstruction_loss")
    default_batch_size = 50

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 32,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        architecture: str = "dense",
        width: int | None = None,
        depth: int | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            latent_dim,
            encoder,
            decoder,
            unbounded=("decoder",),
            architecture=architecture,
            width=width,
            depth=depth,
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )

    def players(self):
        return {"autoencoder": [self.encoder, self.decoder]}

    def default_optimizers(self):
        return {"autoencoder": keras.optimizers.Adam(1e-3, name="autoencoder")}

    def training_step(self, x, y, noise):
        self.minimize(self.squared_error, "autoencoder", x, y)

    def evaluation_step(self, x, y, noise):
        self.squared_error(x, y, training=False)

    def squared_error(self, x, y, training=True):
        """1/2 ||x - reconstruction||^2, averaged over the batch; logs it."""
        error = 0.5 * ops.square(x - self._reconstruct(x, y, training=training))
        error = ops.sum(error, axis=(1, 2, 3))
        self.log(loss=error, reconstruction_loss=error)
        return ops.mean(error)

    def _encode(self, x, y, training=False):
        return self._read_network(self.encoder, x, y, training)

    def _decode(self, z, y, training=False):
        return ops.sigmoid(self._read_network(self.decoder, z, y, training))
