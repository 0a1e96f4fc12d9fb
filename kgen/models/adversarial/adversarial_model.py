"""The family of models whose generator is trained by a network that judges its images."""

import math

import keras
import numpy as np
from keras import ops

from kgen import backend
from kgen.layers import BatchNorm
from kgen.layers.spectral_normalization import spectral_layers
from kgen.losses import r1_penalty
from kgen.models.image_model import preset_dtype
from kgen.models.latent_model import LatentModel, SamplesPrior
from kgen.warn import warn

PRIORS = ("uniform", "normal")


class AdversarialModel(SamplesPrior, LatentModel):
    """A generator of images from noise, and a discriminator that judges them.

    In a step the discriminator moves `discriminator_steps` times, each time on images of its own,
    and the generator once. A subclass gives the presets (`generator_preset`,
    `discriminator_preset`), the optimizers, and what each player minimises (`discriminator_loss`,
    `generator_loss`).

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of z. Defaults to 100.
        generator: keras.Model from (batch, latent_dim) to images (batch, height, width, channels)
            in [-1, 1], or None for the preset.
        discriminator: keras.Model from images in [-1, 1] to logits (batch, 1), or None for the
            preset.
        num_classes: int or None. With it both networks take `[input, label]`.
        projection: bool. The preset's discriminator takes the label as the inner product of its
            embedding with the last features (Miyato & Koyama 2018), not concatenated.
        spectral_normalization: bool. The preset's discriminator has it (Miyato et al. 2018).
        prior: "uniform" in [-1, 1] or "normal".
        discriminator_steps: int. A batch is split evenly over them. Defaults to 1.
        r1_weight: float. Weight of 1/2 ||grad D(x)||^2 in the discriminator's loss (Mescheder et
            al. 2018). Defaults to 0.
        ema_decay: float in [0, 1) or None. With it `sample` and `decode` use an average of the
            generator's weights, of which step t keeps this part, or (1 + t) / (10 + t) where that
            is less, so that the start is soon forgotten.
        log_gradient_norms: bool. Log the norm of each player's gradient.
        seed: int or None. Seeds the model's noise; None draws a seed.
    """

    judge = "discriminator"
    replaced = {}  # arguments in whose place the paper has others
    default_batch_size = 128

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 100,
        generator: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        num_classes: int | None = None,
        projection: bool = False,
        spectral_normalization: bool = False,
        prior: str = "uniform",
        discriminator_steps: int = 1,
        r1_weight: float = 0.0,
        ema_decay: float | None = None,
        log_gradient_norms: bool = False,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(image_shape, latent_dim, num_classes=num_classes, seed=seed, **kwargs)
        self._check_settings(prior, discriminator_steps, r1_weight, ema_decay)
        if projection and num_classes is None:
            raise ValueError("Expected num_classes with projection=True. Received: None")
        self.projection = projection
        self.spectral_normalization = spectral_normalization
        self.prior = prior
        self.discriminator_steps = discriminator_steps
        self.r1_weight = r1_weight
        self.ema_decay = ema_decay
        self.log_gradient_norms = log_gradient_norms
        with preset_dtype(self.dtype_policy):
            self.generator = generator or self.generator_preset(
                self.code_size, self.image_shape, num_classes=num_classes
            )
            self.discriminator = discriminator or self.discriminator_preset(
                self.image_shape,
                num_classes=num_classes,
                projection=projection,
                spectral_normalization=spectral_normalization,
                name=self.judge,
            )
        self.check_networks()
        self._check_presets_options()
        if ema_decay is not None:
            self._copy_generator()
        if r1_weight:
            self.add_logs("r1_penalty")
            self.check_second_derivatives()
        if log_gradient_norms:
            self.add_logs(f"{self.judge}_gradient_norm", "generator_gradient_norm")
        self.built = True

    def refuse_replaced(self, kwargs):
        """Raises a TypeError for an argument in whose place the paper has another."""
        for name in self.replaced.keys() & kwargs.keys():
            raise TypeError(
                f"{type(self).__name__} takes {self.replaced[name]} in place of {name}. Received: "
                f"{name}={kwargs[name]!r}"
            )

    def _check_settings(self, prior, discriminator_steps, r1_weight, ema_decay):
        if prior not in PRIORS:
            raise ValueError(f"Expected prior in {list(PRIORS)}. Received: prior={prior!r}")
        if not isinstance(discriminator_steps, (int, np.integer)) or discriminator_steps < 1:
            raise ValueError(
                f"Expected at least one step of the {self.judge}, a whole number of them. "
                f"Received: {discriminator_steps}"
            )
        if not 0 <= r1_weight < math.inf:
            raise ValueError(f"Expected a finite r1_weight of at least 0. Received: {r1_weight=}")
        if ema_decay is not None and not 0 <= ema_decay < 1:
            raise ValueError(f"Expected ema_decay in [0, 1) or None. Received: {ema_decay=}")

    def check_networks(self):
        """Raises a ValueError unless the networks meet."""
        self.check_network("generator", (self.code_size,), self.image_shape)
        self.check_network("discriminator", self.image_shape, (1,))

    def _check_presets_options(self):
        """Raises a ValueError if the user's own discriminator lacks what an option asks for."""
        names = {layer.name for layer in self.discriminator._flatten_layers()}
        spectral_layers(self.generator)  # Keras' own are refused
        spectral = spectral_layers(self.discriminator)
        asked = {
            "projection": not self.projection or "projection" in names,
            "spectral_normalization": not self.spectral_normalization or spectral,
        }
        for option, is_there in asked.items():
            if not is_there:
                raise ValueError(
                    f"Expected {option}=False with a {self.judge} of your own, which has none: it "
                    f"is an option of the preset. Received: {option}=True"
                )

    def _copy_generator(self):
        try:
            self.ema_generator = keras.models.clone_model(self.generator)
        except ValueError:  # it is a subclass
            config = self.generator.get_config()
            self.ema_generator = type(self.generator).from_config(config)
        self.check_network("ema_generator", (self.code_size,), self.image_shape)  # builds it
        self.ema_generator.set_weights(self.generator.get_weights())
        self.ema_generator.trainable = False

    def check_second_derivatives(self):
        """Warns of the discriminator's layers that a penalty on its gradient cannot train right."""
        wrong = [
            f"{layer.name} ({type(layer).__name__})"
            for layer in self.discriminator._flatten_layers()
            if isinstance(layer, backend.WRONG_SECOND_DERIVATIVES)
            and not isinstance(layer, BatchNorm)
        ]
        if wrong:
            warn(
                f"The penalty on the {self.judge}'s gradient will train it wrongly: on this "
                f"backend Keras' second derivatives of {', '.join(wrong)} are wrong. Use "
                "kgen.layers.LayerNorm or BatchNorm, or a backend other than TensorFlow."
            )

    def discriminator_loss(self, real_logits, fake_logits):
        """What the discriminator minimises, one value an example."""
        raise NotImplementedError

    def generator_loss(self, fake_logits):
        """What the generator minimises, one value an example."""
        raise NotImplementedError

    def log_judgement(self, real_logits, fake_logits):
        """Logs how well the discriminator tells real images from fakes."""
        self.log(real_accuracy=real_logits > 0.0, fake_accuracy=fake_logits < 0.0)

    def players(self):
        return {self.judge: [self.discriminator], "generator": [self.generator]}

    def check_batch_size(self, num):
        if num % self.discriminator_steps:
            raise ValueError(
                f"Expected batches that divide by the {self.discriminator_steps} steps of the "
                f"{self.judge}, each of which sees images of its own; drop a last, short batch. "
                f"Received: a batch of {num}"
            )

    def training_step(self, x, y):
        y = None if self.num_classes is None else y
        for x_part, y_part in self._split(2.0 * x - 1.0, y):
            self.train_discriminator(x_part, y_part)
        z = self.draw(ops.shape(x_part)[0], training=True)
        self._normalize_spectra()
        self.minimize(self.generator_objective, "generator", z, y_part, True)
        if self.ema_decay is not None:
            self._update_average()

    def _split(self, x, y):
        """The parts of a batch, one for each of the discriminator's steps."""
        steps = self.discriminator_steps
        if steps == 1:
            return [(x, y)]
        if x.shape[0] is not None:
            self.check_batch_size(x.shape[0])

        def parts(tensor):
            # Row i goes to step i % steps: the parts of several replicas make up those of one.
            shape = (-1, steps, *tensor.shape[1:])
            return ops.unstack(ops.reshape(tensor, shape), steps, axis=1)

        return zip(parts(x), [None] * steps if y is None else parts(y), strict=True)

    def train_discriminator(self, x, y):
        """One step of the discriminator on images in [-1, 1]."""
        z = self.draw(ops.shape(x)[0], training=True)
        x_fake = self.generate(z, y, training=True)
        self._normalize_spectra()
        self.minimize(self.discriminator_objective, self.judge, x, x_fake, z, y, True)

    def _normalize_spectra(self):
        for networks in self.players().values():
            for network in networks:
                for layer in spectral_layers(network):
                    layer.normalize()

    def evaluation_step(self, x, y):
        z = self.draw(ops.shape(x)[0], training=False)
        self.discriminator_objective(2.0 * x - 1.0, self.generate(z, y), z, y, False)
        self.generator_objective(z, y, False)

    def noise(self, training):
        """The SeedGenerator of the training's noise or of validation's."""
        return self.seed_generator if training else self.evaluation_seed_generator

    def draw(self, num, training):
        """Noise from the prior, as a tensor."""
        shape, seed = (num, self.latent_dim), self.noise(training)
        if self.prior == "normal":
            return keras.random.normal(shape, seed=seed)
        return keras.random.uniform(shape, -1.0, 1.0, seed=seed)

    def generate(self, z, y, training=False):
        """Images in [-1, 1], as tensors."""
        return ops.cast(self.generator(self.join(z, y), training=training), "float32")

    def judge_images(self, x, y, training=False):
        """The discriminator's logits of images in [-1, 1], and its features if it gives them."""
        outputs = self.discriminator(self.join(x, y), training=training)
        logits, *features = keras.tree.flatten(outputs)
        return ops.cast(logits, "float32"), features

    def discriminator_objective(self, x, x_fake, z, y, training):
        """The discriminator's loss with all its terms, averaged over the batch; logs them."""
        real_logits, _ = self.judge_images(x, y, training)
        fake_logits, features = self.judge_images(x_fake, y, training)
        loss = self.discriminator_loss(real_logits, fake_logits)
        self.log(**{f"{self.judge}_loss": loss})
        self.log_judgement(real_logits, fake_logits)
        loss += self.common_loss(features, z, training) + self.penalty(x, x_fake, y, training)
        return ops.mean(loss)

    def generator_objective(self, z, y, training):
        """The generator's loss with all its terms, averaged over the batch; logs them."""
        fake_logits, features = self.judge_images(self.generate(z, y, training), y, training)
        loss = self.generator_loss(fake_logits)
        self.log(generator_loss=loss)
        return ops.mean(loss + self.common_loss(features, z, training))

    def penalty(self, x, x_fake, y, training):
        """What is added to the discriminator's loss, one value an example; logs it."""
        if not self.r1_weight:
            return 0.0
        penalty = r1_penalty(lambda x: self.judge_images(x, y, training)[0], x)
        self.log(r1_penalty=penalty)
        return self.r1_weight * penalty

    def common_loss(self, features, z, training):
        """What both players minimise besides, one value an example; logs it."""
        return 0.0

    def _update_average(self):
        step = ops.cast(self.optimizer["generator"].iterations, "float32")
        decay = ops.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        for average, variable in zip(
            self.ema_generator.variables, self.generator.variables, strict=True
        ):
            value = ops.convert_to_tensor(variable)
            if "float" in keras.backend.standardize_dtype(value.dtype):  # no seed's state
                value = decay * average + (1.0 - decay) * value
            average.assign(value)

    def _draw(self, rng, num):
        if self.prior == "normal":
            return super()._draw(rng, num)
        return ops.cast(rng.uniform(-1.0, 1.0, (num, self.latent_dim)), "float32")

    def _decode(self, z, y):
        generator = self.generator if self.ema_decay is None else self.ema_generator
        return 0.5 * (ops.cast(generator(self.join(z, y)), "float32") + 1.0)

    def get_config(self):
        config = super().get_config() | {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "projection": self.projection,
            "spectral_normalization": self.spectral_normalization,
            "prior": self.prior,
            "discriminator_steps": self.discriminator_steps,
            "r1_weight": self.r1_weight,
            "ema_decay": self.ema_decay,
            "log_gradient_norms": self.log_gradient_norms,
        }
        return {self.replaced.get(name, name): value for name, value in config.items()}
