"""The bidirectional GAN, and adversarially learned inference."""

import keras
from keras import ops

from kgen import networks, posteriors, priors
from kgen.checks import flag
from kgen.fields import Vector
from kgen.losses import minimax_discriminator_loss
from kgen.models.autoencoders.encoder_decoder import EncoderDecoder
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import SamplesPrior
from kgen.models.network_check import check_network


@keras.saving.register_keras_serializable("kgen")
class BiGAN(SamplesPrior, EncoderDecoder):
    """Bidirectional GAN: a discriminator tells pairs (x, E(x)) from pairs (G(z), z).

    Neither encoder E nor decoder G ever sees what the other makes; where the discriminator D cannot
    tell their pairs apart, they are each other's inverse (theorem 2). Both want the pairs taken for
    each other's, with the labels of both kinds exchanged, and all move in one step:

        -E[log D(x, E(x))] - E[log(1 - D(G(z), z))]         for D
        -E[log D(G(z), z)] - E[log(1 - D(x, E(x)))]         for E and G

    With `stochastic` it is adversarially learned inference (Dumoulin et al. 2016,
    https://arxiv.org/abs/1606.00704), whose encoder gives a normal distribution of codes.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 50.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to codes (batch,
            latent_dim), with `stochastic` means and then log-variances (batch, 2 * latent_dim); or
            None for the preset.
        decoder: keras.Model, G, from (batch, latent_dim) to logits (batch, height, width,
            channels), or None for the preset.
        discriminator: keras.Model from `[image, z]`, images in [0, 1], to logits (batch, 1), or
            None for the preset.
        stochastic: bool. Whether the encoder draws its codes. Defaults to False.
        architecture: "dense" or "convolutional". The presets. Defaults to "dense".
        width: int. Units of the dense presets' layers, 1,024 by default; channels of the
            convolutional ones next to the image, 32 by default.
        depth: int. Layers of encoder and decoder of the dense presets, 2 by default.
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`. Defaults to "uniform", with
            `stochastic` to "normal".
        num_classes: int or None. Short for `condition=kgen.fields.Label(num_classes)`.
        condition: `kgen.fields.Field` or None. With it all networks take it as their last input.
        seed: int or None. Seeds the model's noise; None draws a seed.

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> model = kgen.BiGAN(image_shape=(8, 8, 1), latent_dim=4, width=16)
    >>> model.compile()
    >>> history = model.fit(images, verbose=0)
    >>> model.encode(images).shape
    (64, 4)

    Reference: Donahue et al., Adversarial Feature Learning, 2016. https://arxiv.org/abs/1605.09782
    """

    log_names = (
        "discriminator_loss",
        "generator_loss",
        "real_accuracy",
        "fake_accuracy",
    )
    default_batch_size = 128
    dense_units, dense_activation = 1024, "leaky_relu"
    batch_normalization = True

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 50,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        stochastic: bool = False,
        architecture: str = "dense",
        width: int | None = None,
        depth: int | None = None,
        prior: str | None = None,
        num_classes: int | None = None,
        condition=None,
        seed: int | None = None,
        **kwargs,
    ):
        family = posteriors.Normal() if flag("stochastic", stochastic) else None
        prior = prior or ("normal" if stochastic else "uniform")
        super().__init__(
            image_shape,
            latent_dim,
            encoder,
            decoder,
            encoded_size=latent_dim if family is None else family.num_outputs(latent_dim),
            meanings={"encoder": "" if family is None else family.meaning},
            unbounded=("decoder",),
            architecture=architecture,
            width=width,
            depth=depth,
            also_sized=[discriminator],
            prior=priors.get(prior, latent_dim),
            num_classes=num_classes,
            condition=condition,
            seed=seed,
            **kwargs,
        )
        self.stochastic = stochastic
        self.family = family
        if discriminator is None:
            with preset_dtype(self.dtype_policy):
                discriminator = self._discriminator_preset()
        beside = Vector(self.latent_dim), self.condition
        check_network("discriminator", discriminator, self.image_shape, (1,), beside=beside)
        self.discriminator = discriminator

    def _discriminator_preset(self):
        if self.architecture == "dense":
            units = self.width or self.dense_units
            features = networks.dense_encoder(
                self.image_shape, units, units=(), condition=self.condition, name="features"
            )
        else:
            units = 8 * (self.width or 32)
            features = self.encoder_preset(units, name="features")
        return networks.joint_discriminator(
            features, self.latent_dim, (units,), batch_normalization=True
        )

    def players(self):
        return {
            "discriminator": [self.discriminator],
            "generator": [self.encoder, self.decoder],
        }

    def default_optimizers(self):
        return {
            player: keras.optimizers.Adam(2e-4, beta_1=0.5, name=player)
            for player in self.players()
        }

    def training_step(self, x, y, noise):
        self.minimize_together(self.losses_of_both, ["discriminator", "generator"], x, y, noise)

    def evaluation_step(self, x, y, noise):
        self.losses_of_both(x, y, noise, training=False)

    def losses_of_both(self, x, y, noise, training=True):
        """The losses of D, and of E and G, on one batch of images in [0, 1]; logs them."""
        outputs = self._read_network(self.encoder, x, y, training)
        code = outputs if self.family is None else self.family.draw(outputs, noise, 1).z[:, 0]
        z = self.prior.draw(noise, ops.shape(x)[0])
        x_fake = self._decode(z, y, training)
        real, fake = self._judge(x, code, y, training), self._judge(x_fake, z, y, training)
        discriminator_loss = minimax_discriminator_loss(real, fake)
        generator_loss = minimax_discriminator_loss(fake, real)
        self.log(
            discriminator_loss=discriminator_loss,
            generator_loss=generator_loss,
            real_accuracy=real > 0.0,
            fake_accuracy=fake < 0.0,
        )
        return [ops.mean(discriminator_loss), ops.mean(generator_loss)]

    def _judge(self, x, z, y, training):
        inputs = [x, z] if y is None else [x, z, y]
        return ops.cast(self.discriminator(inputs, training=training), "float32")

    def _encode(self, x, y, training=False):
        outputs = self._read_network(self.encoder, x, y, training)
        return outputs if self.family is None else self.family.center(outputs)

    def _decode(self, z, y, training=False):
        return ops.sigmoid(self._read_network(self.decoder, z, y, training))

    def get_config(self):
        return super().get_config() | {
            "discriminator": self.discriminator,
            "stochastic": self.stochastic,
            "prior": self.prior,
        }
