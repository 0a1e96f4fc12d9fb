"""The zoo: every model once, made of tiny networks.

A new model is one entry here and a file of its own oracles. What each test takes from the list, in
which of the two tiers, is in tests/README.md.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

import kgen
from kgen import fields, networks, posteriors, priors
from kgen.layers import ActNorm, Coupling, Reorder, Split, Squeeze
from kgen.layers.precision import full_precision
from kgen.networks.flows import residual_network
from kgen.samplers import DDIM, ODE, Heun
from tests import own_models
from tests.toys import ToyWGANGP

SHAPE = (8, 8, 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A model, and what the tests are to know of it.

    Attributes:
        name: str.
        model_class: its class.
        make: callable of further arguments of the class that returns the model.
        image_shape: tuple (height, width, channels).
        condition: field or None. What the model is conditional on.
        labels: field or None. What `fit` takes beside images and the verbs do not.
        still: ends of the paths of variables that have no gradient.
        optimizer: callable that makes what `compile` is given; None leaves it the paper's.
        served: bool. It can be exported.
        given: by input of a signature, callable from a number to so many rows, where its field
            says too little.
        discrete: bool. Its pixels have few levels: rounding moves one of many by a whole level.
        rate: float. Of SGD, with which it stays stable from its start.
        rounding: float. How far a seed's images are apart in other batches and on other backends:
            a loop of many turns adds up.
        family: str or None. The family that it stands for where what the house promises is tried.
        on_replicas: bool. It is trained on several replicas in the quick tier.
        sees_batch: bool. Its loss looks at a batch together, and on several replicas at a part.
        quick: bool. The contract is tried on it in the quick tier.
        command: str or None. Its name on the command line.
        settings: dict of plain arguments that make it small on the command line.
    """

    name: str
    model_class: type
    make: Callable
    image_shape: tuple = SHAPE
    condition: fields.Field | None = None
    labels: fields.Field | None = None
    still: tuple = ()
    optimizer: Callable = lambda: None
    served: bool = True
    given: dict = dataclasses.field(default_factory=dict)
    discrete: bool = False
    rate: float = 0.02
    rounding: float = 1e-6
    family: str | None = None
    on_replicas: bool = False
    sees_batch: bool = False
    quick: bool = True
    command: str | None = None
    settings: dict = dataclasses.field(default_factory=dict)

    def __repr__(self):
        return self.name

    @property
    def samples(self):
        return hasattr(self.model_class, "sample")

    @property
    def images(self):
        """16 images of integers."""
        rng = np.random.default_rng(0)
        return rng.integers(0, 256, (16, *self.image_shape), dtype="uint8")

    def y(self, num=16):
        """So many conditions, None for an unconditional model."""
        if isinstance(self.condition, fields.Label):
            return np.arange(num, dtype="int32") % self.condition.num_classes
        if self.condition is not None:
            return rows(self.condition, num, np.random.default_rng(2))
        return None

    def given_to_fit(self, num=16):
        """What `fit` takes beside so many images: conditions or labels, or None."""
        if self.labels is None:
            return self.y(num)
        return np.arange(num, dtype="int32") % (self.labels.num_classes + 1) - 1

    def rows(self, inputs, num):
        """So many rows of each input of a signature, by name.

        Args:
            inputs: dict of fields by name.
            num: int.
        """
        rng = np.random.default_rng(0)
        found = {name: rows(field, num, rng) for name, field in inputs.items()}
        return found | {name: self.given[name](num) for name in inputs if name in self.given}


def rows(field, num, rng):
    """Random rows that a field takes."""
    shape = (num, *field.shape)
    if field.dtype == "bool":
        return rng.random(shape) < 0.5
    if isinstance(field, fields.Noisy):
        return rng.standard_normal(shape).astype("float32")
    if field.dtype == "int64":  # seeds, negative ones among them
        return np.arange(num) - 2
    low = -1 if field.low is None else field.low
    high = 1 if field.high is None else field.high
    if field.dtype == "int32":
        return rng.integers(low, high + 1, shape).astype("int32")
    if isinstance(field, fields.Attributes):
        return rng.integers(0, 2, shape).astype("float32")
    return rng.uniform(low, high, shape).astype("float32")


def dense_vae(num_classes=None, **kwargs):
    """The smallest VAE of 8x8."""
    encoder = networks.dense_encoder(SHAPE, 6, units=(6,), condition=num_classes)
    decoder = networks.dense_decoder(3, SHAPE, units=(6,), condition=num_classes)
    nets = {"encoder": encoder, "decoder": decoder, "num_classes": num_classes}
    return kgen.VAE(SHAPE, latent_dim=3, **nets, **kwargs)


