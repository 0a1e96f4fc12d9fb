"""kgen: deep generative image models on Keras 3."""

import os
import sys

__version__ = "0.1.0"
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
    from kgen.models.autoencoder import Autoencoder
    from kgen.models.conditional_gan import ConditionalGAN
    from kgen.models.dcgan import DCGAN
    from kgen.models.gan import GAN
    from kgen.models.gated_pixel_cnn import GatedPixelCNN
    from kgen.models.info_gan import InfoGAN
    from kgen.models.lsgan import LSGAN
    from kgen.models.pixel_cnn import PixelCNN
    from kgen.models.vae import VAE
    from kgen.models.wgan import WGAN
    from kgen.models.wgan_gp import WGANGP
