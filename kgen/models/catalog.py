"""The models by their names on the command line."""

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

MODELS = {
    "autoencoder": Autoencoder,
    "cgan": ConditionalGAN,
    "dcgan": DCGAN,
    "gan": GAN,
    "gated_pixelcnn": GatedPixelCNN,
    "infogan": InfoGAN,
    "lsgan": LSGAN,
    "pixelcnn": PixelCNN,
    "vae": VAE,
    "wgan": WGAN,
    "wgan_gp": WGANGP,
}