def dense_parts(parameters=1):
    """Encoder and decoder of 8x8, of so many numbers a latent of three."""
    encoder = networks.dense_encoder(SHAPE, 3 * parameters, units=(6,))
    return {"encoder": encoder, "decoder": networks.dense_decoder(3, SHAPE, units=(6,))}


def factor_vae(**kwargs):
    judge = networks.dense_discriminator(3, units=(4, 4))
    nets = dense_parts(2) | {"discriminator": judge}
    return kgen.FactorVAE(SHAPE, 3, gamma=2.0, **nets, **kwargs)


def aae(**kwargs):
    judge = networks.dense_discriminator(2, units=(4,), condition=fields.PartialLabel(3))
    nets = {
        "encoder": networks.dense_encoder(SHAPE, 2, units=(6,)),
        "decoder": networks.dense_decoder(2, SHAPE, units=(6,)),
        "discriminator": judge,
    }
    mixture = priors.Mixture(components=3)
    return kgen.AdversarialAutoencoder(SHAPE, 2, prior=mixture, prior_classes=3, **nets, **kwargs)


def semi_supervised_aae(**kwargs):
    nets = {
        "encoder": networks.dense_encoder(SHAPE, 5, units=(6,)),
        "decoder": networks.dense_decoder(2, SHAPE, units=(6,)),
        "discriminator": networks.dense_discriminator(2, units=(4,)),
        "category_discriminator": networks.dense_discriminator(3, units=(4,)),
    }
    return kgen.SemiSupervisedAAE(SHAPE, 2, categories=3, embedding=True, **nets, **kwargs)


def bigan(**kwargs):
    features = networks.dense_encoder(SHAPE, 4, units=(6,), condition=3, name="features")
    nets = {
        "encoder": networks.dense_encoder(SHAPE, 6, units=(6,), condition=3),
        "decoder": networks.dense_decoder(3, SHAPE, units=(6,), condition=3),
        "discriminator": networks.joint_discriminator(features, 3, units=(4,)),
    }
    return kgen.BiGAN(SHAPE, 3, stochastic=True, num_classes=3, **nets, **kwargs)


def vae_gan(**kwargs):
    nets = {
        "encoder": networks.dense_encoder(SHAPE, 6, units=(6,)),
        "decoder": networks.dense_generator(3, SHAPE, units=(6,)),
        "discriminator": networks.dcgan_discriminator(SHAPE, filters=4, with_features=True),
    }
    return kgen.VAEGAN(SHAPE, 3, **nets, **kwargs)


def dreg_vae(**kwargs):
    """A VAE of two players, whose latents depend on each other."""
    settings = {"posterior_family": "full", "objective": "dreg", "num_samples": 2}
    return kgen.VAE(SHAPE, 3, **settings, **dense_parts(3), **kwargs)


def vq_vae(**kwargs):
    sizes = {"width": 6, "depth": 1, "patch": 2, "prior_width": 4, "prior_depth": 1}
    given = {"decay": 0.9, "restart_after": 2, "likelihood": "discretized_logistic"}
    return kgen.VQVAE((5, 6, 1), 7, 2, **sizes | given | {"num_classes": 3} | kwargs)


def perceptrons(judge="discriminator", **kwargs):
    """A generator and a judge that make some difference to each other from the first step."""
    critic = networks.maxout_discriminator(SHAPE, units=(4, 3), pieces=2, name=judge, **kwargs)
    for variable in critic.trainable_variables:  # whose first weights hardly move a generator
        variable.assign(10.0 * variable)
    return {"generator": networks.dense_generator(3, SHAPE, units=(8,), **kwargs), judge: critic}


def tiny_critic(**kwargs):
    return networks.dcgan_discriminator(
        SHAPE, filters=4, batch_normalization=False, name="critic", **kwargs
    )


def dcgan(**kwargs):
    return kgen.DCGAN(
        SHAPE,
        3,
        generator=networks.dcgan_generator(3, SHAPE, filters=4),
        discriminator=networks.dcgan_discriminator(SHAPE, filters=4),
        **kwargs,
    )


