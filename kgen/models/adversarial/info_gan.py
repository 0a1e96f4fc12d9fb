"""The information maximizing GAN."""

import functools
import math

import keras
import numpy as np
from keras import ops

from kgen import networks
from kgen import fields
from kgen.models.draws import Draws
from kgen.losses import categorical_nll, normal_nll
from kgen.models.adversarial.dcgan import DCGAN
from kgen.models.image_model import preset_dtype


@keras.saving.register_keras_serializable("kgen")
class InfoGAN(DCGAN):
    """InfoGAN: a GAN that learns codes for what varies in the images, without labels.

    The generator makes an image of noise z and codes c, categories and numbers in [-1, 1]; Q, on
    top of the discriminator's features, infers the codes. Both players minimise, besides the GAN's
    losses,  -info_weight L_I(G, Q),  L_I = E[log Q(c | G(z, c))] + H(c)  (eq. 5), a lower bound on
    the information between codes and image. Of a number Q gives the mean of a normal distribution
    whose standard deviation is 1, as in the authors' code.

    Args:
        image_shape: tuple (height, width, channels).
        latent_dim: int. Length of the noise z. Defaults to 62.
        categorical: tuple of int. Numbers of categories, one for each categorical code. Defaults to
            (10,).
        continuous: int. How many codes are numbers. Defaults to 2.
        recognition: keras.Model, Q, from the discriminator's features to (batch, sum(categorical) +
            continuous), logits and then means, or None for the preset.
        info_weight: float. lambda in the paper. Defaults to 1.
        **kwargs: those of `kgen.DCGAN`. A `generator` takes (batch, latent_dim + sum(categorical) +
            continuous): noise, one-hot codes, numbers. A `discriminator` gives the list of logits
            (batch, 1) and features (batch, n).

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.InfoGAN(image_shape=(8, 8, 1), latent_dim=4)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(2, codes=[[7, 0.5, -1.0], [3, 0.0, 0.0]], seed=0).shape
    (2, 8, 8, 1)

    Reference: Chen et al., InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets, 2016. https://arxiv.org/abs/1606.03657
    """

    log_names = (*DCGAN.log_names, "info_loss")
    generator_preset = staticmethod(
        functools.partial(networks.dcgan_generator, kernel_size=4, units=(1024,))
    )
    discriminator_preset = staticmethod(
        functools.partial(
            networks.dcgan_discriminator,
            kernel_size=4,
            units=(1024,),
            negative_slope=0.1,
            with_features=True,
        )
    )

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 62,
        categorical: tuple[int, ...] = (10,),
        continuous: int = 2,
        recognition: keras.Model | None = None,
        info_weight: float = 1.0,
        **kwargs,
    ):
        if not isinstance(categorical, (tuple, list)):
            raise ValueError(f"Expected categorical as a tuple of int. Received: {categorical=}")
        if not 0 <= info_weight < math.inf:
            raise ValueError(
                f"Expected a finite info_weight of at least 0. Received: {info_weight=}"
            )
        categorical = tuple(int(categories) for categories in categorical)
        if min(categorical, default=2) < 2 or continuous < 0 or not (categorical or continuous):
            raise ValueError(
                "Expected at least one code, and at least 2 categories in a categorical one. "
                f"Received: categorical={categorical}, continuous={continuous}"
            )
        self.categorical = categorical
        self.continuous = continuous
        super().__init__(image_shape, latent_dim, **kwargs)
        self.info_weight = info_weight
        outputs = self.code_size - latent_dim
        with preset_dtype(self.dtype_policy):
            self.recognition = recognition or networks.recognition_head(self._num_features, outputs)
        self.check_network("recognition", (self._num_features,), (outputs,), takes_label=False)

    def check_networks(self):
        self.check_network("generator", (self.code_size,), self.image_shape)
        _, features = self.check_network("discriminator", self.image_shape, (1,), ("n",))
        (self._num_features,) = features

    @property
    def code_size(self):
        return self.latent_dim + sum(self.categorical) + self.continuous

    def players(self):
        return {
            "discriminator": [self.discriminator, self.recognition],
            "generator": [self.generator],
        }

    def default_optimizers(self):
        return {
            "discriminator": keras.optimizers.Adam(2e-4, beta_1=0.5, name="discriminator"),
            "generator": keras.optimizers.Adam(1e-3, beta_1=0.5, name="generator"),
        }

    def draw(self, num, training):
        z = [super().draw(num, training)]
        for categories in self.categorical:
            number = keras.random.randint((num,), 0, categories, seed=self.noise(training))
            z.append(ops.one_hot(number, categories, dtype="float32"))
        shape = (num, self.continuous)
        z.append(keras.random.uniform(shape, -1.0, 1.0, seed=self.noise(training)))
        return ops.concatenate(z, axis=-1)

    def common_loss(self, features, z, training):
        outputs = ops.cast(self.recognition(features[0], training=training), "float32")
        loss = -self.information(z[:, self.latent_dim :], outputs)
        self.log(info_loss=loss)
        return self.info_weight * loss

    def information(self, codes, outputs):
        """Of each image log Q(c|x) + H(c): the mean is a lower bound on the information, L_I.

        Args:
            codes: tensor (batch, sum(categorical) + continuous): one-hot codes, numbers.
            outputs: tensor of the same shape: what Q gives.

        Returns:
            Tensor (batch,), in nats.
        """
        information, start = 0.0, 0
        for categories in self.categorical:
            part = slice(start, start + categories)
            information += math.log(categories) - categorical_nll(codes[:, part], outputs[:, part])
            start += categories
        if self.continuous:
            mean = outputs[:, start:]
            nll = normal_nll(codes[:, start:], mean, ops.zeros_like(mean))
            information += self.continuous * math.log(2.0) - nll
        return information

    def _draw(self, rng, num):
        z = super()._draw(rng, num)
        codes = [rng.integers(0, categories, (num, 1)) for categories in self.categorical]
        codes.append(rng.uniform(-1.0, 1.0, (num, self.continuous)))
        codes = [ops.cast(code, "float32") for code in codes]
        return self._join_codes(z, ops.concatenate(codes, axis=1))

    def _join_codes(self, z, codes):
        """Noise and codes as the generator takes them, categories one-hot."""
        parts = [
            ops.one_hot(ops.cast(codes[:, i], "int32"), categories, dtype="float32")
            for i, categories in enumerate(self.categorical)
        ]
        return ops.concatenate([z, *parts, ops.cast(codes[:, len(parts) :], "float32")], axis=1)

    def set_code(self, z, code, values):
        """Latent vectors with another value of one of their codes.

        Args:
            z: array (num, code_size), as `draw_latents` gives and `decode` takes.
            code: int. The code's number, the categorical ones first.
            values: array (num,) or a number: categories, or numbers; beyond [-1, 1] they are
                beyond what the generator was trained on.

        Returns:
            NumPy array (num, code_size).
        """
        z, values = np.array(z), np.broadcast_to(values, (len(z),))
        if not 0 <= code < len(self.categorical) + self.continuous:
            raise ValueError(
                f"Expected a code in 0..{len(self.categorical) + self.continuous - 1}. Received: "
                f"{code=}"
            )
        if code < len(self.categorical):
            self._check_categories(values[:, None], self.categorical[code])
            start = self.latent_dim + sum(self.categorical[:code])
            one_hot = np.eye(self.categorical[code])[values.astype("int64")]
            z[:, start : start + self.categorical[code]] = one_hot
        else:
            z[:, self.latent_dim + sum(self.categorical) + code - len(self.categorical)] = values
        return z

    def sample(self, num, labels=None, codes=None, seed=None, batch_size=256):
        """Images of noise and codes.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, for a conditional model.
            codes: array (num, codes) or (codes,): the categories' numbers, then numbers in [-1, 1];
                None draws them.
            seed: int or None. The same seed gives the same images; None draws one.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        z = self.draw_latents(num, seed)
        if codes is not None:
            z = self._join_codes(z[:, : self.latent_dim], self._check_codes(codes, num))
        return self.decode(z, labels, batch_size=batch_size)

    def signatures(self):
        def generate_codes(y, noise, codes):
            z = self._draw(Draws(noise), noise.num)[:, : self.latent_dim]
            return {"image": self._decode(self._join_codes(z, codes), y)}

        def infer_codes(y, image):
            return {"codes": self._codes_of(self._recognize(image, y))}

        highest = [categories - 1 for categories in self.categorical]
        codes = fields.Vector(
            len(highest) + self.continuous,
            low=[0] * len(highest) + [-1] * self.continuous,
            high=highest + [1] * self.continuous,
        )
        return super().signatures() | {
            "generate_codes": (generate_codes, {"seed": fields.Seed(), "codes": codes}),
            "infer_codes": (infer_codes, {"image": self.image_input}),
        }

    def _check_codes(self, codes, num):
        codes = np.asarray(codes, "float64")
        length = len(self.categorical) + self.continuous
        if codes.shape not in ((length,), (num, length)):
            raise ValueError(
                f"Expected codes of shape ({num}, {length}) or ({length},), "
                f"{len(self.categorical)} categories and then {self.continuous} numbers. Received: "
                f"codes of shape {codes.shape}"
            )
        codes = np.broadcast_to(codes, (num, length))
        categories, numbers = np.split(codes, [len(self.categorical)], axis=1)
        self._check_categories(categories, self.categorical)
        if not np.all(np.abs(numbers) <= 1):
            raise ValueError(f"Expected numbers in [-1, 1]. Received: {numbers}")
        return codes

    @staticmethod
    def _check_categories(given, categories):
        if np.any(given != np.floor(given)) or np.any((given < 0) | (given >= categories)):
            raise ValueError(f"Expected categories below {categories}, from 0. Received: {given}")

    def infer_codes(self, images, labels=None, batch_size=256):
        """The codes that Q finds in images: the most likely categories, and the means.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,), for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, codes), as `sample` takes them.
        """
        x = self.prepare_images(images)
        y = self.prepare_labels(labels, len(x))
        outputs = self.run_in_batches(self._recognize, [x, y], batch_size)
        return ops.convert_to_numpy(self._codes_of(outputs))

    def _codes_of(self, outputs):
        """The most likely categories and the means of what Q gives, float32 (num, codes)."""
        codes, start = [], 0
        for categories in self.categorical:
            likeliest = ops.argmax(outputs[:, start : start + categories], axis=1)
            codes.append(ops.cast(likeliest, "float32")[:, None])
            start += categories
        return ops.concatenate([*codes, ops.clip(outputs[:, start:], -1.0, 1.0)], axis=1)

    def _recognize(self, x, y):
        _, features = self.judge_images(2.0 * x - 1.0, y)
        return ops.cast(self.recognition(features[0], training=False), "float32")

    def get_config(self):
        return super().get_config() | {
            "categorical": self.categorical,
            "continuous": self.continuous,
            "recognition": self.recognition,
            "info_weight": self.info_weight,
        }
