"""The family of models of an encoder to a short code and a decoder back."""

from kgen import networks
from kgen.models.autoencoders.reconstructs import Reconstructs
from kgen.models.image_model import preset_dtype
from kgen.models.network_check import check_network, check_preset_only
from kgen.models.output_range import NUMBERS

ARCHITECTURES = ("dense", "convolutional")


class EncoderDecoder(Reconstructs):
    """An encoder and a decoder, each one network.

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
        also_sized: other networks that `width` sizes, None for a preset.
        **kwargs: those of `LatentModel`.
    """

    default_batch_size = 50
    default_architecture = "dense"  # with which networks of one's own may come
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
        also_sized=(),
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
        self.set_sizes(encoder, decoder, *also_sized, width=width)
        self.set_sizes(encoder, decoder, depth=depth)
        own = None if None in (encoder, decoder, *also_sized) else encoder
        chosen = None if architecture == self.default_architecture else architecture
        check_preset_only(own, "architecture", chosen)
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
            others = {"beside": [self.condition], "meaning": meaning, "gives": gives}
            check_network(name, network, takes, maps_to, **others)

    def encoder_preset(self, outputs, name="encoder"):
        """A network from images to (batch, outputs)."""
        makers = networks.dense_encoder, networks.convolutional_encoder
        return self._preset(*makers, self.image_shape, outputs, name=name)

    def decoder_preset(self, output_shape):
        """A network from codes to (batch, *output_shape)."""
        makers = networks.dense_decoder, networks.convolutional_decoder
        return self._preset(*makers, self.code_size, output_shape)

    def dense_sizes(self):
        """The arguments of a dense preset that say its layers."""
        units = (self.depth or 2) * (self.width or self.dense_units,)
        return {"units": units, "activation": self.dense_activation}

    def _preset(self, dense, convolutional, *args, **kwargs):
        kwargs |= {
            "condition": self.condition,
            "batch_normalization": self.batch_normalization,
        }
        if self.architecture == "dense":
            return dense(*args, **self.dense_sizes(), **kwargs)
        return convolutional(*args, filters=self.width or 32, **kwargs)

    def get_config(self):
        return super().get_config() | {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "architecture": self.architecture,
            "width": self.width,
            "depth": self.depth,
        }
