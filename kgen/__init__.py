"""kgen: deep generative image models on Keras 3.

What it holds is imported when it is asked for, and what Keras has to know with Keras: see
`kgen.registration`.
"""

import importlib

from kgen.installed import BACKENDS, missing
from kgen.registration import register_with_keras
from kgen.version import __version__

_ROOMS = (
    "backend",
    "callbacks",
    "data",
    "distributions",
    "fields",
    "layers",
    "losses",
    "metrics",
    "models",
    "networks",
    "noise",
    "pictures",
    "posteriors",
    "priors",
    "runs",
    "samplers",
    "seeds",
    "serving",
)
_CLASSES = {
    "AdversarialAutoencoder": "kgen.models.autoencoders.adversarial_autoencoder",
    "AdversarialModel": "kgen.models.adversarial.adversarial_model",
    "Autoencoder": "kgen.models.autoencoders.autoencoder",
    "AutoregressiveModel": "kgen.models.autoregressive.autoregressive_model",
    "BetaTCVAE": "kgen.models.autoencoders.beta_tc_vae",
    "BiGAN": "kgen.models.adversarial.bigan",
    "ConditionalGAN": "kgen.models.adversarial.conditional_gan",
    "DCGAN": "kgen.models.adversarial.dcgan",
    "DDPM": "kgen.models.diffusion.ddpm",
    "DiffusionModel": "kgen.models.diffusion.diffusion_model",
    "EDM": "kgen.models.diffusion.edm",
    "EncoderDecoder": "kgen.models.autoencoders.encoder_decoder",
    "FVSBN": "kgen.models.autoregressive.fvsbn",
    "FactorVAE": "kgen.models.autoencoders.factor_vae",
    "FlowMatching": "kgen.models.diffusion.flow_matching",
    "FlowModel": "kgen.models.flows.flow_model",
    "GAN": "kgen.models.adversarial.gan",
    "GatedPixelCNN": "kgen.models.autoregressive.gated_pixel_cnn",
    "GenerativeModel": "kgen.models.generative_model",
    "Glow": "kgen.models.flows.glow",
    "ImageModel": "kgen.models.image_model",
    "InfoGAN": "kgen.models.adversarial.info_gan",
    "LSGAN": "kgen.models.adversarial.lsgan",
    "LadderVAE": "kgen.models.autoencoders.ladder_vae",
    "LatentDiffusion": "kgen.models.diffusion.latent_diffusion",
    "LatentModel": "kgen.models.latent_model",
    "MADE": "kgen.models.autoregressive.made",
    "NADE": "kgen.models.autoregressive.nade",
    "PixelCNN": "kgen.models.autoregressive.pixel_cnn",
    "PixelCNNPlusPlus": "kgen.models.autoregressive.pixel_cnn_plus_plus",
    "PixelRNN": "kgen.models.autoregressive.pixel_rnn",
    "PixelVAE": "kgen.models.autoencoders.pixel_vae",
    "RealNVP": "kgen.models.flows.real_nvp",
    "SemiSupervisedAAE": "kgen.models.autoencoders.semi_supervised_aae",
    "VAE": "kgen.models.autoencoders.vae",
    "VAEGAN": "kgen.models.autoencoders.vae_gan",
    "VQVAE": "kgen.models.autoencoders.vq_vae",
    "WGAN": "kgen.models.adversarial.wgan",
    "WGANGP": "kgen.models.adversarial.wgan_gp",
}
_FUNCTIONS = {"load": "kgen.runs.trained"}
_NAMES = _CLASSES | _FUNCTIONS

__all__ = [*_ROOMS, *_NAMES]


def __getattr__(name):
    if name in _ROOMS:
        return _imported(f"kgen.{name}")
    if name in _NAMES:
        found = globals()[name] = getattr(_imported(_NAMES[name]), name)
        return found
    raise AttributeError(f"module 'kgen' has no attribute {name!r}")


def _imported(module):
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name in BACKENDS:  # which Keras wants
            raise ImportError(missing(error.name)) from error
        raise


def __dir__():
    return sorted({*globals(), *__all__})


register_with_keras([*_CLASSES.values(), "kgen.layers"])
