"""The family of models of an encoder to a short code and a decoder back."""

import numpy as np
from keras import ops

from kgen import networks, pictures
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import Encodes, LatentModel
from kgen.models.output_range import NUMBERS

ARCHITECTURES = ("dense", "convolutional")


class EncoderDecoder(Encodes, LatentModel):
    """An encoder and a decoder, and what both answer together.

    A subclass says in `_encode(x, y, training)` and `_decode(z, y, training)` what their outputs
    mean, as tensors.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of the code.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            encoded_size), or None for the preset.
        decoder: keras.Model from (batch, latent_dim) to (batch, *decoded_shape), or None for the
            preset.
        encoded_size: int. Defaults to `latent_dim`.
        decoded_shape: tuple (height, width, n). Defaults to `image_shape`.
        meanings: dict. What is in the outputs of "encoder" and "decoder", in words.
        unbounded: of "encoder" and "decoder", what gives numbers of any size.
        architecture: "dense" or "convolutional". The presets.
        width: int. Units of the dense presets' layers, `dense_units` by default; channels of the
            convolutional ones next to the image, 32 by default.
        depth: int. Layers of the dense presets, 2 by default; the convolutional ones' follow from
            the image's size.
        **kwargs: those of `LatentModel`.
    """

    default_batch_size = 50
    dense_units, dense_activation = 200, "tanh"  # of the dense presets
    batch_normalization = False  # of the presets

    def __init__(
        self,
        image_shape,
        latent_dim,
        encoder,
        decoder,
        encoded_size=None,
        decoded_shape=None,
        meanings=None,
        unbounded=(),
        architecture="dense",
        width=None,
        depth=None,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, **kwargs)
        if architecture not in ARCHITECTURES:
            raise ValueError(
                f"Expected architecture in {ARCHITECTURES}. Received: architecture={architecture!r}"
            )
        if architecture != "dense" and depth is not None:
            raise ValueError(
                "Expected no depth of convolutional presets, which follows from the image's size. "
                f"Received: {depth=}"
            )
        self.set_sizes(encoder, decoder, width=width, depth=depth)
        self.architecture = architecture
        encoded_size = encoded_size or self.latent_dim
        decoded_shape = decoded_shape or self.image_shape
        with preset_dtype(self.dtype_policy):
            self.encoder = encoder or self.encoder_preset(encoded_size)
            self.decoder = decoder or self.decoder_preset(decoded_shape)
        for name, network, takes, maps_to in (
            ("encoder", self.encoder, self.image_shape, (encoded_size,)),
            ("decoder", self.decoder, (self.code_size,), decoded_shape),
        ):
            meaning = (meanings or {}).get(name, "")
            gives = NUMBERS if name in unbounded else None
            self.check_network(name, network, takes, maps_to, meaning=meaning, gives=gives)

    def encoder_preset(self, outputs, name="encoder"):
        """A network from images to (batch, outputs)."""
        makers = networks.dense_encoder, networks.convolutional_encoder
        return self._preset(*makers, self.image_shape, outputs, name=name)

    def decoder_preset(self, output_shape):
        """A network from codes to (batch, *output_shape)."""
        makers = networks.dense_decoder, networks.convolutional_decoder
        return self._preset(*makers, self.code_size, output_shape)

    def _preset(self, dense, convolutional, *args, **kwargs):
        kwargs |= {
            "condition": self.condition,
            "batch_normalization": self.batch_normalization,
        }
        if self.architecture == "dense":
            units = (self.depth or 2) * (self.width or self.dense_units,)
            return dense(*args, units=units, activation=self.dense_activation, **kwargs)
        return convolutional(*args, filters=self.width or 32, **kwargs)

    def _reconstruct(self, x, y, training=False):
        return self._decode(self._encode(x, y, training=training), y, training=training)

    def __call__(self, inputs, *others, **kwargs):
        is_pair = isinstance(inputs, (list, tuple))
        if others or is_pair != (self.condition is not None) or (is_pair and len(inputs) != 2):
            takes = "images" if self.condition is None else "[images, labels]"
            raise ValueError(
                f"Expected model({takes}, training=...) or a verb, as reconstruct(images, labels). "
                f"Received: {[type(each).__name__ for each in (inputs, *others)]}"
            )
        x, y = inputs if is_pair else (inputs, None)
        if isinstance(x, np.ndarray):
            x, y = self.check_inputs(x, y)
        return super().__call__([x, y] if is_pair else x, **kwargs)

    def call(self, inputs, training=False):
        """Reconstructs images, or `[images, condition]`, inside another Keras model.

        NumPy arrays are checked as `fit` checks them, tensors are not.
        """
        x, y = (inputs, None) if self.condition is None else inputs
        return self._reconstruct(*self.inputs(x, y), training=training)

    def predict(self, x, batch_size=None, verbose="auto"):
        """`reconstruct` by Keras' name, of arrays; of a conditional model's `[images, labels]`."""
        is_pair = isinstance(x, (list, tuple)) and len(x) == 2
        images, labels = x if self.condition is not None and is_pair else (x, None)
        return self.reconstruct(images, labels, batch_size=batch_size or 256)

    def reconstruct(self, images, labels=None, *, batch_size=256):
        """Images encoded and decoded again.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        return self.answer("reconstruct", labels, batch_size=batch_size, image=images)["image"]

    def _read_network(self, network, x, y, training):
        return ops.cast(network(self.join(x, y), training=training), "float32")

    def report(self, data):
        images, labels = self.examples(data, 32)
        picture = pictures.reconstructions(self, images, labels)
        return super().report(data) | {"reconstructions.png": picture}

    def signatures(self):
        def reconstruct(y, image):
            return {"image": self._reconstruct(image, y)}

        return super().signatures() | {"reconstruct": (reconstruct, {"image": self.image})}

    def get_config(self):
        return super().get_config() | {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "architecture": self.architecture,
            "width": self.width,
            "depth": self.depth,
        }
