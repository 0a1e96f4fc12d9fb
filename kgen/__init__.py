"""kgen: deep generative image models on Keras 3."""

import os
import sys

from kgen.version import __version__

__all__ = [
    "DCGAN",
    "GAN",
    "LSGAN",
    "VAE",
    "WGAN",
    "WGANGP",
    "Autoencoder",
    "ConditionalGAN",
    "GatedPixelCNN",
    "InfoGAN",
    "PixelCNN",
    "callbacks",
    "data",
    "layers",
    "losses",
    "networks",
    "pictures",
    "runs",
    "serving",
]

_command = os.path.splitext(os.path.basename((sys.argv or [""])[0]))[0]

# The command line imports what it needs itself, once it has chosen Keras' backend.
if _command != "kgen" and sys.orig_argv[1:3] != ["-m", "kgen.cli"]:
    from kgen import callbacks, data, layers, losses, networks, pictures, runs, serving
    from kgen.models.adversarial.conditional_gan import ConditionalGAN
    from kgen.models.adversarial.dcgan import DCGAN
    from kgen.models.adversarial.gan import GAN
    from kgen.models.adversarial.info_gan import InfoGAN
    from kgen.models.adversarial.lsgan import LSGAN
    from kgen.models.adversarial.wgan import WGAN
    from kgen.models.adversarial.wgan_gp import WGANGP
    from kgen.models.autoencoders.autoencoder import Autoencoder
    from kgen.models.autoencoders.vae import VAE
    from kgen.models.autoregressive.gated_pixel_cnn import GatedPixelCNN
    from kgen.models.autoregressive.pixel_cnn import PixelCNN
