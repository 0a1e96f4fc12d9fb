"""The autoencoder: images through a bottleneck."""

import keras
from keras import ops

from kgen import networks
from kgen.models.generative_model import to_unit_range
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import LatentModel

PRESETS = {
    "dense": (networks.dense_encoder, networks.dense_decoder),
    "convolutional": (networks.convolutional_encoder, networks.convolutional_decoder),
}


@keras.saving.register_keras_serializable("kgen")
class Autoencoder(LatentModel):
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
        network: "dense" or "convolutional". The presets. Defaults to "dense".
        num_classes: int or None. With it both networks take `[input, label]`.
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
        network: str = "dense",
        num_classes: int | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, num_classes=num_classes, seed=seed, **kwargs)
        if network not in PRESETS:
            raise ValueError(f"Expected network in {list(PRESETS)}. Received: network={network!r}")
        self.network = network
        build_encoder, build_decoder = PRESETS[network]
        encoded_size, decoded_shape = self._encoded_size(), self._decoded_shape()
        with preset_dtype(self.dtype_policy):
            self.encoder = encoder or build_encoder(
                self.image_shape, encoded_size, num_classes=num_classes
            )
            self.decoder = decoder or build_decoder(
                latent_dim, decoded_shape, num_classes=num_classes
            )
        self.check_network("encoder", self.image_shape, (encoded_size,))
        self.check_network("decoder", (latent_dim,), decoded_shape)
        self.built = True

    def _encoded_size(self):
        return self.latent_dim

    def _decoded_shape(self):
        return self.image_shape

    def players(self):
        return {"autoencoder": [self.encoder, self.decoder]}

    def default_optimizers(self):
        return {"autoencoder": keras.optimizers.Adam(1e-3, name="autoencoder")}

    def call(self, inputs, training=False):
        """Reconstructs images, or `[images, labels]`, inside another Keras model."""
        x, y = (inputs, None) if self.num_classes is None else inputs
        return self._reconstruct(to_unit_range(x), y, training=training)

    def training_step(self, x, y):
        self.minimize(self.squared_error, "autoencoder", x, y, True)

    def evaluation_step(self, x, y):
        self.squared_error(x, y, False)

    def squared_error(self, x, y, training):
        """1/2 ||x - reconstruction||^2, averaged over the batch; logs it."""
        error = 0.5 * ops.square(x - self._reconstruct(x, y, training=training))
        error = ops.sum(error, axis=(1, 2, 3))
        self.log(loss=error, reconstruction_loss=error)
        return ops.mean(error)

    def encode(self, images, labels=None, batch_size=256):
        """The codes of images.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, latent_dim).
        """
        x = self.prepare_images(images)
        y = self.prepare_labels(labels, len(x))
        return self.run_in_batches(self._encode, [x, y], batch_size)

    def reconstruct(self, images, labels=None, batch_size=256):
        """Images encoded and decoded again.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        x = self.prepare_images(images)
        y = self.prepare_labels(labels, len(x))
        return self.run_in_batches(self._reconstruct, [x, y], batch_size)

    def _encode(self, x, y, training=False):
        return ops.cast(self.encoder(self.join(x, y), training=training), "float32")

    def _decode(self, z, y, training=False):
        return ops.sigmoid(ops.cast(self.decoder(self.join(z, y), training=training), "float32"))

    def _reconstruct(self, x, y, training=False):
        return self._decode(self._encode(x, y, training=training), y, training=training)

    def signatures(self):
        def encode(y, image):
            return {"code": self._encode(image, y)}

        def reconstruct(y, image):
            return {"image": self._reconstruct(image, y)}

        image = {"image": self.image_input}
        return super().signatures() | {
            "encode": (encode, image),
            "reconstruct": (reconstruct, image),
        }

    def get_config(self):
        return super().get_config() | {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "network": self.network,
        }
