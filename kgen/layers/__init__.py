"""Layers that Keras lacks, or has with a defect that matters here."""

from kgen.layers.batch_norm import BatchNorm
from kgen.layers.condition_code import ConditionCode
from kgen.layers.convolution import Conv2D, Conv2DTranspose
from kgen.layers.gated_block import GatedBlock
from kgen.layers.group_norm import GroupNorm
from kgen.layers.layer_norm import LayerNorm
from kgen.layers.leaky_relu import LeakyReLU
from kgen.layers.masked_conv2d import MaskedConv2D
from kgen.layers.masked_residual_block import MaskedResidualBlock
from kgen.layers.maxout import Maxout
from kgen.layers.position_embedding import PositionEmbedding
from kgen.layers.self_attention import SelfAttention
from kgen.layers.sinusoidal_embedding import SinusoidalEmbedding
from kgen.layers.space_to_depth import DepthToSpace, SpaceToDepth
from kgen.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "BatchNorm",
    "ConditionCode",
    "Conv2D",
    "Conv2DTranspose",
    "DepthToSpace",
    "GatedBlock",
    "GroupNorm",
    "LayerNorm",
    "LeakyReLU",
    "MaskedConv2D",
    "MaskedResidualBlock",
    "Maxout",
    "PositionEmbedding",
    "SelfAttention",
    "SinusoidalEmbedding",
    "SpaceToDepth",
    "SpectralNormalization",
]
