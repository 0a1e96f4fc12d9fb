"""Architectures: functions that build a `keras.Model` and know nothing of training."""

from kgen.networks.causal_network import CausalNetwork
from kgen.networks.convolutional import convolutional_decoder, convolutional_encoder
from kgen.networks.dcgan import dcgan_discriminator, dcgan_generator, recognition_head
from kgen.networks.dense_denoiser import dense_denoiser
from kgen.networks.dit import dit
from kgen.networks.flows import glow, real_nvp, vector_flow
from kgen.networks.iaf import iaf
from kgen.networks.invertible_network import InvertibleNetwork
from kgen.networks.joint import joint_discriminator
from kgen.networks.ladder import ladder_encoder, ladder_step
from kgen.networks.made import fvsbn, made
from kgen.networks.mlp import (
    dense_decoder,
    dense_discriminator,
    dense_encoder,
    dense_generator,
    maxout_discriminator,
)
from kgen.networks.nade import nade
from kgen.networks.ordered_network import OrderedNetwork
from kgen.networks.pixel_cnn import gated_pixel_cnn, pixel_cnn
from kgen.networks.pixel_cnn_plus_plus import pixel_cnn_plus_plus
from kgen.networks.pixel_rnn import MultiScaleNetwork, pixel_rnn
from kgen.networks.unet import unet
from kgen.networks.vq_vae import vq_decoder, vq_encoder

__all__ = [
    "CausalNetwork",
    "InvertibleNetwork",
    "MultiScaleNetwork",
    "OrderedNetwork",
    "convolutional_decoder",
    "convolutional_encoder",
    "dcgan_discriminator",
    "dcgan_generator",
    "dense_decoder",
    "dense_denoiser",
    "dense_discriminator",
    "dense_encoder",
    "dense_generator",
    "dit",
    "fvsbn",
    "gated_pixel_cnn",
    "glow",
    "iaf",
    "joint_discriminator",
    "ladder_encoder",
    "ladder_step",
    "made",
    "maxout_discriminator",
    "nade",
    "pixel_cnn",
    "pixel_cnn_plus_plus",
    "pixel_rnn",
    "real_nvp",
    "recognition_head",
    "unet",
    "vector_flow",
    "vq_decoder",
    "vq_encoder",
]
