"""Architectures: functions that build a `keras.Model` and know nothing of training."""

from kgen.networks.convolutional import convolutional_decoder, convolutional_encoder
from kgen.networks.mlp import dense_decoder, dense_encoder

__all__ = [
    "convolutional_decoder",
    "convolutional_encoder",
    "dense_decoder",
    "dense_encoder",
]
