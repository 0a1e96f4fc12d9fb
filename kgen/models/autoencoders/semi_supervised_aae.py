"""The adversarial autoencoder whose code has a category: few labels, clusters, an embedding."""

import keras
from keras import ops

from kgen import backend, priors
from kgen.checks import flag, number
from kgen.fields import PartialLabel
from kgen.layers.precision import full_precision
from kgen.losses import categorical_nll
from kgen.models.autoencoders.judged_codes import JudgedCodes
from kgen.networks.normalization import normalize
from kgen.seeds import seeds_of


@keras.saving.register_keras_serializable("kgen")
class SemiSupervisedAAE(JudgedCodes):
    """Semi-supervised adversarial autoencoder: its code is a category beside a style.

    The encoder gives the style z and the logits of a category, whose softmax y is the other part of
    the code. Two discriminators bring z to its prior and y to the categorical distribution, and the
    encoder fools both (figure 8). Where labels are known, -1 standing for others, a classifier,
    which is the encoder as a player of its own, learns them too (section 5). Without labels the
    categories are clusters (section 6).

    With `embedding` the decoder sees W y + z, of as many numbers as z: a row of W is the head of a
    cluster, and a pair of heads nearer than `head_distance` pays for what is missing (section 7).

    Unlike the paper, Adam trains it.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of the style z. Defaults to 10.
        categories: int of at least 2. Defaults to 10.
        supervised: bool. Whether `fit` takes labels, integers (num,) in 0..categories - 1, or -1.
            Defaults to True.
        embedding: bool. Whether category and style are added up. Defaults to False.
        head_distance: float. In the embedding, how far apart heads want to be. Defaults to 8.
        encoder: keras.Model from images (batch, height, width, channels) in [0, 1] to (batch,
            latent_dim + categories), style and then logits; or None for the preset.
        decoder: keras.Model from (batch, latent_dim + categories), with `embedding` from (batch,
            latent_dim), to logits (batch, height, width, channels); or None for the preset.
        discriminator: keras.Model from styles (batch, latent_dim) to logits (batch, 1), or None for
            the preset, two layers of 1,000.
        category_discriminator: keras.Model from (batch, categories) to logits (batch, 1), or None
            for the same.
        prior: of the style, as of `kgen.AdversarialAutoencoder`. Defaults to "normal".
        **kwargs: those of `kgen.Autoencoder`, but for conditions.

    Example:
    >>> images, labels = np.random.rand(64, 8, 8, 1), np.full(64, -1)
    >>> labels[:10] = np.arange(10)
    >>> model = kgen.SemiSupervisedAAE((8, 8, 1), latent_dim=4, width=8)
    >>> model.compile()
    >>> history = model.fit(images, labels, verbose=0)
    >>> model.classify(images).shape
    (64,)
    >>> model.decode(model.draw_latents(10, classes=np.arange(10), seed=0)).shape
    (10, 8, 8, 1)

    Reference: Makhzani et al., Adversarial Autoencoders, 2015. https://arxiv.org/abs/1511.05644
    """

    # Of encoder and decoder, and of what the encoder gives, as in the paper's appendix A.2.2:
    # without it few of the categories are ever used.
    batch_normalization = True

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 10,
        categories: int = 10,
        supervised: bool = True,
        embedding: bool = False,
        head_distance: float = 8.0,
        discriminator: keras.Model | None = None,
        category_discriminator: keras.Model | None = None,
        prior: str = "normal",
        **kwargs,
    ):
        for name in ("num_classes", "condition"):
            if kwargs.get(name) is not None:
                raise ValueError(
                    f"Expected no {name}, as the code has categories. Received: "
                    f"{name}={kwargs[name]!r}"
                )
        codes = priors.Codes(priors.get(prior, latent_dim), (categories,), continuous=0)
        super().__init__(
            image_shape,
            latent_dim,
            prior=None if flag("embedding", embedding) else codes,
            encoded_size=codes.size,
            meanings={"encoder": "the style and the categories' logits"},
            **kwargs,
        )
        self.prior = codes
        self.categories = categories
        self.supervised = flag("supervised", supervised)
        self.embedding = embedding
        self.head_distance = number("head_distance", head_distance, at_least=0.0)
        self.heads = None
        if embedding:
            self.heads = keras.layers.Dense(
                latent_dim,
                use_bias=False,
                kernel_initializer=keras.initializers.RandomNormal(stddev=1.0),
                dtype=full_precision(),
                name="heads",
            )
            self.heads.build((None, categories))
            self.add_logs("head_penalty")
        if supervised:
            self.add_logs("classification_loss", "classification_accuracy")
        self._classes = PartialLabel(categories)
        self.adversary = self.code_adversary("discriminator", discriminator, latent_dim)
        self.category_adversary = self.code_adversary(
            "category_discriminator", category_discriminator, categories
        )

    def encoder_preset(self, outputs, name="encoder"):
        network = super().encoder_preset(outputs, name)
        outputs = normalize(network.output, dtype=full_precision())
        return keras.Model(network.input, outputs, name=name)

    @property
    def discriminator(self):
        """The discriminator of styles."""
        return self.adversary.network

    @property
    def category_discriminator(self):
        """The discriminator of categories."""
        return self.category_adversary.network

    @property
    def trained_on(self):
        return self._classes if self.supervised else None

    def players(self):
        heads = [self.heads] if self.embedding else []
        players = {
            "autoencoder": [self.encoder, *heads, self.decoder],
            "discriminator": [self.discriminator],
            "category_discriminator": [self.category_discriminator],
            "generator": [self.encoder],
        }
        return players | ({"classifier": [self.encoder]} if self.supervised else {})

    def default_optimizers(self):
        optimizers = super().default_optimizers()
        if self.supervised:
            optimizers["classifier"] = keras.optimizers.Adam(1e-3, name="classifier")
        return optimizers

    def training_step(self, x, y, noise):
        self.minimize(self.reconstruction_loss, "autoencoder", x)
        parts = self._parts(x, training=True)
        drawn = self._split(self.prior.draw(noise, ops.shape(x)[0]))
        for adversary, z, code in zip(self._adversaries(), drawn, parts, strict=True):
            self.minimize(self.adversary_loss, adversary.name, adversary, z, code, None, noise)
        self.minimize(self.generator_loss, "generator", x)
        if self.supervised:
            self.minimize(self.classification_loss, "classifier", x, y)

    def evaluation_step(self, x, y, noise):
        self.reconstruction_loss(x, training=False)
        drawn = self._split(self.prior.draw(noise, ops.shape(x)[0]))
        for adversary, z, code in zip(self._adversaries(), drawn, self._parts(x), strict=True):
            self.adversary_loss(adversary, z, code, None, noise, training=False)
        self.generator_loss(x, training=False)
        if self.supervised:
            self.classification_loss(x, y, training=False)

    def _adversaries(self):
        return self.adversary, self.category_adversary

    def _split(self, code):
        return code[:, : self.latent_dim], code[:, self.latent_dim :]

    def _style_and_logits(self, x, training=False):
        return self._split(self._read_network(self.encoder, x, None, training))

    def _parts(self, x, training=False):
        """Style and category of images, (batch, latent_dim) and (batch, categories)."""
        style, logits = self._style_and_logits(x, training)
        return style, ops.softmax(logits, axis=-1)

    def _join(self, style, category):
        if self.embedding:
            return ops.cast(self.heads(category), "float32") + style
        return ops.concatenate([style, category], axis=-1)

    def _encode(self, x, y, training=False):
        return self._join(*self._parts(x, training))

    def _draw_latents(self, y, noise):
        return self._join(*self._split(self.prior.draw(noise, noise.num)))

    def reconstruction_loss(self, x, training=True):
        """The squared error, and in the embedding what near heads pay; logs both."""
        loss = self.squared_error(x, None, training)
        if not self.embedding:
            return loss
        heads = ops.cast(self.heads.kernel, "float32")
        squares = ops.sum(ops.square(heads[:, None] - heads), axis=-1)
        missing = ops.maximum(self.head_distance - ops.sqrt(squares + 1e-12), 0.0)
        is_pair = 1.0 - ops.eye(self.categories, dtype="float32")
        penalty = 0.5 * ops.sum(is_pair * missing)  # each pair once
        self.log(head_penalty=penalty)
        return loss + penalty

    def generator_loss(self, x, training=True):
        """How little the encoder fools both discriminators, averaged over the batch; logs it."""
        judged = zip(self._adversaries(), self._parts(x, training), strict=True)
        loss = sum(a.generator_loss(part, training=training)[0] for a, part in judged)
        self.log(generator_loss=loss)
        return ops.mean(loss)

    def classification_loss(self, x, y, training=True):
        """The cross-entropy of known labels, averaged over these; logs it, and the accuracy."""
        _, logits = self._style_and_logits(x, training)
        known = ops.cast(y >= 0, "float32")
        nll = categorical_nll(self._one_hot(y), logits)
        right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), y)
        self.log(known, classification_loss=nll, classification_accuracy=right)
        share = backend.mean_over_replicas(ops.mean(known))
        return ops.mean(known * nll) / ops.maximum(share, 1e-6)

    def classify(self, images, *, batch_size=256):
        """The likeliest category of images: a class, or a cluster.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            batch_size: int. Images at a time.

        Returns:
            NumPy int array (num,).
        """
        return self.answer("classify", batch_size=batch_size, image=images)["category"]

    def draw_latents(self, num, labels=None, *, classes=None, seed=None):
        """Codes from the prior, as `decode` takes them.

        Args:
            num: int. How many.
            labels: None, as the model is unconditional.
            classes: int array (num,) or one int, their categories, -1 for any; None for any.
            seed: int, None, which draws one, or an int array (num,). Vector i of a seed is the same
                on every backend, alone and among others.

        Returns:
            NumPy array (num, code_size), code_size being latent_dim + categories, with `embedding`
            latent_dim.
        """
        if classes is None:
            return super().draw_latents(num, labels, seed=seed)
        rows = {"seed": seeds_of(seed, num), "classes": self._classes.rows(classes, num, "classes")}
        return self.run(self._draw_of, rows, labels)

    def _draw_of(self, y, noise, classes):
        style, drawn = self._split(self.prior.draw(noise, noise.num))
        given = self._one_hot(classes)
        return self._join(style, ops.where(classes[:, None] < 0, drawn, given))

    def _one_hot(self, classes):
        return ops.one_hot(ops.maximum(classes, 0), self.categories, dtype="float32")

    def signatures(self):
        def classify(y, image):
            _, logits = self._style_and_logits(image)
            return {"category": ops.cast(ops.argmax(logits, axis=-1), "int32")}

        return super().signatures() | {"classify": (classify, {"image": self.image})}

    def get_config(self):
        config = super().get_config()
        del config["num_classes"], config["condition"]
        return config | {
            "categories": self.categories,
            "supervised": self.supervised,
            "embedding": self.embedding,
            "head_distance": self.head_distance,
            "discriminator": self.discriminator,
            "category_discriminator": self.category_discriminator,
            "prior": self.prior.noise,
        }
