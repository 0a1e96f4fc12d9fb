"""The VAE/GAN."""

import keras
from keras import ops

from kgen import networks, posteriors, priors
from kgen.losses import (
    minimax_discriminator_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
)
from kgen.models import output_range
from kgen.models.autoencoders.encoder_decoder import EncoderDecoder
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import SamplesPrior
from kgen.models.network_check import check_network
from kgen.models.scalar import Scalar


@keras.saving.register_keras_serializable("kgen")
class VAEGAN(SamplesPrior, EncoderDecoder):
    """VAE/GAN: a VAE whose error is that of a discriminator's features, and a GAN on its decoder.

    The discriminator D tells images x from reconstructions x~ and from samples x_p of the prior; of
    its features f the reconstruction error is 1/2 ||f(x) - f(x~)||^2. Each of three players moves
    by its own loss, of one pass (algorithm 1):

        KL(q(z|x) || p(z)) + error                                     the encoder
        feature_weight * error - log D(x~) - log D(x_p)                the decoder
        -log D(x) - log(1 - D(x~)) - log(1 - D(x_p))                   the discriminator

    So the encoder knows nothing of the GAN, and the discriminator nothing of the error, whose
    gradient goes through it. The decoder's part is the one that does not saturate.

    Args:
        image_shape: tuple (height, width, channels), height and width of at least 8.
        latent_dim: int. Length of z. Defaults to 128.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            2 * latent_dim), means and then log-variances; or None for the preset.
        decoder: keras.Model from (batch, latent_dim) to images (batch, height, width, channels) in
            [-1, 1], or None for the preset, a DCGAN's generator.
        discriminator: keras.Model from images in [-1, 1] to the list of logits (batch, 1) and
            features (batch, n), or None for the preset, a DCGAN's.
        feature_weight: float or a Keras schedule. The paper's gamma. Defaults to 0.01.
        width: int. Channels of the presets' layers next to the image. Defaults to 64, from 64x64
            on to 128, and of the encoder to 32.
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it all networks take `[input, condition]`.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.VAEGAN(image_shape=(8, 8, 1), latent_dim=4, width=8)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.reconstruct(images).shape
    (64, 8, 8, 1)

    Reference: Larsen et al., Autoencoding beyond Pixels Using a Learned Similarity Metric, 2015.
    https://arxiv.org/abs/1512.09300
    """

    log_names = (
        "encoder_loss",
        "decoder_loss",
        "discriminator_loss",
        "feature_error",
        "kl_loss",
        "real_accuracy",
        "fake_accuracy",
    )
    default_batch_size = 64
    default_architecture = "convolutional"
    feature_weight = Scalar()

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 128,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        feature_weight: float = 0.01,
        width: int | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        family = posteriors.Normal()
        super().__init__(
            image_shape,
            latent_dim,
            encoder,
            decoder,
            encoded_size=family.num_outputs(latent_dim),
            meanings={"encoder": family.meaning},
            unbounded=("encoder",),
            architecture="convolutional",
            width=width,
            also_sized=[discriminator],
            prior=priors.get("normal", latent_dim),
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.family = family
        self.feature_weight = feature_weight
        if discriminator is None:
            with preset_dtype(self.dtype_policy):
                discriminator = networks.dcgan_discriminator(
                    self.image_shape, self.width, condition=self.condition, with_features=True
                )
        check_network(
            "discriminator",
            discriminator,
            self.image_shape,
            (1,),
            ("n",),
            beside=[self.condition],
            gives=output_range.NUMBERS,
        )
        self.discriminator = discriminator

    def decoder_preset(self, output_shape):
        return networks.dcgan_generator(
            self.code_size, output_shape, self.width, condition=self.condition, name="decoder"
        )

    def players(self):
        return {
            "encoder": [self.encoder],
            "decoder": [self.decoder],
            "discriminator": [self.discriminator],
        }

    def default_optimizers(self):
        # The authors' code has RMSprop at 3e-4.
        return {player: keras.optimizers.RMSprop(3e-4, name=player) for player in self.players()}

    def training_step(self, x, y, noise):
        self.minimize_together(self.losses_of_all, [*self.players()], x, y, noise)

    def evaluation_step(self, x, y, noise):
        self.losses_of_all(x, y, noise, training=False)

    def losses_of_all(self, x, y, noise, training=True):
        """The losses of encoder, decoder and discriminator on images in [0, 1]; logs them."""
        q = self.family.draw(self._read_network(self.encoder, x, y, training), noise, 1)
        z = self.prior.draw(noise, ops.shape(x)[0])
        fakes = [self._read_network(self.decoder, each, y, training) for each in (q.z[:, 0], z)]
        real, features = self._judge(2.0 * x - 1.0, y, training)
        (copied, of_copies), (sampled, _) = (self._judge(each, y, training) for each in fakes)
        error = 0.5 * ops.sum(ops.square(features - of_copies), axis=-1)
        kl = q.kl()
        fooling = sum(non_saturating_generator_loss(each) for each in (copied, sampled))
        losses = {
            "encoder_loss": kl + error,
            "decoder_loss": self.now("feature_weight") * error + fooling,
            "discriminator_loss": minimax_discriminator_loss(real, copied)
            - minimax_generator_loss(sampled),
        }
        self.log(
            **losses,
            feature_error=error,
            kl_loss=kl,
            real_accuracy=real > 0.0,
            fake_accuracy=ops.concatenate([copied, sampled], axis=1) < 0.0,
        )
        return [ops.mean(loss) for loss in losses.values()]

    def _judge(self, x, y, training):
        outputs = self.discriminator(self.join(x, y), training=training)
        return [ops.cast(each, "float32") for each in outputs]

    def _encode(self, x, y, training=False):
        return self.family.center(self._read_network(self.encoder, x, y, training))

    def _decode(self, z, y, training=False):
        images = 0.5 * (self._read_network(self.decoder, z, y, training) + 1.0)
        return ops.clip(images, 0.0, 1.0)  # of a decoder of the user's own

    def get_config(self):
        config = super().get_config()
        del config["architecture"], config["depth"]
        return config | {
            "discriminator": self.discriminator,
            "feature_weight": self.feature_weight,
        }
