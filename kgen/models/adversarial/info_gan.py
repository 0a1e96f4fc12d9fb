"""The information maximizing GAN."""

import math

import keras
import numpy as np
from keras import ops

from kgen import networks, pictures, priors
from kgen.checks import whole_number
from kgen.fields import Seed, Vector
from kgen.losses import categorical_nll, normal_nll
from kgen.models import output_range
from kgen.models.adversarial.dcgan import DCGAN
from kgen.models.image_model import preset_dtype
from kgen.models.network_check import check_network
from kgen.models.scalar import Scalar
from kgen.priors import Codes
from kgen.seeds import seeds_of


def _units(width):
    """The dense layers: the paper's 1024 beside its 64 channels."""
    return (16 * (width or 64),)


def _generator(code_size, image_shape, width, **kwargs):
    return networks.dcgan_generator(
        code_size, image_shape, width, kernel_size=4, units=_units(width), **kwargs
    )


def _discriminator(image_shape, width, **kwargs):
    return networks.dcgan_discriminator(
        image_shape,
        width,
        kernel_size=4,
        units=_units(width),
        negative_slope=0.1,
        with_features=True,
        **kwargs,
    )


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
        info_weight: float or a Keras schedule. lambda in the paper. Defaults to 1.
        prior: "uniform" in [-1, 1], "normal" or a `kgen.priors.Prior`, of the noise. Defaults to
            "uniform".
        **kwargs: those of `kgen.DCGAN`. A `generator` takes (batch, latent_dim + sum(categorical) +
            continuous): noise, one-hot codes, numbers. A `discriminator` gives the list of logits
            (batch, 1) and features (batch, n).

    Example:
    >>> images = np.random.rand(64, 8, 8, 1)
    >>> gan = kgen.InfoGAN(image_shape=(8, 8, 1), latent_dim=4, width=8)
    >>> gan.compile()
    >>> history = gan.fit(images, verbose=0)
    >>> gan.sample(2, codes=[[7, 0.5, -1.0], [3, 0.0, 0.0]], seed=0).shape
    (2, 8, 8, 1)

    Reference: Chen et al., InfoGAN: Interpretable Representation Learning by Information Maximizing
    Generative Adversarial Nets, 2016. https://arxiv.org/abs/1606.03657
    """

    info_weight = Scalar()
    log_names = (*DCGAN.log_names, "info_loss")
    generator_preset = staticmethod(_generator)
    adversary_preset = staticmethod(_discriminator)

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent_dim: int = 62,
        categorical: tuple[int, ...] = (10,),
        continuous: int = 2,
        recognition: keras.Model | None = None,
        info_weight: float = 1.0,
        prior: str = "uniform",
        **kwargs,
    ):
        codes = Codes(priors.get(prior, latent_dim), categorical, continuous)
        super().__init__(image_shape, latent_dim, prior=codes, **kwargs)
        self.categorical = codes.categorical
        self.continuous = codes.continuous
        self.info_weight = info_weight
        outputs = self.code_size - self.latent_dim
        _, features = self.check_adversary("discriminator", self.discriminator)
        with preset_dtype(self.dtype_policy):
            self.recognition = recognition or networks.recognition_head(*features, outputs)
        check_network(
            "recognition", self.recognition, features, (outputs,), gives=output_range.NUMBERS
        )

    def check_adversary(self, name, network):
        shapes, beside = [self.image_shape, (1,), ("n",)], [self.condition]
        return check_network(name, network, *shapes, beside=beside, gives=self._logits())

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

    def common_loss(self, features, z, training):
        outputs = ops.cast(self.recognition(features[0], training=training), "float32")
        loss = -self.information(z[:, self.latent_dim :], outputs)
        self.log(info_loss=loss)
        return self.now("info_weight") * loss

    def information(self, codes, outputs):
        """Of each image log Q(c|x) + H(c): the mean is a lower bound on the information, L_I.

        Args:
            codes: tensor (batch, sum(categorical) + continuous): one-hot codes, numbers.
            outputs: tensor of the same shape: what Q gives.

        Returns:
            Tensor (batch,), in nats.
        """
        (categories, numbers), (logits, means) = map(self.prior.split, (codes, outputs))
        information = 0.0
        for one_hot, of_code in zip(categories, logits, strict=True):
            information += math.log(of_code.shape[-1]) - categorical_nll(one_hot, of_code)
        if self.continuous:
            nll = normal_nll(numbers, means, ops.zeros_like(means))
            information += self.continuous * math.log(2.0) - nll
        return information

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
        code = whole_number("code", code, at_least=0, at_most=self.prior.num_codes - 1)
        if code < len(self.categorical):
            self._check_categories(values[:, None], self.categorical[code])
            start = self.latent_dim + sum(self.categorical[:code])
            one_hot = np.eye(self.categorical[code])[values.astype("int64")]
            z[:, start : start + self.categorical[code]] = one_hot
        else:
            z[:, self.latent_dim + sum(self.categorical) + code - len(self.categorical)] = values
        return z

    def sample(self, num, labels=None, *, codes=None, seed=None, batch_size: int = 256):
        """Images of noise and codes.

        Args:
            num: int. How many.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            codes: array (num, codes) or (codes,): the categories' numbers, then numbers in [-1, 1];
                None draws them.
            seed: int, None, which draws one, or an int array (num,). Image i of a seed is the same
                on every backend and server, alone and among others.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, height, width, channels) in [0, 1].
        """
        if codes is None:
            return super().sample(num, labels, seed=seed, batch_size=batch_size)
        given = {"seed": seeds_of(seed, num), "codes": self._check_codes(codes, num)}
        return self.answer("generate_codes", labels, batch_size=batch_size, **given)["image"]

    def report(self, data):
        label = None if self.condition is None else self.examples(data, 1)[1][0]
        return super().report(data) | {"codes.png": pictures.codes(self, seed=0, label=label)}

    def signatures(self):
        def generate_codes(y, noise, codes):
            z = self.prior.noise.draw(noise, noise.num)
            return {"image": self._decode(self.prior.join(z, codes), y)}

        def infer_codes(y, image):
            return {"codes": self._codes_of(self._recognize(image, y))}

        highest = [categories - 1 for categories in self.categorical]
        codes = Vector(
            self.prior.num_codes,
            low=[0] * len(highest) + [-1] * self.continuous,
            high=highest + [1] * self.continuous,
        )
        return super().signatures() | {
            "generate_codes": (generate_codes, {"seed": Seed(), "codes": codes}),
            "infer_codes": (infer_codes, {"image": self.image}),
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

    def infer_codes(self, images, labels=None, *, batch_size=256):
        """The codes that Q finds in images: the most likely categories, and the means.

        Args:
            images: array (num, height, width, channels), floats in [0, 1] or integers in 0..255.
            labels: int array (num,) or one int, or the condition, for a conditional model.
            batch_size: int. Images at a time.

        Returns:
            NumPy array (num, codes), as `sample` takes them.
        """
        return self.answer("infer_codes", labels, batch_size=batch_size, image=images)["codes"]

    def _codes_of(self, outputs):
        """The most likely categories and the means of what Q gives, float32 (num, codes)."""
        logits, means = self.prior.split(outputs)
        codes = [ops.cast(ops.argmax(each, axis=1), "float32")[:, None] for each in logits]
        return ops.concatenate([*codes, ops.clip(means, -1.0, 1.0)], axis=1)

    def _recognize(self, x, y):
        _, features = self.adversary.judge(2.0 * x - 1.0, y)
        return ops.cast(self.recognition(features[0], training=False), "float32")

    def get_config(self):
        return super().get_config() | {
            "categorical": self.categorical,
            "continuous": self.continuous,
            "recognition": self.recognition,
            "info_weight": self.info_weight,
            "prior": self.prior.noise,
        }