def wgan(**kwargs):
    # Clipping alone would move the critic's weights, which start within 1.
    generator = networks.dense_generator(3, SHAPE, units=(8,))
    nets = {"generator": generator, "critic": tiny_critic()}
    return kgen.WGAN(SHAPE, 3, **({"n_critic": 2, "clip": 1.0} | nets | kwargs))


def wgan_gp(**kwargs):
    generator = networks.dcgan_generator(3, SHAPE, filters=4)
    return kgen.WGANGP(
        SHAPE, 3, n_critic=2, decay_steps=10, generator=generator, critic=tiny_critic(), **kwargs
    )


def info_gan(**kwargs):
    return kgen.InfoGAN(
        SHAPE,
        3,
        categorical=(3,),
        continuous=1,
        generator=networks.dense_generator(7, SHAPE, units=(8,)),
        discriminator=networks.dcgan_discriminator(SHAPE, filters=4, with_features=True),
        **kwargs,
    )


@keras.saving.register_keras_serializable("tests")
class Constant(keras.layers.Layer):
    """One number in place of each of an image's, whatever the image and the time."""

    def __init__(self, value, **kwargs):
        super().__init__(**kwargs)
        self.value = self.add_weight(shape=(), initializer=keras.initializers.Constant(value))

    def call(self, x, t):
        return keras.ops.zeros_like(x) + self.value


def constant_network(shape, value=0.0):
    """A network of an image and a time that says the same of all."""
    x, t = keras.Input(shape), keras.Input(())
    return keras.Model([x, t], Constant(value)(x, t))


def denoiser(shape=SHAPE, outputs=1, condition=None, seen=None):
    """The smallest network of an image, a time and a condition.

    Args:
        shape: tuple (height, width, channels).
        outputs: int. Channels that it gives.
        condition: int or None. Classes.
        seen: int or None. Channels that it takes, where those are not the image's.
    """
    layers = keras.layers
    x, t = keras.Input((*shape[:2], seen or shape[2])), keras.Input(())
    told = kgen.layers.SinusoidalEmbedding(4)(t)
    inputs = [x, t]
    if condition:
        y, given = keras.Input((), dtype="int32"), keras.Input(())
        code = layers.CategoryEncoding(condition, output_mode="one_hot")(y)
        told = layers.Concatenate()([told, layers.Multiply()([code, layers.Reshape((1,))(given)])])
        inputs += [y, given]
    shift = layers.Reshape((1, 1, 4))(layers.Dense(4)(told))
    same = {"padding": "same", "data_format": "channels_last"}
    y = layers.Add()([kgen.layers.Conv2D(4, 3, **same)(x), shift])
    y = layers.Activation("silu")(y)
    last = kgen.layers.Conv2D(outputs, 3, dtype=full_precision(), **same)
    return keras.Model(inputs, last(y))


def ddpm(**kwargs):
    network = denoiser((5, 4, 3), 6, 3)
    return kgen.DDPM(
        (5, 4, 3),
        network,
        **{"timesteps": 20, "variance": "learned", "sampler": DDIM(4), "num_classes": 3} | kwargs,
    )


def edm(**kwargs):
    network = denoiser(SHAPE, 1, seen=2)
    return kgen.EDM(SHAPE, network, **{"self_condition": True, "sampler": Heun(4)} | kwargs)


def flow_matching(**kwargs):
    given = {"sampler": ODE(4), "num_classes": 3}
    return kgen.FlowMatching(SHAPE, denoiser(condition=3), **given | kwargs)


def latent_diffusion(**kwargs):
    network = networks.dense_denoiser((1, 1, 3), width=8, depth=1, condition=3)
    parts = {"prediction": "v", "ema_decay": 0.5, "sampler": DDIM(4), "num_classes": 3}
    diffusion = kgen.DDPM((1, 1, 3), network, timesteps=20, clip=False, **parts)
    return kgen.LatentDiffusion(dense_vae(), diffusion, **kwargs)


def real_nvp(**kwargs):
    """One coupling of the preset's three, three and four: of each half, mask and size."""

    def coupling(shape, moves, *how):
        network = residual_network(shape, 2 * moves, width=4, blocks=1)
        return Coupling(network, *how, scale="tanh"), ActNorm()

    steps = [
        *coupling((8, 8, 2), 1, "checkerboard"),
        Squeeze(),
        *coupling((4, 4, 2), 2, "channels", True),
        Reorder([0, 3, 1, 2]),
        Split(),
        *coupling((4, 4, 3), 2, "checkerboard"),
    ]
    return kgen.RealNVP(SHAPE, networks.InvertibleNetwork(SHAPE, steps), **kwargs)


