"""The adversarial autoencoder."""

import keras
from keras import ops

from kgen import priors
from kgen.checks import whole_number
from kgen.fields import PartialLabel
from kgen.models.autoencoders.judged_codes import JudgedCodes
from kgen.seeds import seeds_of


@keras.saving.register_keras_serializable("kgen")
class AdversarialAutoencoder(JudgedCodes):
    """Adversarial autoencoder: a discriminator brings an autoencoder's codes to a prior.

    Each step has three parts (section 2): encoder and decoder learn to reconstruct; the
    discriminator D learns to tell vectors z of the prior from codes; the encoder learns to fool it:

        1/2 ||x - decoder(encoder(x))||^2
        -E[log D(z)] - E[log(1 - D(encoder(x)))]
        -E[log D(encoder(x))]

    With `prior_classes` D sees labels too, so that each class comes to a part of the prior of its
    own (figure 3): a component of the mixture, a piece of the roll, a sector of the normal prior, a
    slice of the uniform one. The label -1 is of an image whose label is not known. With
    `num_classes` both networks see the label, and the code is left what the label does not say
    (section 4, where the decoder alone sees it).

    Unlike the paper, Adam trains it.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of the code. Defaults to 8.
        discriminator: keras.Model from (batch, latent_dim) to logits (batch, 1), which with
            `prior_classes` takes `[z, label]`; or None for the preset, two layers of 1,000.
        prior: "normal", "uniform", of two numbers "mixture" and "swiss_roll", or a
            `kgen.priors.Prior`. Defaults to "normal".
        prior_classes: int or None. Classes to which the discriminator gives parts of the prior.
        width: int. Units of the dense presets' layers, 1,000 by default; channels of the
            convolutional ones next to the image, 32 by default.
        **kwargs: those of `kgen.Autoencoder`.

    Example:
    >>> images, labels = np.random.rand(64, 8, 8, 1), np.arange(64) % 3
    >>> prior = kgen.priors.Mixture(components=3)
    >>> model = kgen.AdversarialAutoencoder((8, 8, 1), 2, prior=prior, prior_classes=3, width=8)
    >>> model.compile()
    >>> history = model.fit(images, labels, verbose=0)
    >>> z = model.draw_latents(6, classes=[0, 0, 1, 1, 2, 2], seed=0)
    >>> model.decode(z).shape
    (6, 8, 8, 1)

    Reference: Makhzani et al., Adversarial Autoencoders, 2015. https://arxiv.org/abs/1511.05644
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 8,
        discriminator: keras.Model | None = None,
        prior: str = "normal",
        prior_classes: int | None = None,
        **kwargs,
    ):
        prior = priors.get(prior, latent_dim)
        super().__init__(image_shape, latent_dim, prior=prior, **kwargs)
        self.prior_classes = whole_number("prior_classes", prior_classes, optional=True)
        self._classes = None
        if prior_classes is not None:
            if self.condition is not None:
                raise ValueError(
                    "Expected prior_classes, of which the discriminator sees the labels, or a "
                    f"condition, which the networks see. Received: {prior_classes=}, and "
                    f"{self.condition}"
                )
            prior.check_parts(self.prior_classes)
            self._classes = PartialLabel(self.prior_classes)
        self.adversary = self.code_adversary(
            "discriminator", discriminator, self.latent_dim, self._classes
        )

    @property
    def discriminator(self):
        """D."""
        return self.adversary.network

    @property
    def trained_on(self):
        return self._classes or super().trained_on

    def players(self):
        return {
            "autoencoder": [self.encoder, self.decoder],
            "discriminator": [self.discriminator],
            "generator": [self.encoder],
        }

    def training_step(self, x, y, noise):
        y, classes = self._conditions_and_classes(y)
        self.minimize(self.squared_error, "autoencoder", x, y)
        code, z = self._encode(x, y, training=True), self._draw(noise, x, classes)
        self.minimize(self.adversary_loss, "discriminator", self.adversary, z, code, classes, noise)
        self.minimize(self.generator_loss, "generator", x, y, classes)

    def evaluation_step(self, x, y, noise):
        y, classes = self._conditions_and_classes(y)
        self.squared_error(x, y, training=False)
        code, z = self._encode(x, y), self._draw(noise, x, classes)
        self.adversary_loss(self.adversary, z, code, classes, noise, training=False)
        self.generator_loss(x, y, classes, training=False)

    def _conditions_and_classes(self, y):
        """What the networks and what the discriminator sees of the labels."""
        return (y, None) if self._classes is None else (None, y)

    def _draw(self, noise, x, classes):
        if classes is None:
            return self.prior.draw(noise, ops.shape(x)[0])
        return self.prior.draw_of(noise, classes, self.prior_classes)

    def generator_loss(self, x, y, classes, training=True):
        """How little the encoder fools the discriminator, averaged over the batch; logs it."""
        code = self._encode(x, y, training=training)
        loss, _ = self.adversary.generator_loss(code, classes, training=training)
        self.log(generator_loss=loss)
        return ops.mean(loss)

    def draw_latents(self, num, labels=None, *, classes=None, seed=None):
        """Latent vectors from the prior.

        Args:
            num: int. How many.
            labels: not needed, as the prior knows none.
            classes: int array (num,) or one int, in whose parts of the prior they are, -1 for any;
                None for the whole prior, or without `prior_classes`.
            seed: int, None, which draws one, or an int array (num,). Vector i of a seed is the same
                on every backend, alone and among others.

        Returns:
            NumPy array (num, code_size).
        """
        if classes is None:
            return super().draw_latents(num, labels, seed=seed)
        if self._classes is None:
            raise ValueError(
                "Expected no classes without prior_classes, as the prior has no parts. Received: "
                f"classes={classes!r:.80}"
            )
        rows = {"seed": seeds_of(seed, num), "classes": self._classes.rows(classes, num, "classes")}
        return self.run(self._draw_of, rows, labels)

    def _draw_of(self, y, noise, classes):
        return self.prior.draw_of(noise, classes, self.prior_classes)

    def get_config(self):
        return super().get_config() | {
            "discriminator": self.discriminator,
            "prior": self.prior,
            "prior_classes": self.prior_classes,
        }
