"""Layers that Keras lacks, or has with a defect that matters here."""

from kgen.layers.act_norm import ActNorm
from kgen.layers.batch_norm import BatchNorm
from kgen.layers.bijection import Bijection
from kgen.layers.color_head import ColorHead
from kgen.layers.condition_code import ConditionCode
from kgen.layers.convolution import Conv2D, Conv2DTranspose
from kgen.layers.coupling import Coupling
from kgen.layers.diagonal_bi_lstm import DiagonalBiLSTM
from kgen.layers.edge_conv2d import EdgeConv2D
from kgen.layers.gated_block import GatedBlock
from kgen.layers.group_norm import GroupNorm
from kgen.layers.invertible_conv import InvertibleConv
from kgen.layers.layer_norm import LayerNorm
from kgen.layers.leaky_relu import LeakyReLU
from kgen.layers.level_embedding import LevelEmbedding
from kgen.layers.masked_conv2d import MaskedConv2D
from kgen.layers.masked_residual_block import MaskedResidualBlock
from kgen.layers.maxout import Maxout
from kgen.layers.position_embedding import PositionEmbedding
from kgen.layers.residual_lstm import ResidualLSTM
from kgen.layers.row_lstm import RowLSTM
from kgen.layers.self_attention import SelfAttention
from kgen.layers.shifted_conv2d import ShiftedConv2D
from kgen.layers.shortcut_block import ShortcutBlock
from kgen.layers.shortcut_streams import ShiftedStem, ShortcutStreams
from kgen.layers.sinusoidal_embedding import SinusoidalEmbedding
from kgen.layers.space_to_depth import DepthToSpace, SpaceToDepth
from kgen.layers.spectral_normalization import SpectralNormalization
from kgen.layers.split import Split, Standardize
from kgen.layers.squeeze import Reorder, Squeeze
from kgen.layers.vector_quantizer import VectorQuantizer

__all__ = [
    "ActNorm",
    "BatchNorm",
    "Bijection",
    "ColorHead",
    "ConditionCode",
    "Conv2D",
    "Conv2DTranspose",
    "Coupling",
    "DepthToSpace",
    "DiagonalBiLSTM",
    "EdgeConv2D",
    "GatedBlock",
    "GroupNorm",
    "InvertibleConv",
    "LayerNorm",
    "LeakyReLU",
    "LevelEmbedding",
    "MaskedConv2D",
    "MaskedResidualBlock",
    "Maxout",
    "PositionEmbedding",
    "Reorder",
    "ResidualLSTM",
    "RowLSTM",
    "SelfAttention",
    "ShiftedConv2D",
    "ShiftedStem",
    "ShortcutBlock",
    "ShortcutStreams",
    "SinusoidalEmbedding",
    "SpaceToDepth",
    "SpectralNormalization",
    "Split",
    "Squeeze",
    "Standardize",
    "VectorQuantizer",
]
