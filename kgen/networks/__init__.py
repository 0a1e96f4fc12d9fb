"""Architectures: functions that build a `keras.Model` and know nothing of training."""

from kgen.networks.convolutional import convolutional_decoder, convolutional_encoder
from kgen.networks.dcgan import dcgan_discriminator, dcgan_generator, recognition_head
from kgen.networks.mlp import (
    dense_decoder,
    dense_encoder,
    dense_generator,
    maxout_discriminator,
)

__all__ = [
    "convolutional_decoder",
    "convolutional_encoder",
    "dcgan_discriminator",
    "dcgan_generator",
    "dense_decoder",
    "dense_encoder",
    "dense_generator",
    "maxout_discriminator",
    "recognition_head",
]