def codes(num):
    """A category of 3 and a number in [-1, 1] each."""
    rng = np.random.default_rng(1)
    return np.column_stack([np.arange(num) % 3, rng.uniform(-1, 1, num)]).astype("float32")


# Of twelve pixels, in which NADE takes them.
ORDER = [7, 2, 11, 0, 5, 9, 1, 4, 10, 3, 8, 6]


def large_steps():
    """Of a PixelCNN: a smaller step might draw the same levels as the weights before."""
    return keras.optimizers.Adam(0.03, beta_1=0.8)


CASES = (
    Case(
        "autoencoder",
        kgen.Autoencoder,
        lambda **kwargs: kgen.Autoencoder(SHAPE, latent_dim=3, **kwargs),
        command="autoencoder",
        settings={"latent_dim": 2},
    ),
    Case(
        "vae",
        kgen.VAE,
        dense_vae,
        family="autoencoders",
        on_replicas=True,
        command="vae",
        settings={"latent_dim": 2},
    ),
    Case(
        "conditional_vae",
        kgen.VAE,
        lambda **kwargs: dense_vae(num_classes=3, **kwargs),
        condition=fields.Label(3),
    ),
    Case(
        "iaf_vae",
        kgen.VAE,
        lambda **kwargs: kgen.VAE(
            (4, 4, 1),
            2,
            width=4,
            depth=1,
            posterior_family=posteriors.IAF(units=(5,), context=3),
            objective="iwae",
            num_samples=2,
            **kwargs,
        ),
        image_shape=(4, 4, 1),
        quick=False,
    ),
    Case("dreg_vae", kgen.VAE, dreg_vae, quick=False),
    Case(
        "vamp_vae",
        kgen.VAE,
        lambda **kwargs: kgen.VAE(
            (4, 4, 1), 2, width=4, depth=1, prior=priors.VampPrior(3), **kwargs
        ),
        image_shape=(4, 4, 1),
        quick=False,
    ),
    Case(
        "flow_vae",
        kgen.VAE,
        lambda **kwargs: kgen.VAE(
            (4, 4, 1),
            3,
            width=4,
            depth=1,
            prior=priors.Flow(3, (4,)),
            objective="dreg",
            num_samples=2,
            num_classes=3,
            **kwargs,
        ),
        image_shape=(4, 4, 1),
        condition=fields.Label(3),
        quick=False,
    ),
    Case(
        "beta_tc_vae",
        kgen.BetaTCVAE,
        lambda **kwargs: kgen.BetaTCVAE(SHAPE, 3, dataset_size=16, **dense_parts(2), **kwargs),
        sees_batch=True,
        command="beta_tc_vae",
        settings={"latent_dim": 2},
    ),
    Case(
        "factor_vae",
        kgen.FactorVAE,
        factor_vae,
        sees_batch=True,
        command="factor_vae",
        settings={"latent_dim": 2},
    ),
    Case(
        "aae",
        kgen.AdversarialAutoencoder,
        aae,
        labels=fields.PartialLabel(3),
        quick=False,  # the semi-supervised one is
        command="aae",
        settings={"latent_dim": 2, "width": 4},
    ),
    Case(
        "semi_supervised_aae",
        kgen.SemiSupervisedAAE,
        semi_supervised_aae,
        labels=fields.PartialLabel(3),
        command="semi_supervised_aae",
        settings={"latent_dim": 2, "width": 4},
    ),
    Case(
        "bigan",
        kgen.BiGAN,
        bigan,
        condition=fields.Label(3),
        command="bigan",
        settings={"latent_dim": 2, "width": 4},
    ),
    Case(
        "vae_gan",
        kgen.VAEGAN,
        vae_gan,
        quick=False,  # of a VAE and a GAN, which are here themselves
        command="vaegan",
        settings={"latent_dim": 2, "width": 4},
    ),
    Case(
        "ladder_vae",
        kgen.LadderVAE,
        lambda **kwargs: kgen.LadderVAE((4, 4, 1), (3, 2), (6, 4), num_classes=3, **kwargs),
        image_shape=(4, 4, 1),
        condition=fields.Label(3),
        command="ladder_vae",
        settings={"latent_dims": (3, 2), "units": (6, 4)},
    ),
    Case(
        "pixel_vae",
        kgen.PixelVAE,
        lambda **kwargs: kgen.PixelVAE(
            (4, 5, 1),
            3,
            **{"levels": 4, "width": 4, "pixel_width": 4, "pixel_depth": 1, "num_classes": 3}
            | kwargs,
        ),
        image_shape=(4, 5, 1),
        condition=fields.Label(3),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        quick=False,
        command="pixelvae",
        settings={"latent_dim": 2, "levels": 4, "width": 4, "pixel_width": 4, "pixel_depth": 1},
    ),
    Case(
        "vq_vae",
        kgen.VQVAE,
        vq_vae,
        image_shape=(5, 6, 1),
        condition=fields.Label(3),
        optimizer=large_steps,
        discrete=True,
        rate=1e-4,
        rounding=1e-5,
        command="vq_vae",
        settings={"num_codes": 8, "code_dim": 2, "width": 4, "prior_width": 4, "prior_depth": 1},
    ),
    Case(
        "colour_vae",
        kgen.VAE,
        lambda **kwargs: kgen.VAE(
            (5, 4, 3), 2, likelihood="discretized_logistic", architecture="convolutional", **kwargs
        ),
        image_shape=(5, 4, 3),
    ),
    Case(
        "gan",
        kgen.GAN,
        lambda **kwargs: kgen.GAN(
            SHAPE, 3, ema_decay=0.5, r1_weight=0.1, **perceptrons(), **kwargs
        ),
        command="gan",
    ),
    Case("dcgan", kgen.DCGAN, dcgan, family="adversarial", on_replicas=True, command="dcgan"),
    Case(
        "lsgan",
        kgen.LSGAN,
        lambda **kwargs: kgen.LSGAN(SHAPE, 3, label_smoothing=0.1, **perceptrons(), **kwargs),
        command="lsgan",
    ),
    Case(
        "wgan",
        kgen.WGAN,
        wgan,
        still=("logits/bias",),  # it cancels in E[D(x_fake)] - E[D(x)]
        command="wgan",
    ),
    Case(
        "wgan_gp",
        kgen.WGANGP,
        wgan_gp,
        still=("logits/bias",),
        on_replicas=True,
        command="wgan_gp",
    ),
    Case(
        "conditional_gan",
        kgen.ConditionalGAN,
        lambda **kwargs: kgen.ConditionalGAN(SHAPE, 3, 3, **perceptrons(condition=3), **kwargs),
        condition=fields.Label(3),
        command="cgan",
    ),
    Case(
        "info_gan",
        kgen.InfoGAN,
        info_gan,
        given={"codes": codes},
        command="infogan",
    ),
    Case(
        "pixel_cnn",
        kgen.PixelCNN,
        lambda **kwargs: kgen.PixelCNN((5, 4, 1), width=4, depth=1, **kwargs),
        image_shape=(5, 4, 1),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        family="autoregressive",
        command="pixelcnn",
        settings={"levels": 2, "width": 4, "depth": 1},
    ),
    Case(
        "gated_pixel_cnn",
        kgen.GatedPixelCNN,
        lambda **kwargs: kgen.GatedPixelCNN(
            (4, 5, 3), **({"levels": 256, "width": 6, "depth": 1, "num_classes": 3} | kwargs)
        ),
        image_shape=(4, 5, 3),
        condition=fields.Label(3),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        command="gated_pixelcnn",
        settings={"levels": 17, "width": 4, "depth": 1},
    ),
    Case(
        "pixel_cnn_plus_plus",
        kgen.PixelCNNPlusPlus,
        lambda **kwargs: kgen.PixelCNNPlusPlus(
            (4, 6, 3),
            **{"levels": 32, "width": 4, "depth": 1, "scales": 2, "num_classes": 3} | kwargs,
        ),
        image_shape=(4, 6, 3),
        condition=fields.Label(3),
        discrete=True,
        rate=0.01,
        quick=False,
        command="pixelcnn_plus_plus",
        settings={"levels": 17, "width": 4, "depth": 1, "scales": 1},
    ),
    Case(
        "pixel_rnn",
        kgen.PixelRNN,
        lambda **kwargs: kgen.PixelRNN(
            (4, 3, 3),
            **{"levels": 4, "cell": "row", "width": 4, "depth": 1, "num_classes": 3} | kwargs,
        ),
        image_shape=(4, 3, 3),
        condition=fields.Label(3),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        quick=False,
    ),
    Case(
        "pixel_rnn_of_two_scales",
        kgen.PixelRNN,
        lambda **kwargs: kgen.PixelRNN(
            (4, 6, 1), **{"levels": 4, "width": 4, "depth": 1, "subsampling": 2} | kwargs
        ),
        image_shape=(4, 6, 1),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        quick=False,
        command="pixelrnn",
        settings={"levels": 17, "width": 4, "depth": 1, "subsampling": 2},
    ),
    Case(
        "fvsbn",
        kgen.FVSBN,
        lambda **kwargs: kgen.FVSBN((4, 3, 3), **{"levels": 4, "num_classes": 3} | kwargs),
        image_shape=(4, 3, 3),
        condition=fields.Label(3),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        quick=False,
        command="fvsbn",
        settings={"levels": 17},
    ),
    Case(
        "nade",
        kgen.NADE,
        lambda **kwargs: kgen.NADE(
            (4, 3, 1), **{"levels": 32, "width": 5, "order": ORDER} | kwargs
        ),
        image_shape=(4, 3, 1),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        quick=False,
        command="nade",
        settings={"width": 4},
    ),
    Case(
        "made",
        kgen.MADE,
        lambda **kwargs: kgen.MADE(
            (4, 3, 1),
            **{"levels": 32, "width": 12, "depth": 2, "orders": 3, "num_classes": 3} | kwargs,
        ),
        image_shape=(4, 3, 1),
        condition=fields.Label(3),
        optimizer=large_steps,
        discrete=True,
        rate=0.01,
        command="made",
        settings={"width": 4, "orders": 2},
    ),
    Case(
        "ddpm",
        kgen.DDPM,
        ddpm,
        image_shape=(5, 4, 3),
        condition=fields.Label(3),
        rounding=5e-5,
        family="diffusion",
        on_replicas=True,
        command="ddpm",
        settings={"width": 4, "timesteps": 20},
    ),
    Case(
        "edm",
        kgen.EDM,
        edm,
        rounding=5e-5,
        command="edm",
        settings={"width": 4, "architecture": "dit", "patch": 4},
    ),
    Case(
        "flow_matching",
        kgen.FlowMatching,
        flow_matching,
        condition=fields.Label(3),
        rounding=5e-5,
        command="flow_matching",
        settings={"width": 4, "architecture": "dit", "patch": 4},
    ),
    Case(
        "latent_diffusion",
        kgen.LatentDiffusion,
        latent_diffusion,
        condition=fields.Label(3),
        rounding=5e-5,
        quick=False,  # of a VAE and a DDPM, which are here themselves
    ),
    # Those of docs/your_own_model.md.
    Case(
        "hinge_gan",
        kgen.GAN,
        lambda **kwargs: kgen.GAN(SHAPE, 3, loss=own_models.Hinge(2.0), **perceptrons(), **kwargs),
        still=("logits/bias",),  # it cancels while all is within the margin
        quick=False,  # a GAN's loss alone
    ),
    Case(
        "glow",
        kgen.Glow,
        lambda **kwargs: kgen.Glow(
            SHAPE,
            **{"width": 4, "depth": 1, "squeezes": 1, "ema_decay": 0.9, "num_classes": 3} | kwargs,
        ),
        condition=fields.Label(3),
        rate=1e-5,
        rounding=1e-4,
        family="flow",
        command="glow",
        settings={"width": 4, "depth": 1},
    ),
    Case(
        "real_nvp",
        kgen.RealNVP,
        real_nvp,
        rate=1e-5,
        rounding=1e-4,
        quick=False,
        command="real_nvp",
        settings={"width": 4, "depth": 1, "squeezes": 1},
    ),
    Case(
        "adversarial_autoencoder",
        own_models.AdversarialAutoencoder,
        lambda **kwargs: own_models.AdversarialAutoencoder(
            SHAPE, 3, **{"units": 6, "width": 6} | kwargs
        ),
    ),
    Case(
        "diffusion",
        own_models.Diffusion,
        lambda **kwargs: own_models.Diffusion(
            (5, 4, 3), **{"timesteps": 5, "units": 6, "num_classes": 3} | kwargs
        ),
        image_shape=(5, 4, 3),
        condition=fields.Label(3),
        rounding=5e-5,  # five turns of a loop whose network amplifies; up to 9.4e-6 seen
        quick=False,  # DDPM is
    ),
    Case(
        "toy",
        ToyWGANGP,
        lambda **kwargs: ToyWGANGP((2, 2, 1), **kwargs),
        image_shape=(2, 2, 1),
        served=False,
        quick=False,  # of the seam's own tests
    ),
)

ZOO = {case.name: case for case in CASES}
